"""The core: versions judged over a stretch of history, and what comes of it told to a sink. No clock, no trace, no sending.

Repeats:  a finding that is told again counts where it first stands on the log, as live (``projections.guard``).
Admits:   which findings a version judges: all of the stretch, or those that it judges live.
Resolved: an alert is resolved if a finding that the rule's ``resolve`` matches, of its group, happened after its last one.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, Protocol

from consumers.rules.alerting import Conclusion
from consumers.rules.history.lockstep import Watch, steps
from consumers.rules.history.strand import Strand, Stretch
from consumers.rules.matching import Hit, Judge
from consumers.rules.rule import AHEAD_US, Version
from pipeline.log.port import Batch, Columns, Log, Position
from projections.guard import WINDOW_DAYS, Guard
from projections.stores.port import Marker

_FINDING: Final = "finding.observed"
_SIFTED: Final = 500
"""Findings that are hit, looked up for repeats at once."""

Admits = Callable[[Version, int, int], bool]
"""Whether a version judges a finding that happened and was recorded then; None: whichever there is."""


class Sink(Protocol):
    """What is told of a judging. Repeats are told of no more than once."""

    def finding(self, batch: Batch, place: int, hits: Sequence[Hit]) -> None:
        """A finding is hit by some versions, each of which admits it."""
        ...

    def matched(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """A version matches a finding of the stretch. If it has no threshold, that is an alert: ``strand.single``."""
        ...

    def concluded(self, strand: Strand, alert: Conclusion) -> None:
        """A version with a threshold concludes an alert."""
        ...

    def resolver(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """A finding closes the open alerts of its group that are older."""
        ...


@dataclass(slots=True)
class Markers:
    """The ids that were hit within thirty days of recorded time, packed, for the guard to ask."""

    days: defaultdict[int, defaultdict[int, bytearray]] = field(
        default_factory=lambda: defaultdict(lambda: defaultdict(bytearray))
    )

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        """The markers of these event hours, recorded on ``since_day`` or later."""
        for day, by_hour in self.days.items():
            if day >= since_day:
                yield from (Marker(hour, day, bytes(by_hour[hour])) for hour in hours if hour in by_hour)

    def keep(self, markers: Iterable[Marker], newest_day: int) -> None:
        """Keep these, and forget what is too old to make anything a repeat."""
        for marker in markers:
            self.days[marker.day][marker.hour] += marker.ids
        for day in [day for day in self.days if day < newest_day - 2 * WINDOW_DAYS]:
            del self.days[day]


class Judging:
    """Judges once. ``judge`` was made of the strands' compiled versions."""

    def __init__(self, judge: Judge, strands: Sequence[Strand], sink: Sink, *, admits: Admits | None = None) -> None:
        self._judge = judge
        self._strands = {id(strand.compiled): strand for strand in strands}
        self._sink = sink
        self._admits = admits
        self._markers = Markers()
        self._guard = Guard(self._markers)
        self._since_us = min(strand.counted.since_us for strand in strands)
        self.recorded_us = self.begins_us(strands)
        resolving = any(strand.rule.resolve is not None for strand in strands)
        self._until_us = None if resolving else max(strand.counted.until_us for strand in strands)
        self._stretch = Stretch(min(s.stretch.since_us for s in strands), max(s.stretch.until_us for s in strands))
        self.judged = 0
        """Findings of the stretch that were looked at, repeats included."""
        self.newest_us = 0
        """When the last event that was read was recorded."""

    @staticmethod
    def begins_us(strands: Sequence[Strand]) -> int:
        """From which recorded time on the log is read for these: clocks of sources may be ahead."""
        return max(min(strand.counted.since_us for strand in strands) - AHEAD_US, 0)

    def over(self, log: Log, watch: Watch, until: Mapping[str, Position] | None = None) -> int:
        """Judge what the log holds now (up to ``until``, if that is given); returns how many events were read.

        Raises ``Cancelled``, ``LogUnavailable`` or ``LogCorrupted``.
        """
        read = 0
        for batch, read_us in steps(log, self.recorded_us, watch, until):
            read += len(batch)
            self.newest_us = max(self.newest_us, *batch.recorded_us, 0)
            self._judged(batch)
            for strand in self._strands.values():
                for alert in strand.settle(read_us):
                    self._sink.concluded(strand, alert)
        return read

    def _judged(self, batch: Batch) -> None:
        """Judge a batch, some findings that are hit at a time."""
        indices = self._wanted(batch)
        self.judged += self._of_stretch(batch)
        if indices is not None and not indices:
            return
        found: list[tuple[int, list[Hit]]] = []
        for hit in self._judge.hits(batch, indices):
            if found and found[-1][0] == hit.place:
                found[-1][1].append(hit)
                continue
            if len(found) == _SIFTED:
                self._take(batch, found)
                found = []
            found.append((hit.place, [hit]))
        if found:
            self._take(batch, found)

    def _of_stretch(self, batch: Batch) -> int:
        times, kinds = batch.columns.time_us, batch.columns.type
        since_us, until_us = self._stretch.since_us, self._stretch.until_us
        if times and min(times) >= since_us and max(times) < until_us:
            return kinds.count(_FINDING)
        return sum(since_us <= at < until_us and kind == _FINDING for at, kind in zip(times, kinds, strict=True))

    def _wanted(self, batch: Batch) -> Sequence[int] | None:
        """Which events may matter by their time; None: all."""
        times = batch.columns.time_us
        low, high = self._since_us, self._until_us
        if not times or (min(times) >= low and (high is None or max(times) < high)):
            return None
        kinds = batch.columns.type
        return [i for i, at in enumerate(times) if at >= low and (high is None or at < high) and kinds[i] == _FINDING]

    def _take(self, batch: Batch, found: Sequence[tuple[int, list[Hit]]]) -> None:
        times, recorded, admits = batch.columns.time_us, batch.recorded_us, self._admits
        strands, hit_by = self._strands, self._hit
        for number in self._fresh(batch, [place for place, _ in found]):
            place, hits = found[number]
            if admits is not None:
                hits = [hit for hit in hits if admits(hit.rule.version, times[place], recorded[place])]
            if hits:
                self._sink.finding(batch, place, hits)
            for hit in hits:
                hit_by(hit, strands[id(hit.rule)], batch, times[place])

    def _fresh(self, batch: Batch, places: Sequence[int]) -> Sequence[int]:
        """Which of these are no repeats, by their number."""
        columns = Columns(id=[batch.columns.id[i] for i in places], time_us=[batch.columns.time_us[i] for i in places])
        asked = Batch(batch.shard, [], [batch.recorded_us[i] for i in places], columns, [])
        fresh, markers = self._guard.sift(asked)
        self._markers.keep(markers, self._guard.newest_day)
        self._guard.kept()
        return fresh

    def _hit(self, hit: Hit, strand: Strand, batch: Batch, time_us: int) -> None:
        if hit.matched:
            stretch = strand.stretch
            if stretch.since_us <= time_us < stretch.until_us:
                self._sink.matched(strand, batch, hit)
            if strand.threshold and time_us in strand.counted:
                strand.count(strand.threshold, batch, hit)
        if hit.resolved:
            self._sink.resolver(strand, batch, hit)
