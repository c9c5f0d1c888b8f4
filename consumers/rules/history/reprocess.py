"""History judged again for real: the log is told which alerts a version finds there, and which of those that stand it does not.

Marked:   alerts are ``backfilled`` and name the run; channels hear of them only if that was asked.
Again:    ids derive from rule, group and window: what stands is not raised twice, neither by this run nor by another one.
Live:     what the engine has not judged yet is left to it (``passed``): channels are told of its alerts, not of a run's.
Killed:   a run that ended anywhere is taken up by its id; what it told stands, and its facts and counts come out the same.
Whole:    what the log no longer holds is not judged, so that no alert is withdrawn whose findings were forgotten. Nor does a run
          withdraw anything in which the rule took too long over a finding: on a calmer machine it may match.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import orjson

from consumers.rules import alerting
from consumers.rules.alerting import Conclusion
from consumers.rules.history.errors import HistoryLost
from consumers.rules.history.judging import Judging
from consumers.rules.history.lockstep import Progress, Watch, complete_since
from consumers.rules.history.resolving import Resolving
from consumers.rules.history.standing import Known, Standing, standing
from consumers.rules.history.strand import Strand, Stretch
from consumers.rules.history.telling import Teller, Telling
from consumers.rules.matching import Compiled, Fault, Hit, MakeJudge
from pipeline.log.port import Batch, Log, Position
from schemas.envelope import Envelope
from schemas.identity import derived_id

_MILLISECOND_US: Final = 1000

_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Run:
    """A reprocessing by a version. ``id`` is a UUID of version 7, whose time is when it began; ``by`` is a user id."""

    id: str
    stretch: Stretch
    by: str = ""
    notify: bool = False

    @property
    def began_us(self) -> int:
        """When it began. Source: RFC 9562, section 5.7: the first 48 bits are milliseconds since the epoch."""
        return (UUID(self.id).int >> 80) * _MILLISECOND_US


@dataclass(slots=True)
class Reprocessed:
    """What a run told. ``standing`` alerts were there already; ``faults`` are findings on which the rule threw or took too long.

    ``raised`` are new, ``reinstated`` had been withdrawn and hold after all, ``withdrawn`` are not found by this version;
    ``resolved`` of those that it raised are over already.
    """

    rule_id: str
    version: int
    run_id: str
    judged: int = 0
    matched: int = 0
    raised: int = 0
    reinstated: int = 0
    withdrawn: int = 0
    standing: int = 0
    resolved: int = 0
    faults: int = 0
    late: int = 0
    """Findings of the stretch that came too late to count."""
    left: int = 0
    """Events that were left to the engine, which had not come to them yet."""


class _Raising:
    """The sink of a run."""

    def __init__(self, compiled: Compiled, run: Run, known: Standing, telling: Teller) -> None:
        version = compiled.version
        self.strand = Strand(compiled, run.stretch)
        self.told = Reprocessed(version.rule.id, version.number, run.id)
        self._run = run
        self._known = dict(known.alerts)
        self._telling = telling
        self._resolving = Resolving()
        self._whole = True

    def fault(self, fault: Fault) -> None:
        """It threw, or took too long."""
        self.told.faults += 1
        self._whole &= fault.reason != "too_slow"

    def finding(self, *_: object) -> None:
        """Nothing."""

    def matched(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Count it; without a threshold it is an alert."""
        self.told.matched += 1
        if not strand.threshold:
            self.concluded(strand, strand.single(batch, hit))

    def concluded(self, strand: Strand, alert: Conclusion) -> None:
        """Raise it, if it does not stand."""
        alert_id = alert.key.alert_id
        known = self._known.pop(alert_id, None)
        if self._raised(alert, known) and strand.rule.resolve is not None and not (known and known.resolved):
            closed = self._resolving.alert(tuple(alert.group.values()), alert.reached_us, alert_id)
            if closed:
                self._resolve(alert_id, *closed)

    def resolver(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Close what this run raised and this finding ends."""
        group = strand.compiled.group(hit.document)
        if group is not None:
            finding = batch.columns.time_us[hit.place], batch.columns.id[hit.place]
            for alert_id in self._resolving.resolver(group, *finding):
                self._resolve(alert_id, *finding)

    def withdraw(self) -> None:
        """Withdraw what stands and was not concluded, if all could be judged."""
        if not self._whole:
            _logger.warning("%s took too long over some findings; no alert is withdrawn", self.told.rule_id)
            return
        for alert_id, known in self._known.items():
            if not known.withdrawn:
                version = self.strand.compiled.version.number
                self._telling.tell(alerting.withdrawn(alert_id, version, self._run.id, time_us=self._run.began_us))
            self.told.withdrawn += known.withdrawn in {"", self._run.id}

    def _raised(self, alert: Conclusion, known: Known | None) -> bool:
        """Whether this run raised it, or did so before it was taken up again, and it is not over yet."""
        run_id = self._run.id
        if known is None:
            self._telling.tell(alerting.raised(alert, run_id=run_id, notify=self._run.notify))
            self.told.raised += 1
            return True
        if known.withdrawn:
            self._telling.tell(alerting.reinstated(alert.key.alert_id, run_id, time_us=self._run.began_us))
        if known.withdrawn or known.reinstated == run_id:
            self.told.reinstated += 1
        elif known.run_id == run_id:
            self.told.raised += 1
        else:
            self.told.standing += 1
            return False
        return True

    def _resolve(self, alert_id: str, time_us: int, cause: str) -> None:
        self._telling.tell(alerting.resolved(alert_id, time_us, cause))
        self.told.resolved += 1


def reprocess(
    log: Log,
    compiled: Compiled,
    run: Run,
    *,
    make_judge: MakeJudge,
    passed: Callable[[], Mapping[str, Position] | None] = lambda: None,
    watch: Watch | None = None,
    telling: Teller | None = None,
) -> Reprocessed:
    """Judge ``run.stretch`` by a version and tell the log what is new and what is not so.

    ``passed`` says how far the engine has come; it is asked again after it is known which alerts stand, so that whatever they
    were concluded from is judged. None: there is no engine, and all that the log holds is judged. ``telling`` takes the facts
    instead of the log: a rehearsal.

    Raises ``Cancelled``, ``HistoryLost``, ``NotTold``, ``LogUnavailable`` or ``LogCorrupted``; call again with the same run then.
    """
    watch = watch or Watch()
    recorded_us = Judging.begins_us([Strand(compiled, run.stretch)])
    if not complete_since(log, recorded_us):
        message = "the log no longer holds the whole stretch, and alerts would be withdrawn wrongly; choose a later --since"
        raise HistoryLost(message)
    rule_id = compiled.version.rule.id
    passed()  # what live judging owes the log stands there then
    known = standing(log, rule_id, run.stretch, recorded_us, _half(watch, 0))
    telling = telling or Telling(log)
    sink = _Raising(compiled, run, known, telling)
    judging = Judging(make_judge([compiled], sink.fault), [sink.strand], sink)
    until = passed()
    sink.told.left = 0 if until is None else log.behind(until)
    judging.over(log, _half(watch, 1), until)
    sink.withdraw()
    sink.told.judged = judging.judged
    sink.told.late = sink.strand.late
    telling.tell(_reprocessed(run, sink.told))
    telling.flush()
    return sink.told


def _half(watch: Watch, done: int) -> Watch:
    """A watch on one of two readings of equal length."""

    def tell(progress: Progress) -> None:
        watch.on_progress(Progress(done * progress.total + progress.done, 2 * progress.total))

    return Watch(tell, watch.cancelled, watch.batch_events)


def _reprocessed(run: Run, told: Reprocessed) -> Envelope:
    """The fact that a run came to its end."""
    body = {
        "rule_id": told.rule_id,
        "version": told.version,
        "run_id": run.id,
        "since_us": run.stretch.since_us,
        "until_us": run.stretch.until_us,
        "judged": told.judged,
        "raised": told.raised + told.reinstated,
        "standing": told.standing,
        "withdrawn": told.withdrawn,
        "by": run.by,
    }
    return Envelope(
        id=derived_id(run.began_us, "rule.reprocessed", told.rule_id, run.id),
        type="rule.reprocessed",
        version=1,
        time_us=run.began_us,
        source=alerting.SOURCE,
        account="",
        region="",
        subject=f"rule/{told.rule_id}",
        severity=0,
        summary=f"Rule {told.rule_id} judged history again: {told.raised} raised, {told.withdrawn} withdrawn",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=orjson.dumps(body),
    )
