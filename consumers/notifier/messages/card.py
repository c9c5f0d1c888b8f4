"""One event, told: what every channel says of it, however it says it.

Of anything that is not known yet, a newer version of a type or a new kind of finding, the header and the facts are told.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final
from urllib.parse import quote

from consumers import palette
from consumers.notifier.messages.kinds import FINDING, Told, told_of
from consumers.notifier.messages.text import line
from consumers.notifier.messages.words import Facts, body_of, moment, said
from consumers.palette import Tone
from consumers.reports import daily
from consumers.reports.daily import DailyReport
from schemas.envelope import Envelope

_RESOURCES: Final = 5
_LONGEST_ID: Final = 128


@dataclass(frozen=True, slots=True)
class Card:
    """An event for people. ``title`` is one line; ``prose`` may have several, ``code`` is shown as it stands.

    ``details`` are names and texts, of which none is empty, the ones that every card ends with among them. ``resources`` are
    the first few. ``link`` leads to the finding's page, of an alert to that of its first finding, and to the first page for
    what has none. A later event of an alert has title, severity, place and resources of the one that raised it, as far as
    that is known.
    """

    event_id: str
    severity: int
    tone: Tone
    label: str
    title: str
    prose: str
    quiet: str
    code: str
    details: Sequence[tuple[str, str]]
    resources: Sequence[str]
    more_resources: int
    link: str
    where: str
    over: bool
    report: DailyReport | None
    zone: str


def card(event: Envelope, console_url: str, *, zone: str = "UTC", over: bool = False, raised: Envelope | None = None) -> Card:
    """``event`` as a card, its times in ``zone``. ``over``: what it tells of has ended. ``raised`` raised the alert it is of."""
    body = body_of(event) if event.version == 1 else {}
    facts = Facts(body.get("facts")) if event.type == FINDING else Facts({})
    report = daily.read(body) if event.type == "report.issued" else None
    zone = said(body.get("zone")) or zone if report else zone
    shown = raised or event
    told = _report(report, zone) if report else told_of(event, body, facts, zone)
    if raised and raised is not event:
        told = _later(told, told_of(raised, body_of(raised) if raised.version == 1 else {}, Facts({}), zone))
    title = line(told.title)
    time = moment(event.time_us, zone)
    where = [("Account", said(shown.account)), ("Region", said(shown.region)), ("Source", said(event.source)), ("Time", time)]
    return Card(
        event_id=event.id,
        severity=shown.severity,
        tone=_tone(shown, over=over),
        label=told.label,
        title=title,
        prose=told.prose if told.prose != told.title else "",
        quiet=told.quiet,
        code=told.code,
        details=[(name, text) for name, text in ([] if report else [*told.details, *where]) if text],
        resources=[text for text in map(said, shown.resources[:_RESOURCES]) if text],
        more_resources=max(0, len(shown.resources) - _RESOURCES),
        link=f"{console_url.rstrip('/')}/{_page(shown, body)}",
        where=" · ".join(filter(None, (line(said(shown.account)), line(said(shown.region)), time))),
        over=over,
        report=report,
        zone=zone,
    )


def _later(told: Told, raised: Told) -> Told:
    """What is told of a later event of an alert: what it was raised as, and what happened to it."""
    return replace(raised, quiet=told.title, prose=told.prose, details=[*raised.details, *told.details])


def _report(report: DailyReport, zone: str) -> Told:
    return Told("Daily report", f"24 hours to {moment(report.window.until_us, zone)}")


def _tone(event: Envelope, *, over: bool) -> Tone:
    if event.type == "report.issued":
        return palette.REPORT
    return palette.RESOLVED if over else palette.tone(event.severity)


def _page(event: Envelope, body: Mapping[str, Any]) -> str:
    """The page of a finding: the event itself, or the one that it came of."""
    if event.type == FINDING:
        shown = event.id
    elif event.type == "alert.raised":
        shown = event.causation_id
    else:
        shown = said(body.get("event_id"))[:_LONGEST_ID] if event.type == "rule.switched_off" else ""
    return f"events/{quote(shown, safe='', errors='replace')}" if shown else ""
