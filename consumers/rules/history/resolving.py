"""Which alerts of one rule are over: those after whose last finding one came that the rule's ``resolve`` matches.

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

    def alert(self, group: tuple[str, ...], last_us: int, alert_id: str = "") -> str:
        """An alert is there. Returns the finding that closes it, "" if none did yet."""
        time_us, event_id = self._latest.get(group, (-1, ""))
        if time_us > last_us:
            self.count += 1
            return event_id
        heappush(self._open[group], (last_us, alert_id))
        return ""

    def resolver(self, group: tuple[str, ...], time_us: int, event_id: str) -> list[str]:
        """A resolving finding. Returns which alerts it closes that were open."""
        self._latest[group] = max(self._latest.get(group, (-1, "")), (time_us, event_id))
        waiting = self._open.get(group, [])
        closed = []
        while waiting and waiting[0][0] < time_us:
            closed.append(heappop(waiting)[1])
        if not waiting:
            self._open.pop(group, None)
        self.count += len(closed)
        return closed
