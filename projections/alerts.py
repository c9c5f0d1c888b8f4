"""Which alerts there are, how each stands, and what happened to it.

Key:    the alert (the event's subject, ``alert/<id>``).
Order:  none is needed. How an alert stands is told by the times of its events (ties by revision, id): its last raising,
        resolving, or reopening by people decides, whatever reached the log first; a withdrawal hides that until a run finds the
        alert again, or somebody reopens it. An event may come before the one that raises the alert.
Replay: folding the log again gives equal rows.

Documents: ``alert/<id>`` is the alert; ``history/<id>/<page>`` what happened to it, a page full at a time;
``newest//<time left>/<id>`` leads to it, newest first, with what never changes of it and is asked for.
"""

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Final, Literal

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from schemas.alerts import AlertAcknowledged, AlertRaised, AlertReopened, AlertResolved, AlertWithdrawn
from schemas.envelope import MAX_TIME_US, Envelope
from schemas.registry import REGISTRY

ALERTS: Final = "alert"
"""The kind of the documents that are alerts."""
NEWEST: Final = "newest"
"""The kind of those that lead to them, newest first."""
PAGE_ENTRIES: Final = 20
"""Of a history. An entry has 5 KB of characters at most, when somebody writes a long comment."""

_NEVER: Final = (-1, 0, "")

AlertStatus = Literal["open", "acknowledged", "resolved", "withdrawn"]
Told = AlertRaised | AlertAcknowledged | AlertResolved | AlertReopened | AlertWithdrawn


class Alerts:
    """The fold. A document holds, by what happened, the ``[time_us, revision, id]`` of the latest such event."""

    name: ClassVar[str] = "alerts"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {
        "alert.raised": 1,
        "alert.acknowledged": 1,
        "alert.resolved": 1,
        "alert.reopened": 1,
        "alert.withdrawn": 1,
    }

    def parking_key(self, batch: Batch, index: int) -> str:
        """An alert's later events wait behind one that cannot be folded."""
        return batch.columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold event by event."""
        documents = rows.documents(set(batch.columns.subject))
        documents |= rows.documents({_page(alert) for alert in documents.values()})
        for index, subject in enumerate(batch.columns.subject):
            event, recorded_us = batch.envelope(index), batch.recorded_us[index]
            body: Any = REGISTRY.parse(event)  # what is folded has one version
            alert = documents.setdefault(subject, {"id": body.alert_id, "raised": None, "revision": 0, "last": {}, "entries": 0})
            if isinstance(body, AlertRaised):
                if alert["raised"]:  # again, thirty days later: it says the same
                    continue
                alert["raised"] = _raised(body, event, recorded_us)
                documents[place(event.time_us, body.alert_id)] = _listed(alert)
            _keep_latest(alert, body, event)
            _remember(documents, alert, event, body, recorded_us)
        return Changes(documents=documents)


def place(time_us: int, alert_id: str = "") -> str:
    """Where an alert of this time stands among all, newest first; without an id, before all of this time."""
    return f"{NEWEST}//{MAX_TIME_US - time_us:018}/{alert_id}"


def _raised(body: AlertRaised, event: Envelope, recorded_us: int) -> Document:
    told = body.model_dump(mode="json", exclude={"alert_id"})
    header = {name: getattr(event, name) for name in ("time_us", "severity", "account", "region", "correlation_id")}
    return {**told, **header, "recorded_us": recorded_us, "event_id": event.id, "resources": list(event.resources)}


def _listed(alert: Document) -> Document:
    return {"id": alert["id"], **{name: alert["raised"][name] for name in ("rule_id", "severity", "account", "time_us")}}


def _what(body: Told) -> str:
    """What happened. That a run found an alert again is not what people mean by reopening it."""
    match body:
        case AlertRaised():
            return "raised"
        case AlertAcknowledged():
            return "acknowledged"
        case AlertResolved():
            return "resolved"
        case AlertReopened(run_id=run_id):
            return "found_again" if run_id else "reopened"
        case _:
            return "withdrawn"


def _keep_latest(alert: Document, body: Told, event: Envelope) -> None:
    what, revision = _what(body), getattr(body, "revision", 0)
    stamp = [event.time_us, revision, event.id]
    alert["last"][what] = max(stamp, alert["last"].get(what, stamp))
    alert["revision"] = max(revision, alert["revision"])


def _remember(documents: dict[str, Document], alert: Document, event: Envelope, body: Told, recorded_us: int) -> None:
    """Add to an alert's history."""
    entry = {
        "time_us": event.time_us,
        "recorded_us": recorded_us,
        "type": event.type,
        "id": event.id,
        "by": getattr(body, "by", ""),
        "comment": getattr(body, "comment", ""),
        "revision": getattr(body, "revision", 0),
        "cause": event.causation_id,
        "run_id": getattr(body, "run_id", ""),
        "rule_version": getattr(body, "rule_version", 0),
    }
    documents.setdefault(_page(alert), {"entries": []})["entries"].append(entry)
    alert["entries"] += 1


def _page(alert: Document) -> str:
    """Where the next entry of an alert's history stands."""
    return f"history/{alert['id']}/{alert['entries'] // PAGE_ENTRIES}"


def pages(alert: Document) -> Sequence[str]:
    """Where an alert's history stands, in the order in which it was told."""
    return [f"history/{alert['id']}/{number}" for number in range(-(-alert["entries"] // PAGE_ENTRIES))]


def status(last: Mapping[str, Sequence[Any]]) -> AlertStatus:
    """How an alert stands, from the latest ``(time_us, revision, id)`` of each thing that happened to it."""

    def latest(*kinds: str) -> tuple[int, int, str]:
        return max((time_us, revision, event_id) for kind in kinds for time_us, revision, event_id in [last.get(kind, _NEVER)])

    if latest("withdrawn") > latest("found_again", "reopened"):
        return "withdrawn"
    if latest("resolved") > latest("raised", "reopened"):
        return "resolved"
    return "acknowledged" if latest("acknowledged") > latest("raised", "reopened") else "open"
