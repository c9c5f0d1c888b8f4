"""Whether two generations hold the same rows, and which differ."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from heapq import merge
from itertools import groupby
from operator import itemgetter
from typing import Any, Final

from projections.event_index import PackedSegment, Sought
from projections.segments import DAY_US, Entries, unpack
from projections.stores.port import GenerationRows
from schemas.envelope import MAX_TIME_US

SAMPLES: Final = 10
_FORMER, _NEW = 0, 1
_HOURS: Final = MAX_TIME_US // 3_600_000_000


@dataclass(slots=True)
class Difference:
    """Rows compared, and how they differ: only in the former, only in the new one, in both with other values.

    ``samples`` are at most ten rows as (kind, key, former value or None, new value or None).
    """

    compared: int = 0
    missing: int = 0
    added: int = 0
    changed: int = 0
    samples: list[tuple[str, str, Any, Any]] = field(default_factory=list)

    @property
    def equal(self) -> bool:
        """Whether there is none."""
        return not (self.missing or self.added or self.changed)


def compare(former: GenerationRows, new: GenerationRows) -> Difference:
    """Compare all rows, day by day, so that memory holds a day's entries at most."""
    difference = Difference()
    _merge(difference, "entry", _entries(former), _entries(new))
    _merge(difference, "count", former.counts(0, _HOURS), new.counts(0, _HOURS))
    _merge(difference, "document", former.all_documents(), new.all_documents())
    return difference


def _entries(rows: GenerationRows) -> Iterator[tuple[tuple[int, str, int], Mapping[str, Any]]]:
    """Every entry by (time, id, recorded time), however it is packed."""
    segments = rows.segments(Sought(), "asc")
    for _, day in groupby(segments, key=_day):
        whole = Entries()
        for segment in day:
            whole.extend(unpack(segment.blob))
        keys = list(zip(whole.time_us, whole.id, whole.recorded_us, strict=True))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        for key, values in zip(sorted(keys), zip(*whole.select(order).columns(), strict=True), strict=True):
            yield key, dict(zip(Entries.__slots__, values, strict=True))


def _day(segment: PackedSegment) -> int:
    return segment.min_us // DAY_US


def _merge(difference: Difference, kind: str, former: Iterable[tuple[Any, Any]], new: Iterable[tuple[Any, Any]]) -> None:
    """Walk two sequences that are sorted by key, without repeats, side by side."""
    both = merge(_on(_FORMER, former), _on(_NEW, new), key=itemgetter(0, 1))
    for key, pair in groupby(both, key=itemgetter(0)):
        rows = {side: row for _, side, row in pair}
        difference.compared += 1
        if _NEW not in rows:
            difference.missing += 1
        elif _FORMER not in rows:
            difference.added += 1
        elif rows[_FORMER] != rows[_NEW]:
            difference.changed += 1
        else:
            continue
        _sample(difference, kind, key, rows.get(_FORMER), rows.get(_NEW))


def _on(side: int, rows: Iterable[tuple[Any, Any]]) -> Iterator[tuple[Any, int, Any]]:
    return ((key, side, row) for key, row in rows)


def _sample(difference: Difference, kind: str, key: object, former: object, new: object) -> None:
    if len(difference.samples) < SAMPLES:
        difference.samples.append((kind, str(key), former, new))
