"""The list of the segments of one hour and lane: one small item, read whole, so that an hour's segments are as of one moment.

An hour is one in which events happened. A commit adds to it; when it lists many small segments, they become one. A merged
segment's parts stay stored for a while, for readers that read the list before.
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import orjson

from projections.segments import Entries, chunks, pack
from projections.stores.dynamodb.pages import packed, unpacked

HOUR_US: Final = 3_600_000_000
SMALL_ENTRIES: Final = 128
"""A segment of fewer entries is small: one of several such is dearer to read than to write again."""
MOST_SMALL: Final = 16
"""Small segments that an hour's list has, at most."""
MOST_SEGMENT_BYTES: Final = 350_000


class Listed(NamedTuple):
    """A segment as listed: the commit and place that number it, its bounds (microseconds, inclusive), size, highest severity."""

    commit: int
    place: int
    min_us: int
    max_us: int
    entries: int
    severity: int

    @property
    def number(self) -> str:
        """The number as a sort key has it."""
        return f"{self.commit:012}.{self.place:04}"


def encode(hour: int, listed: Sequence[Listed]) -> bytes:
    """A list as bytes: column by column, times from the hour's beginning on."""
    origin = hour * HOUR_US
    rows = [(*one[:2], one.min_us - origin, one.max_us - one.min_us, *one[4:]) for one in listed]
    return packed(orjson.dumps(list(zip(*rows, strict=True))))


def decode(hour: int, data: bytes) -> list[Listed]:
    """The inverse of ``encode``."""
    origin = hour * HOUR_US
    columns = orjson.loads(unpacked(data))
    return [
        Listed(commit, place, origin + begin, origin + begin + length, size, severity)
        for commit, place, begin, length, size, severity in zip(*columns, strict=True)
    ]


def by_hour(entries: Entries) -> Mapping[int, list[int]]:
    """The indices of the entries of each hour."""
    hours: defaultdict[int, list[int]] = defaultdict(list)
    for index, time_us in enumerate(entries.time_us):
        hours[time_us // HOUR_US].append(index)
    return hours


def to_merge(listed: Sequence[Listed]) -> list[Listed]:
    """The small segments, if there are many."""
    small = [one for one in listed if one.entries < SMALL_ENTRIES]
    return small if len(small) >= MOST_SMALL else []


def segments(entries: Entries, commit: int, places: Iterator[int]) -> Iterator[tuple[Listed, int, bytes]]:
    """One hour's entries as segments of the usual size: each with when the last of it was recorded, and its bytes."""
    (indices,) = entries.by_day().values()
    for part in chunks(indices):
        for some, blob in _fitting(entries.select(part)):
            bounds = (some.time_us[0], some.time_us[-1])
            yield Listed(commit, next(places), *bounds, len(some), max(some.severity)), max(some.recorded_us), blob


def _fitting(entries: Entries) -> Iterator[tuple[Entries, bytes]]:
    """The entries in as few pieces as an item can hold; one that does not fit alone is given as it is."""
    blob = pack(entries)
    if len(blob) <= MOST_SEGMENT_BYTES or len(entries) == 1:
        yield entries, blob
        return
    middle = len(entries) // 2
    yield from _fitting(entries.select(range(middle)))
    yield from _fitting(entries.select(range(middle, len(entries))))
