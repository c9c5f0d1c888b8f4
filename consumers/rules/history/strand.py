"""One version judged over history: which findings count, in which windows, and what it concludes. Pure.

Sets:   a window's conclusion depends on the set of findings in it, never on the order in which they came.
Whole:  every window that shares a moment with the stretch is judged whole: findings count up to one window before and behind it.
Memory: a window is forgotten once nothing can count in it any more; of its findings the oldest hundred are kept by id.
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from heapq import heappop, heappush
from typing import Final

from consumers.rules.alerting import MOST_NAMED, Conclusion, Key
from consumers.rules.errors import RuleThrew
from consumers.rules.matching import Compiled, Hit
from consumers.rules.rule import Rule, Threshold
from consumers.rules.windows import is_late, settled_us, starts
from pipeline.log.port import Batch

SKEW_US: Final = 300_000_000
"""How far a shard's recorded times may go back: a stream's are approximate."""
_NEVER_US: Final = 1 << 60
"""A bound that nothing comes too late for."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """A stretch of time in which findings happened, in microseconds since the epoch; ``until_us`` is exclusive.

    ``count_late``: findings count towards thresholds however late they were recorded, which is more than live would do. It is for
    history that was brought in long after it happened. Windows are then kept to the end of the reading.
    """

    since_us: int
    until_us: int
    count_late: bool = False

    def __contains__(self, time_us: object) -> bool:
        """Whether it happened then."""
        return isinstance(time_us, int) and self.since_us <= time_us < self.until_us


@dataclass(frozen=True, slots=True)
class Told:
    """What an alert says of the finding that it is worded by, its oldest."""

    title: str
    labels: dict[str, str]
    resources: tuple[str, ...]
    correlation_id: str


@dataclass(slots=True)
class _Window:
    """What counts for one group. ``account`` and ``region`` are "" where its findings differ in them."""

    account: str
    region: str
    count: int = 0
    last_us: int = 0
    values: dict[str, int] = field(default_factory=dict)
    named: list[tuple[int, str]] = field(default_factory=list)
    told: Told | None = None

    def add(self, value: str | None, batch: Batch, place: int) -> None:
        """A finding counts, or the value that it brings."""
        columns = batch.columns
        if value is None:
            self.count += 1
        else:
            time_us = columns.time_us[place]
            self.values[value] = min(time_us, self.values.get(value, time_us))
            self.count = len(self.values)
        if self.account != columns.account[place]:
            self.account = ""
        if self.region != columns.region[place]:
            self.region = ""
        finding = columns.time_us[place], columns.id[place]
        self.last_us = max(self.last_us, finding[0])
        if len(self.named) < MOST_NAMED or finding < self.named[-1]:
            insort(self.named, finding)
            del self.named[MOST_NAMED:]

    def reached_us(self, threshold: Threshold | None) -> int:
        """When the threshold was reached, by the times of findings, as ``consumers.rules.engine.state`` reckons it."""
        times = sorted(self.values.values()) if self.values else [at for at, _ in self.named]
        needed = threshold.count if threshold else 1
        return times[needed - 1] if needed <= len(times) else self.last_us


class Strand:
    """A compiled version with what history has counted for it so far.

    ``worded`` is asked whether an alert that begins then would be shown or told, so that it needs words.
    """

    def __init__(self, compiled: Compiled, stretch: Stretch, *, worded: Callable[[int], bool] = lambda _: True) -> None:
        self.compiled = compiled
        self.rule: Rule = replace(compiled.version.rule, late_us=_NEVER_US) if stretch.count_late else compiled.version.rule
        self.threshold: Threshold | None = self.rule.threshold
        self.stretch = stretch
        self.counted = Stretch(max(stretch.since_us - self.window_us, 0), stretch.until_us + self.window_us)
        self.matched = 0
        self.late = 0
        self.ungrouped = 0
        self.worded = worded
        self._windows: defaultdict[int, dict[tuple[str, ...], _Window]] = defaultdict(dict)
        self._starts: list[int] = []

    @property
    def window_us(self) -> int:
        """How long its windows are; 0 without a threshold."""
        return self.threshold.window_us if self.threshold else 0

    def __len__(self) -> int:
        """How many groups are being counted, over all windows."""
        return sum(map(len, self._windows.values()))

    def count(self, threshold: Threshold, batch: Batch, hit: Hit) -> None:
        """Count a matching finding that is no repeat in all windows that hold it."""
        place = hit.place
        time_us = batch.columns.time_us[place]
        if is_late(self.rule, time_us, batch.recorded_us[place]):
            self.late += time_us in self.stretch
            return
        group = self.compiled.group(hit.document)
        value = self.compiled.distinct(hit.document) if threshold.distinct else None
        if group is None or (threshold.distinct and value is None):
            self.ungrouped += time_us in self.stretch
            return
        for start_us in starts(threshold, time_us):
            if start_us < self.stretch.until_us and start_us + threshold.window_us > self.stretch.since_us:
                window = self._window(start_us, group, batch, place)
                window.add(value, batch, place)
                if window.named[0] == (time_us, batch.columns.id[place]):
                    window.told = self._words(batch, hit) if self.worded(start_us) else None

    def settle(self, read_us: int) -> Iterator[Conclusion]:
        """Conclude all windows in which nothing counts that is recorded from ``read_us`` on, and forget them."""
        threshold = self.threshold
        while threshold and self._starts and settled_us(self.rule, self._starts[0]) + SKEW_US < read_us:
            start_us = heappop(self._starts)
            for group, window in self._windows.pop(start_us).items():
                if window.count >= threshold.count:
                    yield self._concluded(Key(self.rule.id, group, start_us, threshold.window_us), group, window)

    def single(self, batch: Batch, hit: Hit) -> Conclusion:
        """What a match rule concludes from a finding that it matches."""
        columns, place = batch.columns, hit.place
        time_us, event_id = columns.time_us[place], columns.id[place]
        group = (self.compiled.group(hit.document) or ()) if self.rule.group_by else ()
        window = _Window(columns.account[place], columns.region[place], 1, time_us, named=[(time_us, event_id)])
        if self.worded(time_us):
            window.told = self._words(batch, hit)
        return self._concluded(Key(self.rule.id, (), time_us, cause=event_id), group, window)

    def _window(self, start_us: int, group: tuple[str, ...], batch: Batch, place: int) -> _Window:
        if start_us not in self._windows:
            heappush(self._starts, start_us)
        there = self._windows[start_us]
        window = there.get(group)
        if window is None:
            window = there[group] = _Window(batch.columns.account[place], batch.columns.region[place])
        return window

    def _words(self, batch: Batch, hit: Hit) -> Told:
        columns, compiled = batch.columns, self.compiled
        try:
            words = compiled.title(hit.document), compiled.labels(hit.document)
        except RuleThrew:
            words = self.rule.id, {}
        return Told(*words, tuple(columns.resources[hit.place]), columns.correlation_id[hit.place])

    def _concluded(self, key: Key, group: tuple[str, ...], window: _Window) -> Conclusion:
        told = window.told or Told(self.rule.title, {}, (), "")
        return Conclusion(
            key=key,
            version=self.compiled.version.number,
            severity=self.rule.severity,
            title=told.title,
            count=window.count,
            events=window.named,
            last_us=window.last_us,
            reached_us=window.reached_us(self.threshold),
            group=dict(zip(self.rule.group_by, group, strict=False)),
            labels=told.labels,
            account=window.account,
            region=window.region,
            resources=told.resources,
            correlation_id=told.correlation_id,
        )
