"""What a template may say about an event: texts only, cleaned, of a shape that no source can upset.

Anything may stand in a body: facts may be missing, of the wrong type, or no object at all. A template never sees that: each
fact is a text, "" where there is nothing to say. Escaping is not done here but where texts enter a message.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

import orjson

from consumers import palette
from consumers.notifier.decide import GENERIC
from consumers.notifier.routes import ALERT, FINDING, REPORT, SWITCHED_OFF
from consumers.notifier.text import clean, line
from consumers.palette import Tone
from consumers.reports import daily
from consumers.reports.daily import DailyReport
from schemas.envelope import Envelope

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_EXACT: Final = 2**53
_LISTED: Final = 10
_LABELS: Final = 6
_LONGEST_ID: Final = 128
_RESOURCES: Final = 5
_LONGEST_FACT: Final = 20_000

_TEMPLATES: Final = {
    "cloudwatch_alarm": "alarm",
    "guardduty": "guardduty",
    "health": "health",
    "cloudformation": "cloudformation",
    "agent_logs": "log_errors",
    "securityhub": "securityhub",
}
_OF_TYPE: Final = {ALERT: "alert", SWITCHED_OFF: "rule_off"}
_RESOLVED: Final = {
    "cloudwatch_alarm": ("state", {"OK"}),
    "health": ("status", {"CLOSED"}),
    "securityhub": ("workflow", {"RESOLVED"}),
}
"""Per kind the fact, and its values, that say that all is well again."""


class Facts:
    """The facts of an event as texts. A fact that is missing is "", so a template may name any."""

    __slots__ = ("_texts",)

    def __init__(self, facts: Any) -> None:
        found = facts if isinstance(facts, dict) else {}
        self._texts = {name: said(value) for name, value in found.items()}

    def __getitem__(self, name: str) -> str:
        """The fact as text."""
        return self._texts.get(name, "")

    def others(self, known: Iterable[str]) -> list[tuple[str, str]]:
        """All facts that are not ``known``, with names for people, in the order of the body."""
        hidden = set(known)
        return [(said(name.replace("_", " ")).capitalize(), text) for name, text in self._texts.items() if name not in hidden]


@dataclass(frozen=True, slots=True)
class View:
    """What all templates share. ``where`` are the fields that every message ends with.

    ``link`` leads to the finding's page, of an alert to that of its first finding, and to the first page for what has none.
    ``labels`` are, of an alert, the values of its group and its labels, the first few of each.
    """

    template: str
    tone: Tone
    event_id: str
    event_type: str
    link: str
    time: str
    summary: str
    where: list[tuple[str, str]]
    resources: Sequence[str]
    """The first few."""
    more_resources: int
    facts: Facts
    labels: list[tuple[str, str]]
    detail_type: str
    report: DailyReport | None


def view(event: Envelope, console_url: str) -> View:
    """``event`` for templates. A version of it that is not known yet is told by its header alone."""
    body = body_of(event) if event.version == 1 else {}
    kind = body.get("kind") if event.type == FINDING else None
    facts = _facts(event, body)
    report = daily.read(body) if event.type == REPORT else None
    template = _TEMPLATES.get(kind, GENERIC) if isinstance(kind, str) else _OF_TYPE.get(event.type, GENERIC)
    return View(
        template="daily_report" if report else template,
        tone=_tone(event, kind, facts),
        event_id=event.id,
        event_type=event.type,
        link=f"{console_url.rstrip('/')}/{_page(event, body)}",
        time=utc(event.time_us),
        summary=said(event.summary),
        where=[
            ("Account", said(event.account)),
            ("Region", said(event.region)),
            ("Source", said(event.source)),
            ("Time", utc(event.time_us)),
        ],
        resources=[text for text in map(said, event.resources[:_RESOURCES]) if text],
        more_resources=max(0, len(event.resources) - _RESOURCES),
        facts=facts,
        labels=[*_pairs(body.get("group")), *_pairs(body.get("labels"))] if event.type == ALERT else [],
        detail_type=said(body.get("detail_type")),
        report=report,
    )


def body_of(event: Envelope) -> dict[str, Any]:
    """The body of ``event``; empty if it is no JSON object."""
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def said(value: Any) -> str:
    """``value``, which is JSON, in words: whole numbers without a point, lists with commas, an object as JSON."""
    match value:
        case None:
            return ""
        case str():
            return clean(value[:_LONGEST_FACT])
        case bool() | int() | float():
            return _number(value)
        case list():
            shown = ", ".join(filter(None, (_json(each) if isinstance(each, list) else said(each) for each in value[:_LISTED])))
            return f"{shown} and {len(value) - _LISTED} more" if len(value) > _LISTED else shown
        case _:
            return _json(value)


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT:
        return str(int(value))
    return str(value)


def _json(value: Any) -> str:
    try:
        return clean(orjson.dumps(value).decode()[:_LONGEST_FACT])
    except TypeError:
        return "(nested too deeply)"


def utc(time_us: Any) -> str:
    """A time in words, to the second; "" for what is no time."""
    if not isinstance(time_us, int) or isinstance(time_us, bool):
        return ""
    try:
        return f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%d %H:%M:%S} UTC"
    except OverflowError:
        return ""


def _page(event: Envelope, body: Mapping[str, Any]) -> str:
    """The page of a finding: the event itself, or the one that it came of."""
    if event.type == FINDING:
        shown = event.id
    elif event.type == ALERT:
        shown = event.causation_id
    else:
        shown = said(body.get("event_id"))[:_LONGEST_ID] if event.type == SWITCHED_OFF else ""
    return f"events/{quote(shown, safe='')}" if shown else ""


def _pairs(told: Any) -> list[tuple[str, str]]:
    """The first few names and values of an object."""
    return [(said(name), said(value)) for name, value in list(told.items())[:_LABELS]] if isinstance(told, dict) else []


def _facts(event: Envelope, body: Mapping[str, Any]) -> Facts:
    match event.type:
        case "finding.observed":
            return Facts(body.get("facts"))
        case "agent.deployed":
            return Facts({name: body.get(name) for name in ("status", "version", "reason")})
        case "agent.went_silent":
            return Facts({"last heartbeat": utc(body.get("last_heartbeat_us"))})
        case "alert.raised":
            return Facts(_of_alert(body))
        case "rule.switched_off":
            return Facts({**{name: body.get(name) for name in ("reason", "detail", "event_id")}, "rule": _rule(body, "version")})
        case _:
            return Facts({})


def _of_alert(body: Mapping[str, Any]) -> dict[str, Any]:
    window = body.get("window")
    bounds = [utc(window.get(name)) for name in ("since_us", "until_us")] if isinstance(window, dict) else []
    return {
        "title": body.get("title"),
        "rule": _rule(body, "rule_version"),
        "count": body.get("count"),
        "window": " to ".join(filter(None, bounds)),
        "last": utc(body.get("last_us")),
        "run": body.get("run_id") if body.get("backfilled") else None,
    }


def _rule(body: Mapping[str, Any], version: str) -> str:
    number = said(body.get(version))
    return said(body.get("rule_id")) + (f", version {number}" if number else "")


def _tone(event: Envelope, kind: Any, facts: Facts) -> Tone:
    if event.type == REPORT:
        return palette.REPORT
    return palette.RESOLVED if _is_resolved(kind, facts) else palette.tone(event.severity)


def _is_resolved(kind: Any, facts: Facts) -> bool:
    name, values = _RESOLVED.get(kind, ("", set())) if isinstance(kind, str) else ("", set())
    return bool(name) and line(facts[name]).upper() in values
