"""Why something is not told now: the stages that a group's members pass at each look, in this order.

Stages: inhibited, out of the route's hours, silenced. Muting comes after grouping, so timers go on.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from consumers.notifier.groups.inhibition import Inhibitors
from consumers.notifier.groups.state import Member
from consumers.notifier.notice import Reason
from consumers.notifier.routing.tree import Policies, Route, Silence
from consumers.notifier.silenced import detail_of

LONGEST_NAMED = 200


class Held(NamedTuple):
    """A reason, and what it comes from."""

    reason: Reason
    detail: str


@dataclass(frozen=True, slots=True)
class Stages:
    """What holds members at one moment. ``active`` are the silences that are so then."""

    policies: Policies
    inhibitors: Inhibitors
    now_us: int
    active: tuple[Silence, ...]

    @classmethod
    def at(cls, policies: Policies, inhibitors: Inhibitors, now_us: int) -> Self:
        """The stages as they are now."""
        active = tuple(silence for silence in policies.silences if silence.starts_us <= now_us < silence.ends_us)
        return cls(policies, inhibitors, now_us, active)

    def hours(self, route: Route) -> str:
        """The time by which ``route`` does not speak now, or the times in none of which it is; "" if it speaks."""
        times = self.policies.routing.times
        muted = next((name for name in route.mute if times[name](self.now_us)), "")
        if muted:
            return f"muted in {muted}"
        if route.active and not any(times[name](self.now_us) for name in route.active):
            return f"active in {', '.join(route.active)} only"
        return ""

    def held(self, member: Member, hours: str) -> Held | None:
        """Why ``member`` is not told; None if it may be. ``hours`` are those of its route."""
        if source := self.inhibitors.of(member):
            return Held(Reason.INHIBITED, f"while {source.fingerprint[:LONGEST_NAMED]} fires")
        if hours:
            return Held(Reason.OUT_OF_HOURS, hours)
        silence = next((silence for silence in self.active if silence.mutes(member.fields, self.now_us)), None)
        return Held(Reason.SILENCED, detail_of(silence)) if silence else None
