"""Which events are repeats: the same id, recorded within thirty days. Decided the same on replay.

Ids are kept as markers, packed by the hour in which the event happened and the UTC day on which it was recorded. Within the hour
an id is its uuid and the last four digits of its seconds: uuids alone are not unique (``schemas.identity.derived_id``).
A marker commits with the rows that it guards. The recent hours' ids are kept in memory, bounded; others are read when asked for,
so what is in memory decides nothing but the time that it takes.
Days are compared both ways, since one shard may be read far ahead of another.
"""

from collections import OrderedDict, defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, field
from functools import cached_property
from itertools import groupby
from math import inf
from typing import Final, Protocol, Self

from pipeline.log.port import Batch
from projections.stores.port import Marker

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 86_400_000_000
WINDOW_DAYS: Final = 30

REMEMBERED_IDS: Final = 250_000
"""Of hours that the last commit had nothing of, some 85 bytes each."""
MOST_IDS: Final = 2_000_000
"""Of all hours. A shard of a stream gets less in an hour: 1 MB a second, which is some 1.5 million plain events of 2.5 KB. If
there are more (packed events, an embedded log with 550 a second for an hour), each commit reads the hour's markers again, 18
bytes an id.

Source: Amazon Kinesis Data Streams Developer Guide, "Quotas and limits".
"""
ID_BYTES: Final = 18
_ID_CHARACTERS: Final = 41
_DAY_BITS: Final = 24
"""The days until the year 9999 need 22 bits."""


_Group = tuple[int, int, list[int]]
"""The hour in which some events happened, the day on which they were recorded, and their indices."""


class MarkerRows(Protocol):
    """Where markers are kept."""

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        """The markers of these event hours, recorded on ``since_day`` or later."""
        ...


@dataclass(slots=True)
class _Hour:
    """The ids known of one hour by the day on which they were recorded, complete from ``since_day`` on."""

    since_day: float = inf
    days: dict[int, set[bytes]] = field(default_factory=lambda: defaultdict(set))

    def __len__(self) -> int:
        return sum(map(len, self.days.values()))

    def near(self, day: int) -> list[set[bytes]]:
        """The ids that make one recorded on ``day`` a repeat."""
        return [seen for seen_day, seen in self.days.items() if abs(day - seen_day) <= WINDOW_DAYS]


class Intake(Batch):
    """A batch with what the guards of several generations ask of it, worked out once."""

    @classmethod
    def of(cls, batch: Batch) -> Self:
        """``batch`` itself if it is one already."""
        if isinstance(batch, cls):
            return batch
        return cls(batch.shard, batch.positions, batch.recorded_us, batch.columns, batch.bodies)

    @cached_property
    def ids(self) -> list[bytes]:
        """The ids, packed."""
        return packed(self.columns.id)

    @cached_property
    def versions(self) -> AbstractSet[tuple[str, int]]:
        """All (type, version) in it."""
        return set(zip(self.columns.type, self.columns.version, strict=True))

    def groups(self, types: Collection[str] | None) -> list[_Group]:
        """The indices of the events of these types (None: of all) by hour and day."""
        if types is None or all(kind in types for kind, _ in self.versions):
            return self._groups
        of_type = self.columns.type
        kept = ((hour, day, [i for i in indices if of_type[i] in types]) for hour, day, indices in self._groups)
        return [group for group in kept if group[2]]

    @cached_property
    def _groups(self) -> list[_Group]:
        return _by_hour_and_day(self)


class Guard:
    """The ids that one generation has seen. Its one writer asks it, then says that the commit was ``kept``, or ``reset``s it."""

    def __init__(self, rows: MarkerRows, *, remembered_ids: int = REMEMBERED_IDS, most_ids: int = MOST_IDS) -> None:
        self._rows = rows
        self._remembered_ids = remembered_ids
        self._most_ids = most_ids
        self._in_use: set[int] = set()
        self._hours: OrderedDict[int, _Hour] = OrderedDict()
        self._count = 0
        self.newest_day = 0
        """The latest day on which something was recorded, of all that was sifted."""

    def __len__(self) -> int:
        """How many ids are in memory."""
        return self._count

    def reset(self) -> None:
        """Forget what was not committed (and all else: it is read again)."""
        self._hours.clear()
        self._in_use.clear()
        self._count = 0

    def kept(self) -> None:
        """What was sifted is committed: it may be forgotten, the hours not asked for the longest first.

        Those of this commit, which the next one will ask for too, only if they are too many by themselves.
        """
        while self._count > self._remembered_ids:
            hour = next(iter(self._hours))
            if hour in self._in_use and self._count <= self._most_ids:
                break
            self._count -= len(self._hours.pop(hour))
        self._in_use.clear()

    def sift(self, batch: Batch, types: Collection[str] | None = None) -> tuple[Sequence[int], list[Marker]]:
        """The indices of the events that are no repeats, in order, and the markers to commit with them.

        ``types`` are those that are folded (None: all); events of others are left out.
        """
        intake = Intake.of(batch)
        ids, groups = intake.ids, intake.groups(types)
        days = [day for _, day, _ in groups]
        self.newest_day = max(self.newest_day, max(days, default=0))
        self._remember({hour for hour, _, _ in groups}, min(days, default=0) - WINDOW_DAYS)
        fresh: list[int] = []
        markers = []
        for hour, day, indices in groups:
            here = [ids[i] for i in indices]
            distinct = set(here)
            near = self._hours[hour].near(day)
            if len(distinct) == len(here) and all(seen.isdisjoint(distinct) for seen in near):
                fresh += indices
            else:
                first_seen = _first_seen(here, near)
                here = list(first_seen)
                fresh += [indices[place] for place in first_seen.values()]
            if here:
                markers.append(Marker(hour, day, b"".join(here)))
                self._hours[hour].days[day].update(here)
        self._count += len(fresh)
        return fresh if len(groups) == 1 else sorted(fresh), markers

    def _remember(self, hours: set[int], since_day: int) -> None:
        """Have these hours in memory, from ``since_day`` on."""
        unknown = {hour: self._hours.setdefault(hour, _Hour()) for hour in hours}
        unknown = {hour: known for hour, known in unknown.items() if known.since_day > since_day}
        if unknown:
            before = sum(map(len, unknown.values()))
            for marker in self._rows.markers(unknown.keys(), since_day):
                unknown[marker.hour].days[marker.day].update(_split(marker.ids))
            for known in unknown.values():
                known.since_day = since_day
            self._count += sum(map(len, unknown.values())) - before
        for hour in hours:
            self._hours.move_to_end(hour)
        self._in_use |= hours


def _first_seen(ids: Sequence[bytes], near: Sequence[Collection[bytes]]) -> Mapping[bytes, int]:
    """Each id that is in none of ``near``, with the place where it first stands in ``ids``, in order."""
    places: dict[bytes, int] = {}
    for place, one in enumerate(ids):
        if not any(one in seen for seen in near):
            places.setdefault(one, place)
    return places


def joined(markers: Iterable[Marker]) -> list[Marker]:
    """One marker for each hour and day, with the ids of all."""
    ids: defaultdict[tuple[int, int], list[bytes]] = defaultdict(list)
    for marker in markers:
        ids[marker.hour, marker.day].append(marker.ids)
    return [Marker(hour, day, b"".join(some)) for (hour, day), some in ids.items()]


def packed(event_ids: Sequence[str]) -> list[bytes]:
    """Event ids as they are told apart within an hour."""
    digits = "".join([event_id[-_ID_CHARACTERS:] for event_id in event_ids])
    if len(digits) < _ID_CHARACTERS * len(event_ids):  # seconds of less than four digits, soon after the epoch
        digits = "".join([event_id[-_ID_CHARACTERS:].zfill(_ID_CHARACTERS) for event_id in event_ids])
    return _split(bytes.fromhex(digits.replace("-", "")))


def _split(ids: bytes) -> list[bytes]:
    return [ids[i : i + ID_BYTES] for i in range(0, len(ids), ID_BYTES)]


def _by_hour_and_day(batch: Batch) -> list[_Group]:
    """The indices of the events by (hour in which they happened, day on which they were recorded), in order of appearance.

    An hour's days follow each other as its events do: an earlier day that comes again is a group of its own.
    """
    moments = [
        time_us // HOUR_US << _DAY_BITS | recorded_us // DAY_US
        for time_us, recorded_us in zip(batch.columns.time_us, batch.recorded_us, strict=True)
    ]
    groups: list[_Group] = []
    last: dict[int, _Group] = {}
    for moment, run in groupby(range(len(moments)), moments.__getitem__):
        hour, day = moment >> _DAY_BITS, moment & (1 << _DAY_BITS) - 1
        group = last.get(hour)
        if group is None or group[1] != day:
            group = last[hour] = (hour, day, [])
            groups.append(group)
        group[2].extend(run)
    return groups
