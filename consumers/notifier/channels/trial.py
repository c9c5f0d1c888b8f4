"""A message that nobody decided about: to see what an event would look like, and to try whether a channel works.

No ledger knows of it, and it makes no fact.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from consumers.notifier.channels.port import Answer, Channel, Delivered, Message, RateLimited
from consumers.notifier.item import of
from consumers.notifier.messages.message import message_of
from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from pipeline.log.port import Position
from schemas.envelope import Envelope
from schemas.identity import derived_id

_ROUTE: Final = "trial"
_SOURCE: Final = "monitoring.findstream"
_NOWHERE: Final = Position("", 0, 0)
_BODY: Final = b'{"kind":"generic","form":"eventbridge","detail_type":"Test","facts":{"title":"A test of this channel"},"raw":{}}'


@dataclass(frozen=True, slots=True)
class NoSuchChannel:
    """Nothing was sent: no channel is named so. ``known`` are those that there are."""

    known: Sequence[str]


@dataclass(frozen=True, slots=True)
class NoAddress:
    """Nothing was sent: the channel has no address."""


@dataclass(frozen=True, slots=True)
class Unopened:
    """Nothing was sent: the channels cannot be opened. The log of who tried tells why."""


Ended = Answer | NoSuchChannel | NoAddress | Unopened
"""What came of trying a channel by its name."""


def message_about(event: Envelope, console_url: str, *, channel: str = "") -> Message:
    """What a message about ``event`` alone would be."""
    item = of(event, _NOWHERE)
    cause = item.cause if item else Cause(event.id, _NOWHERE, event.severity)
    notice = Notice(
        key=Key(_ROUTE, event.id),
        channel=channel,
        causes=(cause,),
        state=State.PENDING,
        reason=Reason.ROUTE_MATCHED,
        decided_us=event.time_us,
        due_us=event.time_us,
        changed_us=event.time_us,
        severity=event.severity,
    )
    return message_of(notice, {event.id: event}, console_url)


def attempt(channel: Channel, name: str, console_url: str, now_us: int) -> Answer:
    """Send one test message, past the ledger. Raises ``Unrenderable``."""
    message = message_about(_test(name, now_us), console_url, channel=name)
    notifications = f"{console_url.rstrip('/')}/notifications"
    return channel.send(channel.render(replace(message, link=notifications, silence="", is_trial=True)))


def tried(channels: Mapping[str, Channel | None], name: str, console_url: str, now_us: int) -> Ended:
    """Send one test message to the channel of that name, past the ledger. Raises ``Unrenderable``."""
    if name not in channels:
        return NoSuchChannel(tuple(channels))
    channel = channels[name]
    return attempt(channel, name, console_url, now_us) if channel else NoAddress()


def in_words(answer: Answer) -> str:
    """What a channel answered, for people."""
    if isinstance(answer, Delivered):
        return "delivered"
    if isinstance(answer, RateLimited):
        return f"rate limited; wait {answer.wait_seconds or 'a few'} seconds"
    return answer.detail


def _test(name: str, now_us: int) -> Envelope:
    return Envelope(
        id=derived_id(now_us, "finding.observed", _SOURCE, "test", name),
        type="finding.observed",
        version=1,
        time_us=now_us,
        source=_SOURCE,
        account="",
        region="",
        subject="findstream/test",
        severity=0,
        summary="A test: if you can read this, findstream reaches this channel",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=_BODY,
    )
