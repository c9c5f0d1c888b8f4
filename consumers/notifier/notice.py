"""A notice: one message to one channel, from the decision to what became of it.

    pending ──► sending ──► sent
       ▲           ├──────► failed (a dead letter; redrive makes it pending again)
       └───────────┘ retry
    pending ──► merged: it waited in a storm, and a digest tells of it; its fate is the digest's
    suppressed: not sent, with the reason

Identity: ``Key``.
"""

from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Final, NamedTuple, Self

from pipeline.log.port import Position
from schemas.identity import MICROSECONDS


class State(StrEnum):
    """Where a notice is in its life."""

    PENDING = "pending"
    SENDING = "sending"
    """A request may be out. Found so at a start, its outcome is unknown."""
    SENT = "sent"
    MERGED = "merged"
    """A digest tells of its events; ``Notice.merged_into`` says which."""
    FAILED = "failed"
    SUPPRESSED = "suppressed"


class Reason(StrEnum):
    """Why a notice is as it is."""

    ROUTE_MATCHED = "route_matched"
    NEWLY_FIRING = "newly_firing"
    """Something fires, or happened, that the group's last message did not tell."""
    NEWLY_RESOLVED = "newly_resolved"
    """Something that was told is over; other things fire on."""
    ALL_RESOLVED = "all_resolved"
    """Nothing fires any more of what the last message told."""
    REPEATED = "repeated"
    """Nothing new, but the last message is older than the route's ``repeat_interval``."""
    STORM = "storm"
    """More waited than the channel could take in time: one digest for all of it."""
    INHIBITED = "inhibited"
    """Something that fires makes this not worth telling."""
    OUT_OF_HOURS = "out_of_hours"
    """The route is muted, or not active, at this time."""
    SILENCED = "silenced"
    """Somebody silenced it."""
    ALREADY_TOLD = "already_told"
    """It fires on, and that was told."""
    RESOLVED_UNTOLD = "resolved_untold"
    """It was over before anybody was told that it fires."""
    NOT_FIRING = "not_firing"
    """It ends what fires for nobody."""
    IN_DIGEST = "in_digest"
    """A digest of the channel tells of it."""
    RESOLVED_UNWANTED = "resolved_unwanted"
    """It is over, and the route tells no ends (``send_resolved: false``)."""
    ROUTE_REMOVED = "route_removed"
    """The routing was changed while it waited: no route wants it any more, or one that does tells of it already."""
    NO_CHANNEL = "no_channel"
    """There is no such channel, or it has no address: nothing can be sent."""
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
    """The channel is no longer configured, or lost its address, before the notice went out."""
    EVENT_MISSING = "event_missing"
    """The log no longer holds the event."""
    UNRENDERABLE = "unrenderable"
    """The template failed on the event."""
    REDRIVEN = "redriven"
    """A person sent a dead letter on its way again."""


_MOST_DIGITS: Final = 18
"""Of a flush: fewer than any ledger can hold."""


_EXAMPLE: Final = 'threats/account="111122223333"/1700000000123'


class Key(NamedTuple):
    """What tells a notice apart: its route, its group in that route, and which of the group's messages it is.

    ``flush`` grows with every message of a group; it is when that was decided, in milliseconds since the epoch, or one more than
    the last one. A digest's route is ``DIGEST``, its group the channel.
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
        if not (route and group and flush.isascii() and flush.isdigit() and len(flush) <= _MOST_DIGITS):
            message = f"notice {text!r} is not of the form route/group/flush, for example {_EXAMPLE}"
            raise ValueError(message)
        return cls(route, group, int(flush))


class Count(NamedTuple):
    """How many ``events`` of a digest are of a kind and a severity, and whether they are over."""

    kind: str
    severity: int
    resolved: bool
    events: int


DIGEST: Final = "digest"
"""The route of digests; no other may have the name."""


class Cause(NamedTuple):
    """An event that a notice tells of, where the log holds it, and what counts of it in a summary.

    ``kind`` is the finding's kind, of others the event's type; ``resource`` the first one, "" if it names none. ``began`` is
    where the log holds what raised the alert that this is a later event of, None of everything else.
    """

    event_id: str
    position: Position
    severity: int = 0
    kind: str = ""
    resource: str = ""
    resolved: bool = False
    began: Position | None = None

    @property
    def time_us(self) -> int:
        """When the event happened, to the second, which its id tells."""
        return int(self.event_id.partition("-")[0]) * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Notice:
    """A notice as the ledger holds it. Times are microseconds since the epoch, UTC.

    ``attempt`` counts the requests made. ``unsure``: the outcome of an earlier one is unknown, so the next may be a repeat.
    ``detail`` is a few words about the last outcome, or why it is held, without secrets. ``severity`` is of the worst.
    ``causes`` are what it is sent for, ``still`` some that fire on; ``firing`` and ``resolved`` count all that the group had.
    ``why`` is the reason for which it was decided, ``reason`` tells of what happened to it last; ``path`` names the routes from
    the root to its own. ``counts`` are, of a digest, all its events, the most frequent first; ``causes`` are some of them.
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
    severity: int = 0
    why: Reason = Reason.ROUTE_MATCHED
    path: tuple[str, ...] = ()
    still: tuple[Cause, ...] = ()
    firing: int = 0
    resolved: int = 0
    merged_into: Key | None = None
    counts: tuple[Count, ...] = ()

    def attempted(self, now_us: int) -> Self:
        """The notice as a request about it goes out."""
        first_us = now_us if self.first_attempt_us is None else self.first_attempt_us
        return replace(self, state=State.SENDING, attempt=self.attempt + 1, first_attempt_us=first_us, changed_us=now_us)

    def renumbered(self) -> Self:
        """The notice under the next number of its group."""
        return replace(self, key=self.key._replace(flush=self.key.flush + 1))

    def merged(self, digest: Key, now_us: int) -> Self:
        """The notice once ``digest`` tells of it."""
        return replace(
            self, state=State.MERGED, reason=Reason.IN_DIGEST, detail=str(digest), merged_into=digest, changed_us=now_us
        )
