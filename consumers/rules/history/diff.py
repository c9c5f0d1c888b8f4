"""Two versions of a rule over the same history: what the new one adds, and what it lets go. Leaves no trace.

Findings: matched by one version and not by the other, whatever their thresholds say.
Alerts:   compared by what tells them apart: rule, group, and window or finding. Another window makes another alert.
Memory:   grows with the difference, not with what is the same.
"""

from bisect import insort
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from consumers.rules.alerting import Conclusion, Key
from consumers.rules.history.backtest import SAMPLES, Alert, Finding
from consumers.rules.history.judging import Judging
from consumers.rules.history.lockstep import Watch, complete_since
from consumers.rules.history.strand import Strand, Stretch
from consumers.rules.matching import Compiled, Fault, Hit, MakeJudge
from pipeline.log.port import Batch, Log

_SHOWN: Final = SAMPLES * 2


@dataclass(slots=True)
class Side:
    """What only one version has: ``count``, with samples, oldest first. Alerts are shown as far as their words are known."""

    matched: int = 0
    alerts: int = 0
    findings: list[Finding] = field(default_factory=list)
    raised: list[Alert] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Diff:
    """``added`` only the new version has, ``removed`` only the former; ``matched`` findings and ``alerts`` both have."""

    stretch: Stretch
    former: int
    new: int
    matched: int
    alerts: int
    added: Side
    removed: Side
    faults: int
    complete: bool

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


class _Comparing:
    """The sink of a comparison."""

    def __init__(self, former: Compiled, new: Compiled, stretch: Stretch) -> None:
        self.former, self.new = Strand(former, stretch), Strand(new, stretch)
        self.common = self.faults = self.same = 0
        self.added, self.removed = Side(), Side()
        self._stretch = stretch
        self._only: dict[int, dict[Key, Alert]] = {id(self.former): {}, id(self.new): {}}
        for strand in (self.former, self.new):
            strand.worded = self._few

    def fault(self, _: Fault) -> None:
        """One of them threw, or took too long."""
        self.faults += 1

    def finding(self, batch: Batch, place: int, hits: Sequence[Hit]) -> None:
        """Count it as common, added or removed."""
        if batch.columns.time_us[place] not in self._stretch:
            return
        matching = {id(hit.rule) for hit in hits if hit.matched}
        if len(matching) > 1:
            self.common += 1
        elif matching:
            side = self.added if id(self.new.compiled) in matching else self.removed
            side.matched += 1
            if len(side.findings) < _SHOWN or batch.columns.time_us[place] < side.findings[-1].time_us:
                insort(side.findings, Finding.at(batch, place))
                del side.findings[_SHOWN:]

    def matched(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Without a threshold it is an alert."""
        if not strand.threshold:
            self.concluded(strand, strand.single(batch, hit))

    def concluded(self, strand: Strand, alert: Conclusion) -> None:
        """Cross it out with the other's, or keep it until that comes."""
        other = self._only[id(self.new if strand is self.former else self.former)]
        if other.pop(alert.key, None) is None:
            self._only[id(strand)][alert.key] = Alert.of(alert)
        else:
            self.same += 1

    def resolver(self, *_: object) -> None:
        """Not compared."""

    def _few(self, _: int) -> bool:
        """Whether there are so few differences that the next one may be shown."""
        return min(map(len, self._only.values())) < _SHOWN

    def sides(self) -> tuple[Side, Side]:
        """What was added and what removed, with the alerts that were not crossed out."""
        for strand, side in ((self.new, self.added), (self.former, self.removed)):
            only = self._only[id(strand)].values()
            side.alerts = len(only)
            side.raised = sorted(only, key=lambda alert: (alert.since_us, alert.id))[:_SHOWN]
        return self.added, self.removed


def diff(
    log: Log, former: Compiled, new: Compiled, stretch: Stretch, *, make_judge: MakeJudge, watch: Watch | None = None
) -> Diff:
    """Judge ``stretch`` by both. Raises ``Cancelled``, ``LogUnavailable`` or ``LogCorrupted``."""
    sink = _Comparing(former, new, stretch)
    judging = Judging(make_judge([former, new], sink.fault), [sink.former, sink.new], sink)
    judging.over(log, watch or Watch())
    added, removed = sink.sides()
    return Diff(
        stretch=stretch,
        former=former.version.number,
        new=new.version.number,
        matched=sink.common,
        alerts=sink.same,
        added=added,
        removed=removed,
        faults=sink.faults,
        complete=complete_since(log, judging.recorded_us),
    )
