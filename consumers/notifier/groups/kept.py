"""Groups and their members in memory: what is committed, and over it what a batch makes of it.

``Kept``:    loaded from the ledger at the start, changed by every ``Change`` that was committed.
``Overlay``: what ``world`` will be once ``change`` is committed; the world itself stays as it is, so that a commit that fails
             leaves nothing behind.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from consumers.notifier.groups.state import Change, Group, GroupKey, Member, World

_NOBODY: Final[Mapping[str, Member]] = {}
_COMPACT_BEYOND: Final = 64
_FOREVER_US: Final = 1 << 63


class Kept:
    """A ``World`` that changes."""

    def __init__(self, groups: Iterable[tuple[Group, Sequence[Member]]] = ()) -> None:
        self._groups: dict[GroupKey, Group] = {}
        self._members: dict[GroupKey, dict[str, Member]] = {}
        self._holding: dict[str, dict[GroupKey, None]] = {}
        self._queue: list[tuple[int, GroupKey]] = []
        for group, members in groups:
            self._put(group)
            for member in members:
                self._join(group.key, member)

    def apply(self, change: Change) -> None:
        """Take over what was committed."""
        for key, group in change.groups.items():
            if group is None:
                self._groups.pop(key, None)
            else:
                self._put(group)
        for (key, fingerprint), member in change.members.items():
            if member is None:
                self._leave(key, fingerprint)
            else:
                self._join(key, member)

    def group(self, key: GroupKey) -> Group | None:
        """One group."""
        return self._groups.get(key)

    def members(self, key: GroupKey) -> Mapping[str, Member]:
        """The members of a group by fingerprint; it changes with the world."""
        return self._members.get(key, _NOBODY)

    def holding(self, fingerprint: str) -> Iterator[GroupKey]:
        """The groups that something is a member of, in the order in which it came there."""
        return iter(self._holding.get(fingerprint, ()))

    def due(self, now_us: int) -> Iterator[GroupKey]:
        """The groups to be looked at by now, the longest due first."""
        self._settle()
        found = sorted(entry for entry in self._queue if entry[0] <= now_us and self._is_so(entry))
        return iter(dict.fromkeys(key for _, key in found))

    def firing(self) -> Iterator[Member]:
        """Every lasting member of every group that fires."""
        for members in self._members.values():
            yield from (member for member in members.values() if member.lasting and not member.resolved)

    @property
    def next_us(self) -> int | None:
        """When the next group is to be looked at."""
        self._settle()
        return self._queue[0][0] if self._queue else None

    def _put(self, group: Group) -> None:
        before = self._groups.get(group.key)
        self._groups[group.key] = group
        if before is None or before.next_us != group.next_us:
            heappush(self._queue, (group.next_us, group.key))

    def _join(self, key: GroupKey, member: Member) -> None:
        self._members.setdefault(key, {})[member.fingerprint] = member
        self._holding.setdefault(member.fingerprint, {})[key] = None

    def _leave(self, key: GroupKey, fingerprint: str) -> None:
        members, keys = self._members.get(key, {}), self._holding.get(fingerprint, {})
        members.pop(fingerprint, None)
        keys.pop(key, None)
        if not members:
            self._members.pop(key, None)
        if not keys:
            self._holding.pop(fingerprint, None)

    def _is_so(self, entry: tuple[int, GroupKey]) -> bool:
        """Whether an entry of the queue is still what its group says."""
        group = self._groups.get(entry[1])
        return group is not None and group.next_us == entry[0]

    def _settle(self) -> None:
        """Drop what is no longer so from the head of the queue, and everywhere once that is most of it."""
        while self._queue and not self._is_so(self._queue[0]):
            heappop(self._queue)
        if len(self._queue) > _COMPACT_BEYOND + 2 * len(self._groups):
            self._queue = [(group.next_us, key) for key, group in self._groups.items()]
            heapify(self._queue)


class Overlay:
    """A ``World`` as it will be with ``change``, which grows with every ``apply``."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._members: dict[GroupKey, dict[str, Member | None]] = {}
        self._joined: dict[str, dict[GroupKey, None]] = {}
        self.change = Change()

    def apply(self, change: Change) -> None:
        """Go on from here as if ``change`` were so."""
        self.change.groups.update(change.groups)
        self.change.outcomes.extend(change.outcomes)
        for (key, fingerprint), member in change.members.items():
            self.set(key, fingerprint, member)

    def set(self, key: GroupKey, fingerprint: str, member: Member | None) -> None:
        """Go on as if this were a member, or (None) were not."""
        self.change.members[key, fingerprint] = member
        self._members.setdefault(key, {})[fingerprint] = member
        self._joined.setdefault(fingerprint, {})[key] = None

    def group(self, key: GroupKey) -> Group | None:
        """One group."""
        return self.change.groups[key] if key in self.change.groups else self._world.group(key)

    def members(self, key: GroupKey) -> Mapping[str, Member]:
        """The members of a group by fingerprint."""
        below, above = self._world.members(key), self._members.get(key)
        return _Over(below, above) if above else below

    def holding(self, fingerprint: str) -> Iterator[GroupKey]:
        """The groups that something is a member of."""
        joined = self._joined.get(fingerprint, {})
        yield from (key for key in self._world.holding(fingerprint) if key not in joined)
        yield from (key for key in joined if self._members[key][fingerprint] is not None)

    def due(self, now_us: int) -> Iterator[GroupKey]:
        """The groups to be looked at by now, the longest due first."""
        found = [group for key in self._world.due(now_us) if key not in self.change.groups and (group := self._world.group(key))]
        found += [group for group in self.change.groups.values() if group and group.next_us <= now_us]
        return (group.key for group in sorted(found, key=lambda group: (group.next_us, group.key)))

    def firing(self) -> Iterator[Member]:
        """Every lasting member of every group that fires."""
        yield from (member for member in self._world.firing() if member.fingerprint not in self._joined)
        for fingerprint in self._joined:
            members = (self.members(key)[fingerprint] for key in self.holding(fingerprint))
            yield from (member for member in members if member.lasting and not member.resolved)

    @property
    def next_us(self) -> int | None:
        """When the next group is to be looked at."""
        return next((group.next_us for key in self.due(_FOREVER_US) if (group := self.group(key))), None)


class _Over(Mapping[str, Member]):
    """A mapping with some entries replaced, and some (None) taken out."""

    def __init__(self, below: Mapping[str, Member], above: Mapping[str, Member | None]) -> None:
        self._below = below
        self._above = above

    def __getitem__(self, fingerprint: str) -> Member:
        if fingerprint not in self._above:
            return self._below[fingerprint]
        member = self._above[fingerprint]
        if member is None:
            raise KeyError(fingerprint)
        return member

    def __iter__(self) -> Iterator[str]:
        yield from (fingerprint for fingerprint in self._below if fingerprint not in self._above)
        yield from (fingerprint for fingerprint, member in self._above.items() if member is not None)

    def __len__(self) -> int:
        return sum(1 for _ in self)
