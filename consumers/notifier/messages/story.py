"""A message in words, before any channel shapes it: its headline, its cards, what is counted, and why somebody gets it.

Single: one event is told, with all its details. Group: several, a line each. Digest: what was counted in a storm, and the worst.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final

from consumers import palette
from consumers.notifier.channels.port import Message
from consumers.notifier.groups.naming import PAIR
from consumers.notifier.messages.card import Card, card
from consumers.notifier.messages.kinds import noun
from consumers.notifier.messages.message import count_of
from consumers.notifier.messages.text import clean, line
from consumers.notifier.messages.words import moment, said
from consumers.notifier.notice import DIGEST, Cause, Count, Key, Notice, Reason
from consumers.palette import SEVERITIES, Tone
from schemas.identity import MICROSECONDS

_TOP: Final = 5
_WHY: Final = {
    Reason.NEWLY_FIRING: "this is new",
    Reason.NEWLY_RESOLVED: "something of this is over, the rest still fires",
    Reason.ALL_RESOLVED: "all of it that you were told is over",
    Reason.REPEATED: "it still fires, and you were last told a while ago",
    Reason.STORM: "more came than this channel can take one by one",
    Reason.REDRIVEN: "a person sent it on its way again",
}


class Shape(StrEnum):
    """How a message is laid out."""

    SINGLE = "single"
    GROUP = "group"
    DIGEST = "digest"


@dataclass(frozen=True, slots=True)
class Story:
    """What is told. ``counts`` are lists with a heading; ``more`` counts the events that no card names.

    ``why`` says in words why somebody gets it, and by which route; ``silence`` is "" where nothing can be silenced.
    """

    shape: Shape
    tone: Tone
    label: str
    title: str
    cards: Sequence[Card]
    more: int
    note: str
    counts: Sequence[tuple[str, Sequence[tuple[str, int]]]]
    why: str
    link: str
    silence: str
    resent: bool
    zone: str

    @property
    def card(self) -> Card:
        """The only card of a single one."""
        return self.cards[0]


def story_of(message: Message, console_url: str, zone: str = "") -> Story:
    """``message`` in words. ``zone``: the channel's own time zone, "" if it has none. At least one event is told, or counted."""
    notice, zone = message.notice, zone or message.zone
    cards = [
        card(event, console_url, zone=zone, over=over, raised=message.raised.get(event.subject)) for event, over in message.told
    ]
    if message.is_trial:
        cards = [replace(each, link=message.link) for each in cards]
    shape = _shape(message)
    single = shape is Shape.SINGLE
    return Story(
        shape=shape,
        tone=cards[0].tone if single else _tone(notice),
        label=cards[0].label if single else "Digest" if shape is Shape.DIGEST else "Group",
        title=cards[0].title if single else _digest_title(notice) if shape is Shape.DIGEST else _group_title(message),
        cards=cards,
        more=message.more,
        note=_note(notice, zone) if shape is not Shape.DIGEST else _digest_note(notice, zone),
        counts=_counts(notice) if shape is Shape.DIGEST else [],
        why=_why(message, zone, said_already=single and cards[0].report is not None),
        link=cards[0].link if single else message.link,
        silence="" if single and cards[0].report else message.silence,
        resent=notice.unsure,
        zone=cards[0].zone if single else zone,
    )


def _shape(message: Message) -> Shape:
    if message.notice.key.route == DIGEST:
        return Shape.DIGEST
    return Shape.SINGLE if len(message.told) == 1 and not message.more else Shape.GROUP


def _tone(notice: Notice) -> Tone:
    if notice.why is Reason.ALL_RESOLVED:
        return palette.RESOLVED
    return palette.tone(max([notice.severity, *(cause.severity for cause in _causes(notice))]))


def _causes(notice: Notice) -> list[Cause]:
    """Each event once, the newer word about it."""
    return list({cause.event_id: cause for cause in (*notice.still, *notice.causes)}.values())


def _group_title(message: Message) -> str:
    """``3 alarms, 2 resolved, in account 123456789012``."""
    notice, causes = message.notice, _causes(message.notice)
    over = max(notice.resolved, sum(cause.resolved for cause in causes))
    live = max(notice.firing, sum(not cause.resolved for cause in causes))
    if notice.why is Reason.ALL_RESOLVED:
        live, over = 0, over + live
    one, many = _noun(causes)
    counted = f"{live or over:,} {one if (live or over) == 1 else many}"
    if not live:
        return f"{counted} are over{_where(message)}"
    still = " still firing" if notice.why is Reason.REPEATED else ""
    ended = f", {over:,} resolved" if over else ""
    return f"{counted}{still}{ended}{_where(message)}"


def _where(message: Message) -> str:
    accounts = {line(said(event.account)) for event, _ in message.told}
    account = accounts.pop() if len(accounts) == 1 else ""
    sure = account and (not message.more or account in message.notice.key.group)
    return f" in account {account}" if sure else ""


def _noun(causes: Sequence[Cause]) -> tuple[str, str]:
    nouns = {noun(cause.kind) for cause in causes}
    return nouns.pop() if len(nouns) == 1 else ("event", "events")


def _note(notice: Notice, zone: str) -> str:
    if notice.why is not Reason.REPEATED:
        return ""
    firing = [cause.time_us for cause in _causes(notice) if not cause.resolved]
    return f"Firing since {moment(min(firing), zone)}." if firing else ""


def _digest_title(notice: Notice) -> str:
    return f"{count_of(notice):,} events at once"


def _digest_note(notice: Notice, zone: str) -> str:
    times = [cause.time_us for cause in _causes(notice)]
    span = f"From {moment(min(times), zone)} to {moment(max(times) + MICROSECONDS, zone)}." if times else ""
    over = f" {notice.resolved:,} of them are over." if notice.resolved else ""
    return f"{span}{over}".strip()


def _counts(notice: Notice) -> Sequence[tuple[str, Sequence[tuple[str, int]]]]:
    """By severity and kind all of them; resources are those of the causes that the notice still names."""
    causes = _causes(notice)
    counts = notice.counts or [Count(cause.kind, cause.severity, cause.resolved, 1) for cause in causes]
    severity, kind = Counter[int](), Counter[str]()
    for count in counts:
        severity[min(max(count.severity, 0), len(SEVERITIES) - 1)] += count.events
        kind[noun(count.kind)[1]] += count.events
    found = [
        ("By severity", [(f"{SEVERITIES[n].emoji} {SEVERITIES[n].word}", severity[n]) for n in sorted(severity, reverse=True)]),
        ("By kind", _ranked(kind)),
        (_top(notice, len(causes)), _ranked(Counter(line(clean(cause.resource)) for cause in causes))),
    ]
    return [(name, rows) for name, rows in found if rows]


def _top(notice: Notice, known: int) -> str:
    return "Top resources" if known >= count_of(notice) else f"Top resources of the worst {known:,}"


def _ranked(counts: Counter[str]) -> list[tuple[str, int]]:
    named = [(name, count) for name, count in counts.items() if name]
    return sorted(named, key=lambda pair: (-pair[1], pair[0]))[:_TOP]


def _group(key: Key) -> str:
    """``account=123456789012, kind=guardduty``; "" for what is a group of its own, and for a route's only one."""
    if key.route == DIGEST or "=" not in key.group or key.group.startswith("fingerprint="):
        return ""
    pairs = PAIR.findall(key.group)
    return clean(", ".join(f"{name}={value}" for name, value in pairs if value) or key.group)


def _why(message: Message, zone: str, *, said_already: bool) -> str:
    """``You get this because this is new, by route default → findings, for the group account=…``; "" if nobody decided it.

    What is late ends with ``It was to be told at …; things may have changed since``.
    """
    notice = message.notice
    late = f"It was to be told at {moment(notice.decided_us, zone)}; things may have changed since" if message.late else ""
    return ". ".join(filter(None, (_because(notice, said_already=said_already), late)))


def _because(notice: Notice, *, said_already: bool) -> str:
    sentence = "" if said_already else _WHY.get(notice.why, "")
    path = " → ".join(map(clean, notice.path))
    group = _group(notice.key)
    told = [
        f"because {sentence}" if sentence else "",
        f"by route {path}" if path else "",
        f"for the group {group}" if group else "",
    ]
    return f"You get this {', '.join(filter(None, told))}" if sentence or path else ""
