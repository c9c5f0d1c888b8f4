"""What becomes of a group when it is looked at: what is told of it, what is held, and when to look again.

Ticks: the first look sets the next regular one, ``group_interval`` later; then they follow at that interval. One that was missed
       is skipped, not made up for. An urgent look before a tick does not move it.
Told:  what fires and is told replaces what the last message told, as in Alertmanager: what fires but is held when a message goes
       out counts as not told, and is told once nothing holds it. Moments and what is over leave.
Ends:  what lasts without an event for ``LASTS_US`` is forgotten; of alerts, which people close, only what is beyond
       ``MOST_KEPT`` in a group, the oldest first.
Source: Alertmanager's ``dispatch`` and ``notify`` packages, ``DedupStage.needsUpdate``.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import islice
from typing import Final

from consumers.notifier.groups.holding import Held, Stages
from consumers.notifier.groups.inhibition import Inhibitors
from consumers.notifier.groups.naming import homes
from consumers.notifier.groups.state import MOST_NEWS, MOST_STILL, WATCHED, Group, GroupKey, Member, Send, World
from consumers.notifier.groups.step import MOST_WATCHED, WATCH_US, Step, tick_after
from consumers.notifier.notice import Cause, Reason
from consumers.notifier.routing.tree import Route

MOST_LOOKED: Final = 200
"""Groups that are looked at in one decision; the others stay due."""
MOST_KEPT: Final = 5_000
"""Things that one group remembers, once all is told; of more the newest."""
LASTS_US: Final = 7 * 86_400_000_000
IDLE_US: Final = 3_600_000_000
"""How long a group is left alone at most in which nothing waits: ticks between do nothing, and are spared."""

_ALERT: Final = "alert/"
_MILLISECOND_US: Final = 1000


def look(world: World, step: Step) -> None:
    """Look at the groups that are due, the longest due first, at most ``MOST_LOOKED``."""
    due = [group for key in islice(world.due(step.now_us), MOST_LOOKED) if (group := world.group(key))]
    if due:
        inhibitors = Inhibitors(step.policies.routing.inhibitions, world.firing())
        stages = Stages.at(step.policies, inhibitors, step.now_us)
        for group in due:
            _look(step, stages, group)


def _look(step: Step, stages: Stages, group: Group) -> None:
    route, members = step.policies.routing.named(group.key.route), list(step.members(group.key).values())
    if group.key == WATCHED:
        _look_through(step, group, members)
    elif not members:
        _forget(step, group)
    elif route is None or not route.channel:
        _move(step, group, members)
    else:
        _tell(step, stages, group, route, members)


def _tell(step: Step, stages: Stages, group: Group, route: Route, members: Sequence[Member]) -> None:
    hours = stages.hours(route)
    reasons = [(member, stages.held(member, hours)) for member in members]
    visible = [member for member, held in reasons if held is None]
    hidden = [(member, held) for member, held in reasons if held is not None]
    _hold(step, group.key, hidden)
    reason = _due(group, route, visible, step.now_us)
    if reason:
        _send(step, group, route, visible, reason)
        _untell(step, group.key, [member for member, _ in hidden])
    if not route.send_resolved:
        _drop(step, group.key, [member for member in visible if member.resolved])
    _outlived(step, group.key)
    _schedule(step, group, route)


def _due(group: Group, route: Route, visible: Sequence[Member], now_us: int) -> Reason | None:
    """Why a message is to go out now; None if none is."""
    firing = [member for member in visible if member.lasting and not member.resolved]
    over = [member for member in visible if member.resolved]
    if any(not member.lasting for member in visible) or any(not member.told for member in firing):
        return Reason.NEWLY_FIRING
    if over and route.send_resolved:
        return Reason.NEWLY_RESOLVED if firing else Reason.ALL_RESOLVED
    is_old = group.last_us is not None and group.last_us + route.repeat_interval_us <= now_us
    if is_old and any(not member.acknowledged for member in firing):
        return Reason.REPEATED
    return None


def _send(step: Step, group: Group, route: Route, visible: Sequence[Member], reason: Reason) -> None:
    over = _sorted(member for member in visible if member.resolved) if route.send_resolved else []
    firing = _sorted(member for member in visible if not member.resolved)
    fresh = [member for member in firing if not (member.lasting and member.told)]
    other = [member for member in firing if member.lasting and member.told]
    if reason is Reason.REPEATED:
        fresh, other = other[:MOST_STILL], other[MOST_STILL:]
    still = () if reason is Reason.REPEATED else _causes(other[:MOST_STILL])
    news = [*fresh, *over]
    for begin in range(0, len(news), MOST_NEWS):
        few = news[begin : begin + MOST_NEWS]
        ended = sum(member.resolved for member in few)
        fires = len(few) - ended + len(other)
        message = Send(group.key, route.channel, 0, reason, _causes(few), still, fires, ended, route.path)
        step.send(route, message)
        still = ()
    _told(step, group.key, visible, ends=route.send_resolved)
    step.put(replace(step.group(group.key) or group, last_us=step.now_us, last_fired=any(member.lasting for member in firing)))


def _told(step: Step, key: GroupKey, visible: Sequence[Member], *, ends: bool) -> None:
    """What fires counts as told; moments leave, and what is over, if ``ends`` are told."""
    for member in visible:
        if not member.lasting or (member.resolved and ends):
            step.leave(key, member.fingerprint)
        elif not member.resolved and (not member.told or member.held):
            step.join(key, replace(member, told=True, held=""))


def _untell(step: Step, key: GroupKey, hidden: Iterable[Member]) -> None:
    """What was held as a message went out is not in it."""
    for member in hidden:
        left = step.members(key).get(member.fingerprint)
        if left and left.told:
            step.join(key, replace(left, told=False))


def _hold(step: Step, key: GroupKey, hidden: Iterable[tuple[Member, Held]]) -> None:
    """Leave a trace of what is held, once a reason. Moments and what is over leave; what fires stays."""
    traces: dict[Held, list[Cause]] = defaultdict(list)
    for member, held in hidden:
        if not member.lasting or member.resolved:
            traces[held].append(member.cause)
            step.leave(key, member.fingerprint)
        elif not member.told and held.reason not in member.held.split(","):
            traces[held].append(member.cause)
            step.join(key, replace(member, held=",".join(filter(None, (member.held, held.reason)))))
    for held, causes in traces.items():
        step.hold(key, held.reason, causes, held.detail)


def _drop(step: Step, key: GroupKey, over: Sequence[Member]) -> None:
    """Of what is over nobody wants to hear."""
    if over:
        step.hold(key, Reason.RESOLVED_UNWANTED, [member.cause for member in over])
    for member in over:
        step.leave(key, member.fingerprint)


def _outlived(step: Step, key: GroupKey) -> None:
    """Forget what nothing was heard of for long, and the oldest of too many."""
    members = list(step.members(key).values())
    for member in members:
        if not member.fingerprint.startswith(_ALERT) and _heard_us(member) + LASTS_US <= step.now_us:
            step.leave(key, member.fingerprint)
    for member in sorted(members, key=_heard_us, reverse=True)[MOST_KEPT:]:
        step.leave(key, member.fingerprint)


def _look_through(step: Step, group: Group, members: Sequence[Member]) -> None:
    """Forget of what is watched what nothing was heard of for long, and the oldest of too many."""
    newest = sorted(members, key=_heard_us, reverse=True)
    for number, member in enumerate(newest):
        lasts = member.fingerprint.startswith(_ALERT) and not member.resolved
        if number >= MOST_WATCHED or (not lasts and _heard_us(member) + LASTS_US <= step.now_us):
            step.leave(group.key, member.fingerprint)
    step.put(replace(group, next_us=step.now_us + WATCH_US, waiting=0))
    if not step.members(group.key):
        step.forget(group.key)


def _move(step: Step, group: Group, members: Sequence[Member]) -> None:
    """The route is no more, or tells nobody: what waits or fires goes where the routing has it now."""
    lost: list[Cause] = []
    for member in members:
        wanted = [] if member.resolved else homes(step.policies.routing, member.fields, member.fingerprint)
        joined = [home for home in wanted if member.fingerprint not in step.members(home.key)]
        for home in joined:
            step.news(home, replace(member, since_us=step.now_us, told=False, held=""))
        step.leave(group.key, member.fingerprint)
        if member.lasting and not (wanted or member.resolved):
            step.watch(replace(member, told=False, held=""))
        if not joined and (member.resolved or not (member.told or member.held)):
            lost.append(member.cause)
    if lost:
        step.hold(group.key, Reason.ROUTE_REMOVED, lost)
    _forget(step, step.group(group.key) or group)


def _forget(step: Step, group: Group) -> None:
    """Forget a group without members, once its numbers lie behind, so that none is given twice."""
    free_us = (group.flush + 1) * _MILLISECOND_US
    if free_us <= step.now_us:
        step.forget(group.key)
    else:
        step.put(replace(group, next_us=free_us, waiting=0))


def _schedule(step: Step, group: Group, route: Route) -> None:
    group = step.group(group.key) or group
    tick_us = tick_after(group.tick_us, route.group_interval_us, step.now_us)
    next_us = tick_us
    members = step.members(group.key).values()
    if members and all(member.told for member in members):
        idle_us = step.now_us + IDLE_US
        again_us = (group.last_us or 0) + route.repeat_interval_us
        until_us = idle_us if all(member.acknowledged for member in members) else min(idle_us, again_us)
        next_us = tick_after(tick_us, route.group_interval_us, until_us - 1)
    step.put(replace(group, tick_us=tick_us, next_us=next_us, waiting=0))


def _sorted(members: Iterable[Member]) -> list[Member]:
    """The worst first, then those that came first."""
    return sorted(members, key=lambda member: (-member.cause.severity, member.since_us, member.fingerprint))


def _causes(members: Sequence[Member]) -> tuple[Cause, ...]:
    return tuple(member.cause for member in members)


def _heard_us(member: Member) -> int:
    return max(member.since_us, member.cause.time_us)
