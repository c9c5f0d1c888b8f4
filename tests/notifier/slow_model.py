"""What is decided about groups, worked out second by second, with sets, loops and no thought of cost.

Nothing is scheduled, bounded, forgotten for its age, or kept apart from a batch: every group is looked at at every tick.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from consumers.notifier.item import Item, Turn
from consumers.notifier.notice import Reason
from consumers.notifier.routing.tree import Policies, Route, all_match
from tests.notifier.deciding import BEGIN_US, SECOND_US

CRITICAL = 4
Told = tuple[int, str, str, tuple[str, ...]]
"""Second, route, reason, names of events."""


@dataclass
class Known:
    """Something in a group, or known of: its last event."""

    item: Item
    over: bool = False
    acked: bool = False


@dataclass
class Crowd:
    """A group: ``said`` are the fingerprints that the last message told as firing."""

    route: Route
    next: int
    tick: int | None = None
    last: int | None = None
    said: set[str] = field(default_factory=set)
    members: dict[str, Known] = field(default_factory=dict)
    traced: set[tuple[str, str]] = field(default_factory=set)


class SlowModel:
    """``sent`` and ``held`` are what was decided so far."""

    def __init__(self, policies: Policies) -> None:
        self.policies = policies
        self.second = -1
        self.crowds: dict[tuple[str, tuple[str, ...]], Crowd] = {}
        self.known: dict[str, Known] = {}
        self.seen: set[str] = set()
        self.sent: list[Told] = []
        self.held: list[Told] = []

    def until(self, second: int, arrivals: list[Item]) -> None:
        """Let time go on to ``second``; then these come, and time is looked at once more."""
        while self.second < second:
            self.second += 1
            if self.second == second:
                for item in arrivals:
                    self.arrive(item)
            for crowd in list(self.crowds.values()):
                if crowd.next <= self.second:
                    self.look(crowd)

    def hold(self, route: Route, reason: Reason, *items: Item) -> None:
        self.held += [(self.second, route.name, reason, (item.cause.event_id,)) for item in items]

    def arrive(self, item: Item) -> None:
        if item.cause.event_id in self.seen:
            return
        traces = len(self.held)
        present = [crowd for crowd in self.crowds.values() if item.fingerprint in crowd.members]
        before = self.known.get(item.fingerprint)
        wanted = [route for route in self.policies.routing.deciding(item.fields) if route.channel]
        if before and item.cause.time_us < before.item.cause.time_us:
            self.late(item, present, wanted)
        elif item.turn in {Turn.ACKNOWLEDGED, Turn.RESOLVED}:
            self.said_of(item, present, wanted)
        else:
            self.fires(item, present, wanted)
        concerns = present if item.turn is Turn.RESOLVED else wanted
        if len(self.held) > traces or concerns:
            self.seen.add(item.cause.event_id)

    def late(self, item: Item, present: list[Crowd], wanted: list[Route]) -> None:
        for crowd in present if wanted or item.turn is not Turn.FIRING else []:
            self.hold(crowd.route, Reason.ALREADY_TOLD, item)
        for route in [] if present else wanted:
            self.hold(route, Reason.RESOLVED_UNTOLD if item.turn is Turn.FIRING else Reason.NOT_FIRING, item)

    def said_of(self, item: Item, present: list[Crowd], wanted: list[Route]) -> None:
        for crowd in present:
            if item.turn is Turn.RESOLVED:
                self.over(crowd, item)
            else:
                crowd.members[item.fingerprint].acked = True
                self.hold(crowd.route, Reason.ALREADY_TOLD, item)
        for route in [] if present else wanted:
            self.hold(route, Reason.NOT_FIRING, item)
        if item.turn is Turn.RESOLVED and (before := self.known.get(item.fingerprint)):
            self.known[item.fingerprint] = Known(replace(before.item, cause=item.cause), over=True)

    def fires(self, item: Item, present: list[Crowd], wanted: list[Route]) -> None:
        for crowd in [
            crowd for crowd in present if crowd.route in wanted and crowd is not self.crowds.get(self.key(crowd.route, item))
        ]:
            self.supersede(crowd, crowd.members.pop(item.fingerprint))
        for route in wanted:
            self.join(self.crowd(route, item), item)
        for crowd in [] if wanted else present:
            self.go_on(crowd, item)
        if item.is_lasting:
            self.known[item.fingerprint] = Known(item)

    @staticmethod
    def key(route: Route, item: Item) -> tuple[str, tuple[str, ...]]:
        alone = "..." in route.group_by
        return route.name, (item.fingerprint,) if alone else tuple(item.fields.get(name, "") for name in route.group_by)

    def crowd(self, route: Route, item: Item) -> Crowd:
        key = self.key(route, item)
        crowd = self.crowds.get(key)
        if crowd is None or (crowd.tick is None and not crowd.members):
            crowd = self.crowds[key] = Crowd(route, self.second + route.group_wait_us // SECOND_US)
        return crowd

    def join(self, crowd: Crowd, item: Item) -> None:
        there = crowd.members.get(item.fingerprint)
        if there and not there.over and item.cause.severity <= there.item.cause.severity:
            self.go_on(crowd, item)
            return
        if there:
            self.supersede(crowd, there)
            crowd.said.discard(item.fingerprint)
        crowd.members[item.fingerprint] = Known(item)
        if item.cause.severity == CRITICAL and crowd.route.critical_wait_us is not None:
            crowd.next = min(crowd.next, self.second + crowd.route.critical_wait_us // SECOND_US)

    def go_on(self, crowd: Crowd, item: Item) -> None:
        there = crowd.members[item.fingerprint]
        if item.fingerprint in crowd.said and not there.over:
            self.hold(crowd.route, Reason.ALREADY_TOLD, item)
        else:
            self.supersede(crowd, there)
            crowd.said.discard(item.fingerprint)
        crowd.members[item.fingerprint] = Known(item)

    def supersede(self, crowd: Crowd, there: Known) -> None:
        is_traced = any(event_id == there.item.cause.event_id for event_id, _ in crowd.traced)
        if there.over or not (there.item.fingerprint in crowd.said or is_traced):
            self.hold(crowd.route, Reason.ALREADY_TOLD, there.item)

    def over(self, crowd: Crowd, item: Item) -> None:
        there = crowd.members[item.fingerprint]
        if item.fingerprint in crowd.said:
            self.supersede(crowd, there) if there.over else None
            crowd.members[item.fingerprint] = Known(replace(there.item, cause=item.cause), over=True)
        else:
            self.hold(crowd.route, Reason.RESOLVED_UNTOLD, there.item, item)
            del crowd.members[item.fingerprint]

    def look(self, crowd: Crowd) -> None:
        if not crowd.members:
            self.crowds = {key: other for key, other in self.crowds.items() if other is not crowd}
            return
        why = {fingerprint: self.why_not(crowd.route, known) for fingerprint, known in crowd.members.items()}
        self.hold_back(crowd, {fingerprint: reason for fingerprint, reason in why.items() if reason})
        visible = {fingerprint: known for fingerprint, known in crowd.members.items() if not why[fingerprint]}
        firing = {fingerprint for fingerprint, known in visible.items() if known.item.is_lasting and not known.over}
        moments = {fingerprint for fingerprint, known in visible.items() if not known.item.is_lasting}
        over = {fingerprint for fingerprint, known in visible.items() if known.over}
        reason = self.reason(crowd, firing, moments, over)
        if reason:
            news = sorted(firing) if reason is Reason.REPEATED else sorted((firing - crowd.said) | moments)
            news += sorted(over) if crowd.route.send_resolved else []
            events = tuple(sorted(crowd.members[fingerprint].item.cause.event_id for fingerprint in news))
            self.sent.append((self.second, crowd.route.name, reason, events))
            told = {crowd.members[fingerprint].item.cause.event_id for fingerprint in firing}
            crowd.said, crowd.last = set(firing), self.second
            crowd.traced = {(event_id, trace) for event_id, trace in crowd.traced if event_id not in told}
        elif over:
            assert not crowd.route.send_resolved
        if not crowd.route.send_resolved:
            self.hold(crowd.route, Reason.RESOLVED_UNWANTED, *(crowd.members[fingerprint].item for fingerprint in over))
        for fingerprint in moments | over:
            del crowd.members[fingerprint]
            crowd.said.discard(fingerprint)
        interval = crowd.route.group_interval_us // SECOND_US
        if crowd.tick is None:
            crowd.tick = self.second + interval
        while crowd.tick <= self.second:
            crowd.tick += interval
        crowd.next = crowd.tick

    def reason(self, crowd: Crowd, firing: set[str], moments: set[str], over: set[str]) -> Reason | None:
        if moments or not firing <= crowd.said:
            return Reason.NEWLY_FIRING
        if over and crowd.route.send_resolved:
            return Reason.NEWLY_RESOLVED if firing else Reason.ALL_RESOLVED
        repeat = crowd.route.repeat_interval_us // SECOND_US
        is_old = crowd.last is not None and self.second - crowd.last >= repeat
        if is_old and any(not crowd.members[fingerprint].acked for fingerprint in firing):
            return Reason.REPEATED
        return None

    def hold_back(self, crowd: Crowd, why: dict[str, Reason]) -> None:
        for fingerprint, reason in why.items():
            known = crowd.members[fingerprint]
            event_id = known.item.cause.event_id
            if known.over or not known.item.is_lasting:
                self.hold(crowd.route, reason, known.item)
                del crowd.members[fingerprint]
                crowd.said.discard(fingerprint)
            elif fingerprint not in crowd.said and (event_id, reason) not in crowd.traced:
                self.hold(crowd.route, reason, known.item)
                crowd.traced.add((event_id, reason))

    def sources(self) -> Iterator[tuple[str, Known]]:
        """Everything in a group, and what is in none."""
        grouped = [pair for crowd in self.crowds.values() for pair in crowd.members.items() if pair[1].item.is_lasting]
        yield from grouped
        yield from (pair for pair in self.known.items() if pair[0] not in dict(grouped))

    def why_not(self, route: Route, known: Known) -> Reason | None:
        now_us, fields, routing = BEGIN_US + self.second * SECOND_US, known.item.fields, self.policies.routing
        for inhibition in routing.inhibitions:
            for fingerprint, source in self.sources():
                both = all_match(inhibition.mute, source.item.fields) and all_match(inhibition.when, fields)
                equal = all(source.item.fields.get(name, "") == fields.get(name, "") for name in inhibition.equal)
                concerned = all_match(inhibition.when, source.item.fields) and all_match(inhibition.mute, fields)
                if not source.over and concerned and equal and not both and fingerprint != known.item.fingerprint:
                    return Reason.INHIBITED
        if any(routing.times[name](now_us) for name in route.mute):
            return Reason.OUT_OF_HOURS
        if route.active and not any(routing.times[name](now_us) for name in route.active):
            return Reason.OUT_OF_HOURS
        return Reason.SILENCED if any(silence.mutes(fields, now_us) for silence in self.policies.silences) else None
