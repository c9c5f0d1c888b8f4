"""What the notifier remembers of groups: data only. The ledger keeps it; ``groups.decide`` alone says how it changes.

Group:  what one route tells together: the events that have equal values of the route's ``group_by``.
Member: something in a group: lasting, as long as it fires and until its end was told; a moment, until it was told.
Watch:  members of the group ``WATCHED`` are in no message. What fires for nobody may inhibit others; what is over is
        remembered, so that what comes late about it is told from news, and an alert that is reopened is known.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple, Protocol

from consumers.notifier.notice import Cause, Reason


class GroupKey(NamedTuple):
    """``route`` is the route's name; ``values`` those of its ``group_by`` as text, ``name=value`` with commas, values quoted."""

    route: str
    values: str


WATCHED: Final = GroupKey("", "")


@dataclass(frozen=True, slots=True)
class Member:
    """Something in a group. ``since_us`` is when it came there, by the clock of the notifier.

    ``told``: it was among the firing ones of the group's last message. ``held`` is why it is held, as far as that was told.
    ``fields`` are those of the event by which it fires (``consumers.notifier.item``); ``cause`` is the last event about it.
    """

    fingerprint: str
    cause: Cause
    since_us: int
    fields: Mapping[str, str]
    lasting: bool = True
    resolved: bool = False
    acknowledged: bool = False
    told: bool = False
    held: str = ""


@dataclass(frozen=True, slots=True)
class Group:
    """A group. Times are microseconds since the epoch, by the clock of the notifier.

    ``next_us`` is when it is to be looked at; ``tick_us`` the next regular tick, which nothing urgent moves, None
    before the first look. ``last_us`` is when its last message was decided, None if there is none; ``last_fired``: something
    lasting in it was firing.
    ``flush`` numbers the last message or hold; the next has a greater number. ``waiting`` counts what came to be told since the
    group was looked at. A group may be without members: until its next look, so that what comes then keeps to its tick.
    """

    key: GroupKey
    begun_us: int
    next_us: int
    tick_us: int | None = None
    last_us: int | None = None
    last_fired: bool = False
    flush: int = 0
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class Send:
    """A message to be sent. ``news`` are what it is sent for (at most ``MOST_NEWS``), ``still`` some that fire on.

    ``firing`` and ``resolved`` count all that the group has; ``reason`` says why it is sent now.
    """

    key: GroupKey
    channel: str
    flush: int
    reason: Reason
    news: tuple[Cause, ...]
    still: tuple[Cause, ...]
    firing: int
    resolved: int
    path: tuple[str, ...]
    """The names of the routes from the root to the one that decided."""


@dataclass(frozen=True, slots=True)
class Hold:
    """Events that are not told, or not now, and why.

    ``detail`` names the silence, what inhibits, the time window, or the message that told.
    """

    key: GroupKey
    channel: str
    flush: int
    reason: Reason
    detail: str
    causes: tuple[Cause, ...]
    path: tuple[str, ...]


@dataclass(slots=True)
class Change:
    """What a decision changes, None for what is forgotten, and what is to be sent or is held, in the order decided."""

    groups: dict[GroupKey, Group | None] = field(default_factory=dict)
    members: dict[tuple[GroupKey, str], Member | None] = field(default_factory=dict)
    outcomes: list[Send | Hold] = field(default_factory=list)

    def __bool__(self) -> bool:
        """Whether anything changes."""
        return bool(self.groups or self.members or self.outcomes)


class World(Protocol):
    """All groups and their members, to be read."""

    def group(self, key: GroupKey) -> Group | None:
        """One group."""
        ...

    def members(self, key: GroupKey) -> Mapping[str, Member]:
        """The members of a group by fingerprint, empty if there is no such group."""
        ...

    def holding(self, fingerprint: str) -> Iterator[GroupKey]:
        """The groups that something is a member of, ``WATCHED`` among them."""
        ...

    def due(self, now_us: int) -> Iterator[GroupKey]:
        """The groups whose ``next_us`` is not after this, the longest due first."""
        ...

    def firing(self) -> Iterator[Member]:
        """Every lasting member of every group that fires: what may inhibit others."""
        ...

    @property
    def next_us(self) -> int | None:
        """When the next group is to be looked at; None if there is none."""
        ...


MOST_NEWS: Final = 500
"""Events that one message is sent for. A group with more that is to be told is looked at at once, and tells them in several."""
MOST_STILL: Final = 20
"""Of those that fire on, how many a message names."""
