"""Which alerts of one rule are over: those after whose threshold was reached one came that the rule's ``resolve`` matches.

Order: none matters. Memory: a time for each group that was ever resolved, and one for each alert that is open.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from heapq import heappop, heappush


@dataclass(slots=True)
class Resolving:
    """Alerts and resolvers of one rule, by group. ``count`` is how many alerts are over."""

    count: int = 0
    _latest: dict[tuple[str, ...], tuple[int, str]] = field(default_factory=dict)
    _open: defaultdict[tuple[str, ...], list[tuple[int, str]]] = field(default_factory=lambda: defaultdict(list))

    def alert(self, group: tuple[str, ...], reached_us: int, alert_id: str = "") -> tuple[int, str] | None:
        """An alert is there. Returns the finding that closes it, as (time, id); None if none did yet."""
        latest = self._latest.get(group)
        if latest and latest[0] > reached_us:
            self.count += 1
            return latest
        heappush(self._open[group], (reached_us, alert_id))
        return None

    def resolver(self, group: tuple[str, ...], time_us: int, event_id: str) -> list[str]:
        """A resolving finding. Returns which alerts it closes that were open."""
        self._latest[group] = max(self._latest.get(group, (0, "")), (time_us, event_id))
        waiting = self._open.get(group, [])
        closed = []
        while waiting and waiting[0][0] < time_us:
            closed.append(heappop(waiting)[1])
        if not waiting:
            self._open.pop(group, None)
        self.count += len(closed)
        return closed
