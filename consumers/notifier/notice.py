"""A notice: one message to one channel, from the decision to what became of it.

    pending ──► sending ──► sent
       ▲           ├──────► failed (a dead letter; redrive makes it pending again)
       └───────────┘ retry
    suppressed: never to be sent, with the reason

Identity: ``Key``. It derives from route and event, so that deciding twice about an event gives one notice.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import NamedTuple, Self

from pipeline.log.port import Position
from schemas.identity import MICROSECONDS


class State(StrEnum):
    """Where a notice is in its life."""

    PENDING = "pending"
    SENDING = "sending"
    """A request may be out. Found so at a start, its outcome is unknown."""
    SENT = "sent"
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """Why a notice is as it is."""

    ROUTE_MATCHED = "route_matched"
    NO_WEBHOOK = "no_webhook"
    """The channel has no webhook: nothing can be sent."""
    DELIVERED = "delivered"
    OUTCOME_UNKNOWN = "outcome_unknown"
    """A send may or may not have arrived (a crash, a time-out): it is sent again, and marked so."""
    RATE_LIMITED = "rate_limited"
    UNAVAILABLE = "unavailable"
    """The channel could not be reached, or answered with an error of its own; it is tried again."""
    REFUSED = "refused"
    """The channel will not take this message, however often it is sent."""
    GAVE_UP = "gave_up"
    """Tried for as long as the retry policy allows."""
    CHANNEL_REMOVED = "channel_removed"
    """The channel is no longer configured, or lost its webhook, before the notice went out."""
    EVENT_MISSING = "event_missing"
    """The log no longer holds the event."""
    UNRENDERABLE = "unrenderable"
    """The template failed on the event."""
    REDRIVEN = "redriven"
    """A person sent a dead letter on its way again."""


class Key(NamedTuple):
    """What tells a notice apart: its route, its group in that route, and which of the group's messages it is (from 0).

    For now each event is a group of its own: ``group`` is the event id, ``flush`` is 0.
    """

    route: str
    group: str
    flush: int = 0

    def __str__(self) -> str:
        """``route/group/flush``, the form in which people pass a key on."""
        return f"{self.route}/{self.group}/{self.flush}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ``ValueError`` naming the accepted form."""
        route, _, rest = text.partition("/")
        group, _, flush = rest.rpartition("/")
        if not (route and group and flush.isascii() and flush.isdigit()):
            message = f"notice {text!r} is not of the form route/group/flush, for example findings/1700000000-…/0"
            raise ValueError(message)
        return cls(route, group, int(flush))


class Cause(NamedTuple):
    """An event that a notice tells of, and where the log holds it."""

    event_id: str
    position: Position

    @property
    def time_us(self) -> int:
        """When the event happened, to the second, which its id tells."""
        return int(self.event_id.partition("-")[0]) * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as the ledger holds it. Times are microseconds since the epoch, UTC.

    ``attempt`` counts the requests made. ``unsure``: the outcome of an earlier one is unknown, so the next may be a repeat.
    ``detail`` is a few words about the last outcome, free of secrets.
    """

    key: Key
    channel: str
    causes: tuple[Cause, ...]
    state: State
    reason: Reason
    decided_us: int
    due_us: int
    changed_us: int
    first_attempt_us: int | None = None
    attempt: int = 0
    unsure: bool = False
    detail: str = ""

    def attempted(self, now_us: int) -> Self:
        """The notice as a request about it goes out."""
        first_us = now_us if self.first_attempt_us is None else self.first_attempt_us
        return replace(self, state=State.SENDING, attempt=self.attempt + 1, first_attempt_us=first_us, changed_us=now_us)
