"""A decision under way: the world as it was, and what this decision makes of it so far."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from consumers.notifier.groups.kept import Overlay
from consumers.notifier.groups.naming import Home
from consumers.notifier.groups.state import MOST_NEWS, WATCHED, Change, Group, GroupKey, Hold, Member, Send, World
from consumers.notifier.notice import Cause, Reason
from consumers.notifier.routing.tree import Policies, Route

CRITICAL: Final = 4
MOST_WATCHED: Final = 10_000
"""Things that are watched beyond all groups; of more the newest."""
WATCH_US: Final = 3_600_000_000
"""How often what is watched is looked through for what is to be forgotten."""
LONGEST_DETAIL: Final = 300

_MILLISECOND_US: Final = 1000


def tick_after(tick_us: int | None, interval_us: int, now_us: int) -> int:
    """The first regular tick after now. Without one before it is an interval from now."""
    if tick_us is None:
        return now_us + interval_us
    return tick_us if tick_us > now_us else now_us + interval_us - (now_us - tick_us) % interval_us


class Step:
    """Gathers one ``Change``. Reading shows what was decided so far."""

    def __init__(self, world: World, policies: Policies, now_us: int) -> None:
        self._world = Overlay(world)
        self.policies = policies
        self.now_us = now_us

    @property
    def change(self) -> Change:
        """What was decided."""
        return self._world.change

    def group(self, key: GroupKey) -> Group | None:
        """One group."""
        return self._world.group(key)

    def members(self, key: GroupKey) -> Mapping[str, Member]:
        """The members of a group by fingerprint."""
        return self._world.members(key)

    def held_by(self, fingerprint: str) -> dict[GroupKey, Member]:
        """Every group that something is a member of, ``WATCHED`` among them, and as what."""
        return {key: self.members(key)[fingerprint] for key in self._world.holding(fingerprint)}

    def put(self, group: Group) -> None:
        """Let a group be so from now on."""
        self.change.groups[group.key] = group

    def forget(self, key: GroupKey) -> None:
        """Let a group, which has no members, be no more."""
        self.change.groups[key] = None

    def join(self, key: GroupKey, member: Member) -> None:
        """Let a member be so from now on."""
        self._world.set(key, member.fingerprint, member)

    def leave(self, key: GroupKey, fingerprint: str) -> None:
        """Let something be a member no more."""
        self._world.set(key, fingerprint, None)

    def news(self, home: Home, member: Member) -> None:
        """Let something that is to be told be a member, and see that its group is looked at in time."""
        group = self._awaiting(home)
        if member.cause.severity >= CRITICAL and home.route.critical_wait_us is not None:
            group = replace(group, next_us=min(group.next_us, self.now_us + home.route.critical_wait_us))
        if group.waiting + 1 >= MOST_NEWS:
            group = replace(group, next_us=min(group.next_us, self.now_us))
        self.put(replace(group, waiting=group.waiting + 1))
        self.join(home.key, member)

    def _awaiting(self, home: Home) -> Group:
        """The group as it awaits something: a new one for its ``group_wait``, another one at the latest for its tick."""
        group = self.group(home.key)
        if group is not None and (group.tick_us is not None or next(iter(self.members(home.key)), None) is not None):
            return self._by_its_tick(group, home.route)
        flush = group.flush if group else 0
        return Group(home.key, begun_us=self.now_us, next_us=self.now_us + home.route.group_wait_us, flush=flush)

    def _by_its_tick(self, group: Group, route: Route) -> Group:
        if group.tick_us is None:
            return group
        tick_us = tick_after(group.tick_us, route.group_interval_us, self.now_us - 1)
        return replace(group, next_us=min(group.next_us, tick_us))

    def wake(self, key: GroupKey) -> None:
        """See that a group is looked at by its tick, for something in it changed."""
        group, route = self.group(key), self.policies.routing.named(key.route)
        if group and route:
            self.put(self._by_its_tick(group, route))

    def watch(self, member: Member) -> None:
        """Remember something that is in no group."""
        group = self.group(WATCHED) or Group(WATCHED, begun_us=self.now_us, next_us=self.now_us + WATCH_US)
        crowded = group.waiting + 1 >= MOST_WATCHED // 10
        self.put(replace(group, waiting=group.waiting + 1, next_us=self.now_us if crowded else group.next_us))
        self.join(WATCHED, member)

    def hold(self, key: GroupKey, reason: Reason, causes: Sequence[Cause], detail: str = "") -> None:
        """Leave a trace of events that are not told, or not now; of many in several holds."""
        route = self.policies.routing.named(key.route)
        channel, path = (route.channel, route.path) if route else ("", (key.route,))
        for begin in range(0, len(causes), MOST_NEWS):
            few = tuple(causes[begin : begin + MOST_NEWS])
            flush = self._numbered(key, route)
            self.change.outcomes.append(Hold(key, channel, flush, reason, detail[:LONGEST_DETAIL], few, path))

    def send(self, route: Route, message: Send) -> None:
        """Let a message go out; its number is given here."""
        self.change.outcomes.append(replace(message, flush=self._numbered(message.key, route)))

    def _numbered(self, key: GroupKey, route: Route | None) -> int:
        """The next number of a group, which is made to remember it if there is none."""
        group = self.group(key)
        if group is None:
            group = Group(key, begun_us=self.now_us, next_us=self.now_us + (route.group_interval_us if route else WATCH_US))
        flush = max(self.now_us // _MILLISECOND_US, group.flush + 1)
        self.put(replace(group, flush=flush))
        return flush
