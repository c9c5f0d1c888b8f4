"""The port of a channel: one request, one answer.

Retrying: none in here. A sender makes at most one request a call and never sleeps; who calls decides about another.
Time:     a call ends within the sender's time-out for each step (connect, send, receive).
Secrets:  an answer holds no part of the channel's address.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeAlias

from consumers.notifier.notice import Notice
from schemas.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Delivered:
    """The channel has the message."""


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Too much just now; the message was not taken. ``wait_seconds``: as the channel asked, None if it did not say."""

    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message. ``detail`` is a few words, for people."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The channel did not do its work. ``unsure``: it may have taken the message all the same."""

    detail: str
    unsure: bool


@dataclass(frozen=True, slots=True)
class Rate:
    """A token bucket: ``per_second`` tokens a second, at most ``burst`` at once; each request takes one."""

    per_second: float = 1.0
    burst: int = 1


Payload: TypeAlias = Mapping[str, Any]
"""A message as some kind of channel takes it."""

Answer = Delivered | RateLimited | Refused | Unavailable


@dataclass(frozen=True, slots=True)
class Message:
    """What a notice is to say.

    ``told`` are those of its events that are named, the worst first, each with whether it is over; ``more`` counts the others.
    ``link`` leads to a page about all of it, ``silence`` to one where it can be silenced, "" if all of it is over. ``zone`` is
    the readers' time zone. ``raised`` are, by subject, the events that raised the alerts of which later events are told.
    ``is_trial``: it tells of no event that there is, so that nothing leads to one.
    ``late``: it was decided so long ago that things may have changed since.
    """

    notice: Notice
    told: tuple[tuple[Envelope, bool], ...]
    more: int
    link: str
    silence: str
    zone: str = "UTC"
    late: bool = False
    raised: Mapping[str, Envelope] = field(default_factory=dict)
    is_trial: bool = False


class Channel(Protocol):
    """One channel: how messages look there, and how they get there. Called by one thread at a time."""

    @property
    def kind(self) -> str:
        """slack, email or webhook."""
        ...

    @property
    def pace(self) -> Rate:
        """How fast it may be sent to."""
        ...

    def render(self, message: Message) -> Payload:
        """The message as this channel takes it. Pure. Raises ``Unrenderable``."""
        ...

    def send(self, payload: Payload) -> Answer:
        """Make one request with it."""
        ...
