"""Figures from hourly and daily counts: totals by one dimension, buckets over time, shares. Pure."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

from consumers.api.views import severity_name
from projections.reading import Count

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

Dimension = Literal["severity", "source", "account"]

KEYS: Final[Mapping[Dimension, Callable[[Count], str]]] = {
    "severity": lambda count: severity_name(count.severity),
    "source": lambda count: count.source,
    "account": lambda count: count.account,
}


@dataclass(frozen=True, slots=True)
class Slot:
    """One hour or day: its first microsecond and its counts by one dimension, the largest first."""

    start_us: int
    split: Mapping[str, int]

    @property
    def count(self) -> int:
        """All of it."""
        return sum(self.split.values())


def floor(time_us: int, step_us: int) -> int:
    """The start of the bucket that ``time_us`` falls into."""
    return time_us - time_us % step_us


def ceiling(time_us: int, step_us: int) -> int:
    """The start of the first bucket that begins at ``time_us`` or later."""
    return floor(time_us + step_us - 1, step_us)


def totals(counts: Iterable[Count], by: Dimension) -> dict[str, int]:
    """Findings by one dimension, the largest first, equal ones by name."""
    key = KEYS[by]
    sums: Counter[str] = Counter()
    for count in counts:
        sums[key(count)] += count.count
    return dict(sorted(sums.items(), key=lambda item: (-item[1], item[0])))


def slots(counts: Sequence[Count], since_us: int, until_us: int, step_us: int, by: Dimension) -> list[Slot]:
    """Every bucket that begins in the range, empty ones included, oldest first. ``since_us`` is a bucket's start."""
    gathered: dict[int, list[Count]] = {start_us: [] for start_us in range(since_us, until_us, step_us)}
    for count in counts:
        gathered[count.start_us].append(count)
    return [Slot(start_us, totals(inside, by)) for start_us, inside in gathered.items()]
