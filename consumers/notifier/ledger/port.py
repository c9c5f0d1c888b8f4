"""The port of the ledger: the notifier's own memory, apart from every projection, so that no replay touches it.

Durability:  every method that writes, but for ``commit``, returns after its write is durable. It writes all or nothing; or, of
             more than the ledger can write at once, the first part: drafts come before the marks, and calling again completes it.
Writer:      one notifier at a time. ``claim`` fences whoever claimed before; with a stale token every write of a notifier raises
             ``LedgerTaken`` and changes nothing. Reading, ``redrive`` and ``retry`` need no token.
Intent:      ``intend`` is durable before the request goes out. A notice found ``sending`` by the next writer may or may not have
             arrived: ``recover`` makes it pending and unsure. A settled notice is never pending again but by ``redrive``.
Facts:       ``notice.*`` facts are kept with the outcome they tell of, in one write, and wait in the outbox until relayed.
Errors:      ``LedgerUnavailable`` from every method, for the while.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Protocol

from consumers.notifier.groups.state import Change, Group, Member
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline.log.port import Position
from schemas.envelope import Envelope


@dataclass(frozen=True, slots=True)
class Draft:
    """A notice as decided. ``fact`` goes to the outbox with it, if the notice is new."""

    notice: Notice
    fact: Envelope | None = None


@dataclass(frozen=True, slots=True)
class Tally:
    """How many notices of a channel are in a state."""

    channel: str
    state: State
    count: int


@dataclass(frozen=True, slots=True)
class Crowd:
    """Notices that are pending and have certainly not arrived: how many, and when the first and the last of them was decided.

    Both times are 0 if there are none.
    """

    count: int = 0
    first_us: int = 0
    last_us: int = 0


@dataclass(frozen=True, slots=True)
class Wanted:
    """A question to the ledger. None and empty strings do not filter; all filters must hold. ``after``: behind this notice."""

    state: State | None = None
    reason: Reason | None = None
    channel: str = ""
    event_id: str = ""
    after: Key | None = None
    limit: int = 50


class Ledger(Protocol):
    """What every ledger offers. Methods may be called from several threads, and by other processes those that need no token."""

    def claim(self) -> int:
        """Become the writer. Returns the token that every later write must show."""
        ...

    def begin(self, marks: Mapping[str, Position]) -> bool:
        """Set the live mark: what stands on the log up to it is never notified of. False, and no change, if it was set before."""
        ...

    def doubt(self, until_us: int) -> None:
        """This ledger was put back from a copy: what happened before ``until_us`` may have been told of since it was copied.

        Every notice that is not settled for good becomes unsure, and so do those decided later about events before ``until_us``.
        """
        ...

    def live_mark(self) -> Mapping[str, Position] | None:
        """What ``begin`` was told; None before it. What stands up to it was never decided."""
        ...

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided; None before ``begin``. A shard that is missing begins at its first event."""
        ...

    def commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft], change: Change) -> int:
        """Keep decisions, what they make of groups, and how far the log was read, together.

        A draft whose key is known is dropped; returns how many were new. ``marks`` may be empty: time has passed, no more.
        Without facts it may be lost, whole, if the power fails before any later write has returned.
        """
        ...

    def groups(self) -> Iterator[tuple[Group, Sequence[Member]]]:
        """All groups with their members, as they were committed last."""
        ...

    def known(self, event_ids: Collection[str]) -> AbstractSet[str]:
        """Which of these events some notice tells of, whatever its state."""
        ...

    def crowd(self, channel: str, *, critical: bool) -> Crowd:
        """What waits for ``channel`` and is CRITICAL, or is not."""
        ...

    def merge(self, token: int, digest: Notice, now_us: int, *, critical: bool) -> int:
        """Make ``digest`` pending, and merge into it what waits for its channel and has certainly not arrived.

        What is CRITICAL is merged only if ``critical``. The digest takes over what the others tell of: ``causes`` are the worst
        thousand, of equals the newest; ``counts``, ``firing`` and ``resolved`` count them all. Each of the others becomes
        ``merged``, with a fact. Returns how many; without any there is no digest. A digest may be merged into another one. If its
        key is taken, it gets the next number that is free.
        """
        ...

    def recover(self, token: int, now_us: int) -> int:
        """Make every ``sending`` notice pending, due and unsure. Returns how many there were."""
        ...

    def due(self, channel: str, now_us: int) -> Notice | None:
        """Of the notices that are pending and due: one that is CRITICAL before all others, and among equals the first decided."""
        ...

    def earlier(self, notice: Notice) -> Notice | None:
        """The first decided of the pending notices of the same channel and group that were decided before ``notice``."""
        ...

    def next_due_us(self, channel: str) -> int | None:
        """When the next pending notice of ``channel`` is due; None if there is none."""
        ...

    def pace(self, channel: str) -> Pace:
        """How the channel rests."""
        ...

    def intend(self, token: int, notice: Notice, now_us: int) -> Notice:
        """Write down that a request is about to go out. Returns the notice as it then is, with its attempt counted."""
        ...

    def settle(self, token: int, notice: Notice, outcome: Outcome, now_us: int, fact: Envelope | None = None) -> None:
        """Write down what became of a pending or sending notice. Raises ``LedgerTaken`` if it is no longer as ``notice`` says.

        If ``retry`` came behind the pace that the outcome goes by, what is written is ``outcome.unless_retried``.
        """
        ...

    def orphans(self, channels: Collection[str], limit: int) -> list[Notice]:
        """Pending notices to any other channel than these, first decided first."""
        ...

    def outbox(self, limit: int) -> list[tuple[int, Envelope]]:
        """Facts that were not relayed yet, oldest first, numbered."""
        ...

    def relayed(self, numbers: Sequence[int]) -> None:
        """Drop these facts from the outbox; unknown numbers do not matter."""
        ...

    def prune(self, token: int, before_us: int, limit: int) -> int:
        """Forget notices that were sent or suppressed before this, at most ``limit``, first decided first. Returns how many.

        What is forgotten would be sent again if its event were decided again: ``Notifier.prune`` says when that cannot be.
        Dead letters stay, for a person is to redrive them; so does what is not settled.
        """
        ...

    def redrive(self, key: Key | None, now_us: int) -> int:
        """Make one dead letter, or all (None), pending and due again. Returns how many."""
        ...

    def retry(self, channel: str, now_us: int) -> int:
        """Have ``channel`` tried now: make all that waits for it due, and its pace ``Pace.retried``. Returns how many wait.

        Whoever writes at the same time undoes none of it. Called again it does the same.
        """
        ...

    def get(self, key: Key) -> Notice | None:
        """One notice, or None."""
        ...

    def notices(self, wanted: Wanted) -> list[Notice]:
        """Notices, the last decided first."""
        ...

    def tallies(self) -> list[Tally]:
        """How many notices there are, by channel and state."""
        ...
