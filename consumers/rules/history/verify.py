"""Whether what was raised live is what the log says ought to have been: by each version of a rule, for what it was in force.

Missing:    ought to have been raised and stands nowhere on the log, neither live nor by a run.
Unexpected: was raised live, and no version of the rule in force concludes it.
Ends:       so it is with the findings that close what was raised live (``resolutions``).
Meanwhile:  the engine may be behind; alerts are looked up after the findings were judged, so that it has had that long.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from consumers.rules.alerting import Conclusion
from consumers.rules.history.backtest import Alert
from consumers.rules.history.judging import Judging
from consumers.rules.history.lockstep import Watch, complete_since
from consumers.rules.history.resolutions import Resolutions
from consumers.rules.history.standing import standing
from consumers.rules.history.strand import Strand, Stretch
from consumers.rules.matching import Compiled, Fault, Hit, MakeJudge
from consumers.rules.rule import Version
from pipeline.log.port import Batch, Log
from schemas.envelope import MAX_TIME_US
from schemas.identity import MICROSECONDS


@dataclass(frozen=True, slots=True)
class Verified:
    """The comparison. ``unexpected`` holds alerts' ids; ``faults`` are findings on which a version threw or took too long.

    ``resolved`` alerts were closed by findings; ``unresolved`` are those, by id, that ought to have been and were not,
    ``wrongly_resolved`` those that ought not to.
    """

    rule_id: str
    versions: Sequence[int]
    expected: int
    raised: int
    missing: Sequence[Alert]
    unexpected: Sequence[str]
    resolved: int
    unresolved: Sequence[str]
    wrongly_resolved: Sequence[str]
    faults: int
    complete: bool

    @property
    def equal(self) -> bool:
        """Whether there is no difference."""
        return not (self.missing or self.unexpected or self.unresolved or self.wrongly_resolved)

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self) | {"equal": self.equal}


class _Expecting:
    """The sink of a verification."""

    def __init__(self) -> None:
        self.alerts: dict[str, Alert] = {}
        self.resolutions = Resolutions()
        self.faults = 0

    def fault(self, fault: Fault) -> None:
        """A version threw, or took too long, over a finding of its time (to the second, as the finding's id tells it)."""
        version, second = fault.rule.version, int(fault.event_id.partition("-")[0])
        self.faults += version.since_us // MICROSECONDS <= second < version.until_us / MICROSECONDS

    def finding(self, *_: object) -> None:
        """Nothing."""

    def matched(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Without a threshold it is an alert."""
        if not strand.threshold:
            self.concluded(strand, strand.single(batch, hit))

    def concluded(self, _: Strand, alert: Conclusion) -> None:
        """Expect it, whichever version concludes it."""
        told = Alert.of(alert)
        self.alerts.setdefault(told.id, told)

    def resolver(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Expect it to close what it closes."""
        self.resolutions.resolver(strand, batch, hit)


def verify(log: Log, versions: Sequence[Compiled], *, make_judge: MakeJudge, watch: Watch | None = None) -> Verified:
    """Compare, over all that ``versions`` of one rule were in force for.

    Raises ``Cancelled``, ``LogUnavailable`` or ``LogCorrupted``.
    """
    watch = watch or Watch()
    stretch = Stretch(min(each.version.since_us for each in versions), MAX_TIME_US)
    sink = _Expecting()
    strands = [Strand(compiled, stretch) for compiled in versions]
    judging = Judging(make_judge(versions, sink.fault), strands, sink, admits=Version.in_force)
    judging.over(log, watch)
    rule_id = versions[0].version.rule.id
    there = standing(log, rule_id, stretch, judging.recorded_us, watch).alerts
    live = {i: known for i, known in there.items() if not known.backfilled and known.recorded_us <= judging.newest_us}
    resolving = {compiled.version.number for compiled in versions if compiled.version.rule.resolve is not None}
    return Verified(
        rule_id=rule_id,
        versions=[compiled.version.number for compiled in versions],
        expected=len(sink.alerts),
        raised=len(live),
        missing=sorted((a for i, a in sink.alerts.items() if i not in there), key=lambda alert: (alert.since_us, alert.id)),
        unexpected=sorted(live.keys() - sink.alerts.keys()),
        resolved=sum(bool(known.causes) for known in live.values()),
        unresolved=sorted(sink.resolutions.missing(live, resolving)),
        wrongly_resolved=sorted(sink.resolutions.unexpected(live, judging.newest_us)),
        faults=sink.faults,
        complete=complete_since(log, judging.recorded_us),
    )
