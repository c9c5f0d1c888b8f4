"""From a notice and the events that the log still holds of it to a message: what is named, and where its links lead.

Pure. Which events are to be fetched says ``named``: of a thousand that a digest tells of, a few.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import urlencode

from consumers.notifier.channels.port import Message
from consumers.notifier.groups.naming import PAIR
from consumers.notifier.item import RAISED, Item, of
from consumers.notifier.notice import DIGEST, Cause, Notice
from consumers.notifier.routing.tree import Fields
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS

MOST_NAMED: Final = 20
"""Events that a message names, the worst first; the others are counted."""
MOST_NAMED_OF_DIGEST: Final = 5

_LONGEST_QUERY: Final = 1500
"""Characters of what a link asks: with it, an address stays below 2,000, which everything takes."""
_MEANS_MORE: Final = frozenset('\\*?|="~')
"""Characters of a value that matchers take for more than themselves, somewhere."""
_NAME: Final = re.compile(r"[^\s=!<>]+")
_EACH: Final = ("source", "type", "kind", "account", "rule")
"""The fields by which events of one group are silenced, with those that the group is made by, if all that are named agree."""
_FEW: Final = 5
"""Things that last and are silenced by their subjects."""


def named(notice: Notice) -> list[Cause]:
    """The events that a message about ``notice`` names: what fires before what is over, the worst first, then the newest."""
    most = MOST_NAMED_OF_DIGEST if notice.key.route == DIGEST else MOST_NAMED
    causes = {cause.event_id: cause for cause in (*notice.still, *notice.causes)}
    return sorted(causes.values(), key=lambda cause: (cause.resolved, -cause.severity, -cause.time_us, cause.event_id))[:most]


def message_of(notice: Notice, events: Mapping[str, Envelope], console_url: str, *, zone: str = "UTC") -> Message:
    """The message about ``notice``.

    ``events`` holds by id those of ``named(notice)`` that the log holds, and those that raised the alerts among them.
    """
    told = tuple((events[cause.event_id], cause.resolved) for cause in named(notice) if cause.event_id in events)
    base = console_url.rstrip("/")
    raised = {event.subject: event for event in events.values() if event.type == RAISED}
    items = [] if notice.key.route == DIGEST else _items(notice, told, raised)
    firing = [item for item, (_, over) in zip(items, told, strict=True) if item and not over] if items else []
    return Message(
        notice=notice,
        told=told,
        more=max(count_of(notice) - len(told), 0),
        link=_link(notice, _common([item.fields for item in items if item]), base),
        silence="" if told and all(over for _, over in told) else _silence(firing, notice, base),
        zone=zone,
        raised=raised,
    )


def count_of(notice: Notice) -> int:
    """How many events the group had, as far as anybody counted."""
    counted = sum(count.events for count in notice.counts)
    return max(counted, notice.firing + notice.resolved, len({cause.event_id for cause in (*notice.causes, *notice.still)}))


def _items(notice: Notice, told: Sequence[tuple[Envelope, bool]], raised: Mapping[str, Envelope]) -> Sequence[Item | None]:
    """What is told as matchers see it: an alert as it was raised."""
    where = {cause.event_id: cause.position for cause in (*notice.causes, *notice.still)}
    return [of(raised.get(event.subject, event), where[event.id]) for event, _ in told]


def _link(notice: Notice, common: Fields, base: str) -> str:
    """To the events of the time that the notice spans, of the account and source that those named have in common."""
    times = [cause.time_us // MICROSECONDS for cause in (*notice.causes, *notice.still)]
    span = {"from": str(min(times)), "to": str(max(times) + 1)} if times else {}
    asked = {"source": common.get("source", ""), "account": common.get("account", ""), **span}
    query = urlencode({name: value for name, value in asked.items() if value}, errors="replace")
    query = query if len(query) <= _LONGEST_QUERY else urlencode(span)
    return f"{base}/events?{query}" if query else f"{base}/events"


def _silence(items: Sequence[Item], notice: Notice, base: str) -> str:
    """To the form of a new silence, filled in with what would match these; empty if that is too long for an address."""
    grouped = [name for name, _ in PAIR.findall(notice.key.group) if name != "severity"]
    common = _common([item.fields for item in items], grouped)
    address = f"{base}/silences/new"
    several = [] if len(items) > _FEW or count_of(notice) > _FEW else [_by_subjects(items)]
    for asked in [_of(_precise(items[0]))] if len(items) == 1 else [*several, _of(common)]:
        query = urlencode([("matcher", matcher) for matcher in asked], errors="replace")
        if 0 < len(query) <= _LONGEST_QUERY:
            return f"{address}?{query}"
    return address


def _of(fields: Fields) -> list[str]:
    return [f"{name}={_exactly(value)}" for name, value in fields.items() if value and _NAME.fullmatch(name)]


def _by_subjects(items: Sequence[Item]) -> list[str]:
    """A matcher for just these; none if their subjects do not come again, as those of moments and alerts."""
    if not all(item.is_lasting and item.fields.get("subject") and not item.fields.get("rule") for item in items):
        return []
    subjects = dict.fromkeys(_exactly(item.fields["subject"]) for item in items)
    return [f"subject={'|'.join(subjects)}"] if subjects else []


def _exactly(value: str) -> str:
    """``value`` as a matcher's pattern that nothing else matches."""
    return "".join(f"\\{char}" if char in _MEANS_MORE else char for char in value)


def _common(fields: Sequence[Fields], grouped: Sequence[str] = ()) -> Fields:
    """What events have in common, of what a group is silenced by; ``grouped`` are the fields that it is made by."""
    names = dict.fromkeys((*_EACH, *grouped))
    same = {name: fields[0].get(name, "") for name in names if fields and len({each.get(name, "") for each in fields}) == 1}
    return _terse(same)


def _terse(fields: Fields) -> Fields:
    """Without the type of what has a kind: that is a finding."""
    return {name: value for name, value in fields.items() if value and not (name == "type" and fields.get("kind"))}


def _precise(item: Item) -> Fields:
    """What tells this one from others: an alert's rule and group, what else lasts by its subject, a moment by its resource."""
    fields = item.fields
    if fields.get("rule"):
        return {name: value for name, value in fields.items() if name == "rule" or name.startswith("group.")}
    if item.is_lasting:
        return {"subject": fields.get("subject", "")}
    return _terse({name: fields.get(name, "") for name in (*_EACH, "resource")})
