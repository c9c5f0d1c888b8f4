"""The alerts of one rule that the log holds already: what their facts come to, in the order in which the log has them.

Repeats: a fact that is told again changes nothing.
Memory:  a few values for each alert of the rule in the stretch.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from consumers.rules.history.lockstep import Watch, steps
from consumers.rules.history.strand import Stretch
from pipeline.log.port import Batch, Log

_RAISED: Final = "alert.raised"
_LATER: Final = frozenset({"alert.resolved", "alert.reopened", "alert.withdrawn"})


@dataclass(slots=True)
class Known:
    """An alert that was raised. ``withdrawn`` and ``reinstated`` name the run that did it last, "" if none did.

    ``causes`` are the findings that are told to have closed it, each with when that was recorded; ``handled``: a person or a run
    did so, or reopened it; ``rerun``: a run did.
    """

    time_us: int
    recorded_us: int
    version: int
    run_id: str
    backfilled: bool
    reached_us: int = 0
    group: Mapping[str, str] = field(default_factory=dict)
    resolved: bool = False
    withdrawn: str = ""
    reinstated: str = ""
    causes: dict[str, int] = field(default_factory=dict)
    handled: bool = False
    rerun: bool = False


@dataclass(slots=True)
class Standing:
    """The alerts of a rule that share a moment with a stretch, by id."""

    rule_id: str
    stretch: Stretch
    alerts: dict[str, Known] = field(default_factory=dict)
    _seen: set[str] = field(default_factory=set)

    def fold(self, batch: Batch) -> None:
        """Take in what a batch tells of them."""
        for place, kind in enumerate(batch.columns.type):
            if kind == _RAISED:
                self._raised(batch.columns.time_us[place], batch.recorded_us[place], orjson.loads(batch.bodies[place]))
            elif kind in _LATER:
                known = self.alerts.get(batch.columns.subject[place].partition("/")[2])
                if known and batch.columns.id[place] not in self._seen:
                    self._seen.add(batch.columns.id[place])
                    _later(known, kind, batch.recorded_us[place], orjson.loads(batch.bodies[place]))

    def _raised(self, time_us: int, recorded_us: int, body: Mapping[str, Any]) -> None:
        if body["rule_id"] == self.rule_id and touches(body.get("window"), time_us, self.stretch):
            told_by = body["rule_version"], body.get("run_id", ""), body.get("backfilled", False)
            known = Known(time_us, recorded_us, *told_by, body["reached_us"], body["group"])
            self.alerts.setdefault(body["alert_id"], known)


def touches(window: Mapping[str, int] | None, time_us: int, stretch: Stretch) -> bool:
    """Whether an alert shares a moment with a stretch."""
    if window is None:
        return time_us in stretch
    return window["since_us"] < stretch.until_us and window["until_us"] > stretch.since_us


def standing(log: Log, rule_id: str, stretch: Stretch, recorded_us: int, watch: Watch) -> Standing:
    """The alerts of a rule in a stretch, as the log has them now. Raises ``Cancelled``, ``LogUnavailable``, ``LogCorrupted``."""
    found = Standing(rule_id, stretch)
    for step in steps(log, recorded_us, watch):
        found.fold(step.batch)
    return found


def _later(known: Known, kind: str, recorded_us: int, body: Mapping[str, Any]) -> None:
    run_id, cause = body.get("run_id", ""), body.get("event_id", "")
    if kind == "alert.resolved" and cause:
        known.causes[cause] = recorded_us
    else:
        known.handled = True
        known.rerun |= bool(run_id)
    if kind == "alert.withdrawn":
        known.withdrawn, known.reinstated = run_id, ""
    elif kind == "alert.reopened":
        known.resolved = False
        if run_id:
            known.withdrawn, known.reinstated = "", run_id
    else:
        known.resolved = True
