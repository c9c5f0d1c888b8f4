"""An event as notifying sees it: what it is about, whether that fires, and what matchers may ask of it.

Lasting: what begins and ends: an alert, a CloudWatch alarm, a Health event, a finding of Security Hub. It fires until another
         event says that it is over. Its fingerprint is its subject, the same for all its events.
Moments: everything else: an error line, a stack's status, a report. It is told once; its fingerprint is the event's id. So are
         an alarm that has INSUFFICIENT_DATA, for that says neither that it fires nor that it does not, and an alarm whose
         configuration was changed; one that was deleted is over.
Fields:  ``type``, ``source``, ``kind``, ``severity`` (a word), ``account``, ``region``, ``subject``, ``resource`` (the first);
         ``rule`` of an alert, with ``label.<name>`` and ``group.<name>``; ``report`` of a report. What does not apply is missing.
         Of a value the first ``LONGEST`` characters count, so that whatever a source says fits into an item of the ledger.
Nothing: an event that is no item is told to nobody: facts about notifying itself, alerts that a run over history raised unless
         whoever ran it asked for notices, and types that tell how something is, not that something happened.
Sources: Amazon CloudWatch User Guide, "Alarm events and EventBridge"; AWS Health User Guide, "Reference: AWS Health events Amazon
         EventBridge schema" (``statusCode``: open, closed, upcoming); AWS Security Hub API Reference, "Workflow", "RecordState".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

import orjson

from consumers import palette
from consumers.notifier.notice import Cause
from pipeline.log.port import Position
from schemas.envelope import Envelope

FINDING: Final = "finding.observed"
RAISED: Final = "alert.raised"
REOPENED: Final = "alert.reopened"
REPORT: Final = "report.issued"
SWITCHED_OFF: Final = "rule.switched_off"
NAMED: Final = ("type", "source", "kind", "severity", "account", "region", "subject", "resource", "rule", "report")
"""The fields that items have, beside ``label.<name>`` and ``group.<name>``."""
PREFIXES: Final = ("label.", "group.")
LONGEST: Final = 2048
"""Characters of a field's value; as many as a matcher may have."""


class Turn(StrEnum):
    """What an event says of what it is about."""

    MOMENT = "moment"
    """It happened; there is no end to wait for."""
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has seen to it: it fires on, but is not repeated."""
    RESOLVED = "resolved"


TYPES: Final[Mapping[str, Turn]] = {
    FINDING: Turn.MOMENT,
    RAISED: Turn.FIRING,
    "alert.acknowledged": Turn.ACKNOWLEDGED,
    "alert.resolved": Turn.RESOLVED,
    REOPENED: Turn.FIRING,
    "alert.withdrawn": Turn.RESOLVED,
    SWITCHED_OFF: Turn.MOMENT,
    "agent.deployed": Turn.MOMENT,
    "agent.went_silent": Turn.MOMENT,
    REPORT: Turn.MOMENT,
}
"""The types of event that can be told, and what they say; of a finding its kind tells more."""

_OVER: Final = frozenset({"RESOLVED", "SUPPRESSED"})
"""States of a Security Hub finding's workflow in which nobody is to be told of it."""


@dataclass(frozen=True, slots=True)
class Item:
    """An event, read. ``at_us`` is when it happened. What ends something may know fewer ``fields`` than what began it."""

    fingerprint: str
    turn: Turn
    cause: Cause
    at_us: int
    fields: Mapping[str, str]

    @property
    def is_lasting(self) -> bool:
        """Whether it is about something that begins and ends."""
        return self.turn is not Turn.MOMENT


def of(event: Envelope, position: Position) -> Item | None:
    """What ``event``, which stands at ``position``, is to notifying; None if it is nothing. Any body will do: it never fails."""
    if event.type not in TYPES:
        return None
    body = _object(event.body)
    if event.type == RAISED and body.get("notify") is False:
        return None
    turn = _of_finding(body) if event.type == FINDING else TYPES[event.type]
    fields = _fields(event, body)
    kind = fields.get("kind", event.type)
    cause = Cause(event.id, position, event.severity, kind, fields.get("resource", ""), turn is Turn.RESOLVED)
    return Item(event.id if turn is Turn.MOMENT else event.subject, turn, cause, event.time_us, fields)


def _of_finding(body: Mapping[str, Any]) -> Turn:
    facts, raw = _sub(body, "facts"), _sub(body, "raw")
    match body.get("kind"):
        case "cloudwatch_alarm":
            return _of_alarm(_text(facts, "state"), _text(_sub(raw, "detail"), "operation"))
        case "health":
            return Turn.RESOLVED if _text(facts, "status").upper() == "CLOSED" else Turn.FIRING
        case "securityhub":
            over = _text(facts, "workflow").upper() in _OVER or _record_state(raw) == "ARCHIVED"
            return Turn.RESOLVED if over else Turn.FIRING
        case _:
            return Turn.MOMENT


def _of_alarm(state: str, operation: str) -> Turn:
    if operation:
        return Turn.RESOLVED if operation == "delete" else Turn.MOMENT
    return {"ALARM": Turn.FIRING, "OK": Turn.RESOLVED}.get(state, Turn.MOMENT)


def _record_state(raw: Mapping[str, Any]) -> str:
    """``RecordState`` of a finding of Security Hub, bare or the only one in an envelope."""
    several = _sub(raw, "detail").get("findings")
    finding = several[0] if isinstance(several, list) and several and isinstance(several[0], dict) else raw
    return _text(finding, "RecordState")


def _fields(event: Envelope, body: Mapping[str, Any]) -> dict[str, str]:
    given = {
        "type": event.type,
        "source": event.source,
        "kind": _text(body, "kind") if event.type == FINDING else "",
        "severity": palette.tone(event.severity).word,
        "account": event.account,
        "region": event.region,
        "subject": event.subject,
        "resource": event.resources[0] if event.resources else "",
        "rule": _text(body, "rule_id") if event.type in (RAISED, SWITCHED_OFF) else "",
        "report": _text(body, "report") if event.type == REPORT else "",
    }
    if event.type == RAISED:
        for prefix, member in zip(PREFIXES, ("labels", "group"), strict=True):
            given |= {f"{prefix}{name}": value for name, value in _sub(body, member).items() if isinstance(value, str)}
    return {name: value[:LONGEST] for name, value in given.items() if value}


def _object(body: bytes) -> Mapping[str, Any]:
    try:
        found = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    return found if isinstance(found, dict) else {}


def _sub(given: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = given.get(name)
    return found if isinstance(found, dict) else {}


def _text(given: Mapping[str, Any], name: str) -> str:
    found = given.get(name)
    return found if isinstance(found, str) else ""
