"""From a notice and the events that the log still holds of it to a message: what is named, and where its links lead.

Pure. Which events are to be fetched says ``named``: of a thousand that a digest tells of, a few.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from consumers.notifier.channels.port import Message
from consumers.notifier.messages.words import body_of, said
from consumers.notifier.notice import DIGEST, Cause, Notice
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS

MOST_NAMED: Final = 20
"""Events that a message names, the worst first; the others are counted."""
MOST_NAMED_OF_DIGEST: Final = 5

_LONGEST_LINK: Final = 2000
"""Characters of an address; browsers and mail programs take at least so many."""
_EACH: Final = ("source", "type", "kind", "account", "rule")
"""The fields by which events of one group are silenced, if they are the same in all that are named."""


def named(notice: Notice) -> list[Cause]:
    """The events that a message about ``notice`` names: what fires before what is over, the worst first, then the newest."""
    most = MOST_NAMED_OF_DIGEST if notice.key.route == DIGEST else MOST_NAMED
    causes = {cause.event_id: cause for cause in (*notice.still, *notice.causes)}
    return sorted(causes.values(), key=lambda cause: (cause.resolved, -cause.severity, -cause.time_us, cause.event_id))[:most]


def message_of(notice: Notice, events: Mapping[str, Envelope], console_url: str, *, zone: str = "UTC") -> Message:
    """The message about ``notice``. ``events`` holds by id those of ``named(notice)`` that the log holds."""
    told = tuple((events[cause.event_id], cause.resolved) for cause in named(notice) if cause.event_id in events)
    base = console_url.rstrip("/")
    return Message(
        notice=notice,
        told=told,
        more=max(_count(notice) - len(told), 0),
        link=_link(notice, told, base),
        silence=_silence([] if notice.key.route == DIGEST else [event for event, _ in told], base),
        zone=zone,
    )


def _count(notice: Notice) -> int:
    """How many events the group had, as far as anybody counted."""
    return max(notice.firing + notice.resolved, len({cause.event_id for cause in (*notice.causes, *notice.still)}))


def _link(notice: Notice, told: Sequence[tuple[Envelope, bool]], base: str) -> str:
    """To the events of the time that the notice spans, of the account and source that those named have in common."""
    times = [cause.time_us for cause in (*notice.causes, *notice.still)]
    common = _common([event for event, _ in told])
    asked = {
        "source": common.get("source", "") if notice.key.route != DIGEST else "",
        "account": common.get("account", "") if notice.key.route != DIGEST else "",
        "from": str(min(times) // MICROSECONDS) if times else "",
        "to": str(max(times) // MICROSECONDS + 1) if times else "",
    }
    query = urlencode({name: value for name, value in asked.items() if value})
    return f"{base}/events?{query}" if query else f"{base}/events"


def _silence(events: Sequence[Envelope], base: str) -> str:
    """To the form of a new silence, filled in with what would match these; empty if that is too long for an address."""
    fields = _precise(events[0]) if len(events) == 1 else _common(events)
    query = urlencode([("matcher", f"{name}={_exactly(value)}") for name, value in fields.items() if value])
    address = f"{base}/silences/new"
    return f"{address}?{query}" if 0 < len(query) <= _LONGEST_LINK else address


def _exactly(value: str) -> str:
    """``value`` as a matcher's pattern that nothing else matches."""
    return "".join(f"\\{char}" if char in "\\*?|" else char for char in value)


def _common(events: Sequence[Envelope]) -> Mapping[str, str]:
    each = [_fields(event) for event in events]
    return {name: each[0][name] for name in _EACH if each and len({fields[name] for fields in each}) == 1}


def _precise(event: Envelope) -> Mapping[str, str]:
    """What tells this one from others: an alert's rule and group, an alarm's name, else where it came from and its resource."""
    body, fields = body_of(event), _fields(event)
    if fields["rule"]:
        group = body.get("group")
        return {"rule": fields["rule"], **{f"group.{name}": said(value) for name, value in _items(group)}}
    if fields["kind"] == "cloudwatch_alarm":
        return {"subject": event.subject}
    return {**fields, "resource": event.resources[0] if event.resources else ""}


def _fields(event: Envelope) -> dict[str, str]:
    body = body_of(event)
    kind = said(body.get("kind")) if event.type == "finding.observed" else ""
    rule = said(body.get("rule_id")) if event.type.startswith(("alert.", "rule.")) else ""
    shown = event.type if not kind else ""
    return {"source": event.source, "type": shown, "kind": kind, "account": event.account, "rule": rule}


def _items(group: object) -> Iterator[tuple[str, str]]:
    if isinstance(group, dict):
        yield from group.items()
