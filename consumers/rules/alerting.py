"""The facts that the rules conclude, as envelopes: pure, and the same whoever concludes them, however often.

Identity:  an alert's id derives from rule, group, and window or event. So does the id of its ``alert.raised``, whose uuid it is.
Time:      that of the finding, or of the window's beginning; it is part of the id, so it must not depend on who counted when.
Causation: the first finding that the alert names. Correlation: that finding's own correlation, or itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from schemas.envelope import Envelope
from schemas.identity import derived_id, event_id

SOURCE: Final = "findstream.rules"
MOST_NAMED: Final = 100
"""Events that an alert names at most."""

_RAISED: Final = "alert.raised"


@dataclass(frozen=True, slots=True)
class Key:
    """What tells an alert apart: rule, group (values only, in the order of the rule's paths), and window, ``length_us`` long.

    A match rule's alert has no window but a ``cause``, its event; its ``group`` is empty here, whatever the rule groups by.
    """

    rule_id: str
    group: tuple[str, ...]
    time_us: int
    length_us: int = 0
    cause: str = ""

    @property
    def raised_id(self) -> str:
        """The id of the event ``alert.raised``."""
        return event_id(self.time_us, _RAISED, self.rule_id, list(self.group), self.time_us, self.length_us, self.cause)

    @property
    def alert_id(self) -> str:
        """The alert's id."""
        return self.raised_id.partition("-")[2]


@dataclass(frozen=True, slots=True)
class Conclusion:
    """An alert to be raised. ``events`` are (time, id) of findings, oldest first; ``last_us``: when the last one happened.

    ``reached_us`` is when the one happened by which the threshold was reached: more findings can only make that earlier.
    """

    key: Key
    version: int
    severity: int
    title: str
    count: int
    events: Sequence[tuple[int, str]]
    last_us: int
    reached_us: int
    group: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    account: str = ""
    region: str = ""
    resources: Sequence[str] = ()
    correlation_id: str = ""


def subject(alert_id: str) -> str:
    """What an alert's facts are ordered by."""
    return f"alert/{alert_id}"


def raised(alert: Conclusion, *, run_id: str = "", notify: bool = True) -> Envelope:
    """The fact that an alert is raised: live, or ``backfilled`` by a run."""
    key = alert.key
    window = {"since_us": key.time_us, "until_us": key.time_us + key.length_us} if key.length_us else None
    named = [event for _, event in alert.events[:MOST_NAMED]]
    body = {
        "alert_id": key.alert_id,
        "rule_id": key.rule_id,
        "rule_version": alert.version,
        "title": alert.title,
        "labels": dict(alert.labels),
        "group": dict(alert.group),
        "window": window,
        "count": alert.count,
        "event_ids": named,
        "last_us": alert.last_us,
        "reached_us": alert.reached_us,
        "backfilled": bool(run_id),
        "run_id": run_id,
        "notify": notify,
    }
    return _fact(
        key.raised_id,
        _RAISED,
        key.time_us,
        key.alert_id,
        body,
        severity=alert.severity,
        summary=alert.title[:512],
        account=alert.account,
        region=alert.region,
        resources=tuple(alert.resources),
        correlation_id=alert.correlation_id or named[0],
        causation_id=named[0],
    )


def resolved(alert_id: str, time_us: int, cause: str) -> Envelope:
    """The fact that the finding ``cause``, of this time, closes an alert."""
    body = {"alert_id": alert_id, "revision": 0, "by": "", "event_id": cause}
    fact_id = derived_id(time_us, "alert.resolved", alert_id, cause)
    return _fact(fact_id, "alert.resolved", time_us, alert_id, body, summary="Alert resolved by a finding", causation_id=cause)


def withdrawn(alert_id: str, version: int, run_id: str, *, time_us: int) -> Envelope:
    """The fact that a run by this version does not find an alert. ``time_us`` is when the run began."""
    body = {"alert_id": alert_id, "rule_version": version, "run_id": run_id}
    fact_id = derived_id(time_us, "alert.withdrawn", alert_id, run_id)
    return _fact(fact_id, "alert.withdrawn", time_us, alert_id, body, summary=f"Alert withdrawn by version {version} of its rule")


def reinstated(alert_id: str, run_id: str, *, time_us: int) -> Envelope:
    """The fact that a run finds an alert that was withdrawn. ``time_us`` is when the run began."""
    body = {"alert_id": alert_id, "revision": 0, "by": "", "run_id": run_id}
    fact_id = derived_id(time_us, "alert.reopened", alert_id, run_id)
    return _fact(fact_id, "alert.reopened", time_us, alert_id, body, summary="Alert found again by a run of its rule")


def _fact(
    fact_id: str,
    kind: str,
    time_us: int,
    alert_id: str,
    body: Mapping[str, object],
    *,
    summary: str,
    severity: int = 0,
    account: str = "",
    region: str = "",
    resources: tuple[str, ...] = (),
    correlation_id: str = "",
    causation_id: str = "",
) -> Envelope:
    return Envelope(
        id=fact_id,
        type=kind,
        version=1,
        time_us=time_us,
        source=SOURCE,
        account=account,
        region=region,
        subject=subject(alert_id),
        severity=severity,
        summary=summary,
        resources=resources,
        source_id="",
        correlation_id=correlation_id,
        causation_id=causation_id,
        body=orjson.dumps(body),
    )
