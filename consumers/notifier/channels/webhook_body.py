"""What a webhook posts: the notice and its events as JSON, for programs. ``docs/webhook.schema.json`` is this, exported.

Additive: new members may come; a receiver lets pass what it does not know.
Bounds:   at most twenty events, and every text is cut, so that a body stays below 128 KiB.
"""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from consumers import palette
from consumers.notifier.channels.port import Message
from consumers.notifier.messages.card import Card
from consumers.notifier.messages.message import count_of
from consumers.notifier.messages.story import Story
from consumers.notifier.messages.text import shorten
from schemas.envelope import Envelope

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_TEXT: Final = 500
_LONG_TEXT: Final = 2000
_MOST: Final = 50
"""Rows of a report's count, and of a digest's."""

Severity: TypeAlias = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
Time: TypeAlias = Annotated[str, Field(description="UTC, RFC 3339.", examples=["2026-01-31T09:00:00.000000Z"])]


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True)


class Told(_Part):
    """An event that the notice tells of. ``resolved``: what it tells of is over."""

    id: str
    type: str
    time: Time
    source: str
    account: str
    region: str
    subject: str
    resources: Annotated[list[str], Field(description="The first five.")]
    severity: Severity
    resolved: bool
    title: str
    text: str
    link: str


class Counted(_Part):
    """How many events of a digest are of a kind and a severity, and whether they are over."""

    kind: str
    severity: Severity
    resolved: bool
    events: int


class Data(_Part):
    """The notice. ``reason`` says why it was decided, ``path`` names the routes from the root on, ``group`` is its group."""

    key: Annotated[str, Field(description="Tells the notice apart: route/group/flush.")]
    channel: str
    route: str
    group: str
    path: list[str]
    reason: str
    severity: Severity
    title: str
    firing: Annotated[int, Field(description="How many of the group's events fire; the notice may name fewer.")]
    resolved: Annotated[int, Field(description="How many of the group's events are over.")]
    may_be_a_repeat: Annotated[bool, Field(description="Whether it arrived before is not known; its webhook-id is the same.")]
    events: Annotated[list[Told], Field(description="The worst first, at most twenty.")]
    more: Annotated[int, Field(description="How many events are not named.")]
    counts: Annotated[list[Counted], Field(description="Of a digest: all its events.")]
    report: Annotated[dict[str, Any] | None, Field(description="Of a daily report: the body of report.issued, lists cut.")]
    link: str
    silence: Annotated[str, Field(description="A page on which it can be silenced; empty if it cannot.")]


class Body(_Part):
    """The whole, laid out as Standard Webhooks asks. ``timestamp`` is when it was decided."""

    type: Literal["notice"]
    timestamp: Time
    data: Data


def body_of(message: Message, story: Story) -> Body:
    """``message`` for programs; ``story`` is the same in words."""
    notice = message.notice
    report = story.cards[0].report if story.cards else None
    data = Data(
        key=_cut(str(notice.key), _LONG_TEXT),
        channel=notice.channel,
        route=_cut(notice.key.route),
        group=_cut(notice.key.group, _LONG_TEXT),
        path=[_cut(name) for name in notice.path],
        reason=notice.why,
        severity=_word(max([notice.severity, *(card.severity for card in story.cards)])),
        title=_cut(story.title),
        firing=notice.firing,
        resolved=notice.resolved,
        may_be_a_repeat=notice.unsure,
        events=[
            _told(event, message.raised.get(event.subject, event), card)
            for (event, _), card in zip(message.told, story.cards, strict=True)
        ],
        more=max(count_of(notice) - len(message.told), 0),
        counts=[
            Counted(kind=_cut(c.kind), severity=_word(c.severity), resolved=c.resolved, events=c.events)
            for c in notice.counts[:_MOST]
        ],
        report=_bounded(report.body()) if report else None,
        link=story.link,
        silence=story.silence,
    )
    return Body(type="notice", timestamp=_rfc3339(notice.decided_us), data=data)


def _told(event: Envelope, shown: Envelope, card: Card) -> Told:
    return Told(
        id=_cut(event.id),
        type=_cut(event.type),
        time=_rfc3339(event.time_us),
        source=_cut(event.source),
        account=_cut(shown.account),
        region=_cut(shown.region),
        subject=_cut(event.subject, _LONG_TEXT),
        resources=[_cut(resource) for resource in card.resources],
        severity=_word(card.severity),
        resolved=card.over,
        title=_cut(card.title),
        text=_cut(card.prose or card.code, _LONG_TEXT),
        link=card.link,
    )


def _word(severity: int) -> Severity:
    word: Severity = palette.tone(severity).word  # type: ignore[assignment]
    return word


def _cut(text: str, limit: int = _TEXT) -> str:
    return shorten(text, limit)[0]


def _rfc3339(time_us: int) -> str:
    """Of what is no time the epoch."""
    try:
        return f"{_EPOCH + timedelta(microseconds=time_us):%Y-%m-%dT%H:%M:%S.%fZ}"
    except OverflowError:
        return _rfc3339(0)


def _bounded(value: Any) -> Any:
    """JSON with short texts, and objects and lists of few members."""
    match value:
        case str():
            return _cut(value)
        case dict():
            return {_cut(name): _bounded(each) for name, each in list(value.items())[:_MOST]}
        case list() | tuple():
            return [_bounded(each) for each in value[:_MOST]]
        case _:
            return value
