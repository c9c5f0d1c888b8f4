"""How many events a second, over the last minute: a ring of seconds, bounded whatever the rate."""

from collections.abc import Iterable
from typing import Final

WINDOW_SECONDS: Final = 60
MICROSECONDS: Final = 1_000_000


class Rate:
    """Counts by the second in which events were recorded. For one writer; reading from other threads sees whole seconds."""

    def __init__(self) -> None:
        self._counts: dict[int, int] = {}

    def add(self, recorded_us: Iterable[int]) -> None:
        """Events recorded at these microseconds."""
        counts = dict(self._counts)
        for moment in recorded_us:
            second = moment // MICROSECONDS
            counts[second] = counts.get(second, 0) + 1
        oldest = max(counts, default=0) - WINDOW_SECONDS - 1
        self._counts = {second: count for second, count in counts.items() if second > oldest}

    def per_second(self, now_us: int) -> float:
        """The mean of the ``WINDOW_SECONDS`` whole seconds before the current one."""
        now = now_us // MICROSECONDS
        return sum(count for second, count in self._counts.items() if now - WINDOW_SECONDS <= second < now) / WINDOW_SECONDS
