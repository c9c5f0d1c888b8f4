"""Figures: what was measured, beside the naive baselines of the same run, and against which target."""

import gc
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from statistics import median
from typing import Final

Run = Callable[[], float]
"""Measures once; returns events per second, or seconds."""


@dataclass(frozen=True, slots=True)
class Target:
    """What performance.md asks for: a ratio to ``plain``, or an own value, at least or at most."""

    text: str
    ratio: float | None = None
    at_most: float | None = None


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of the table. ``faster`` ratios are above 1 where ours is the better one."""

    name: str
    unit: str
    ours: float
    plain: float | None = None
    equal: float | None = None
    times_plain: float | None = None
    times_equal: float | None = None
    target: Target | None = None
    note: str = ""

    @property
    def met(self) -> bool | None:
        """Whether the target is reached; None if there is none."""
        if self.target is None:
            return None
        if self.target.ratio is not None:
            return self.times_plain is not None and self.times_plain >= self.target.ratio
        return self.target.at_most is not None and self.ours <= self.target.at_most


RATES: Final = frozenset({"ev/s"})


def contest(
    name: str, unit: str, rounds: int, runs: Mapping[str, Run], *, target: Target | None = None, note: str = ""
) -> Figure:
    """Run ``ours``, ``plain``, ``equal`` (where given) in turn, ``rounds`` times; medians, and medians of each round's ratios."""
    measured: dict[str, list[float]] = {who: [] for who in runs}
    for _ in range(rounds):
        for who, run in runs.items():
            gc.collect()
            measured[who].append(run())
    ratios = {
        who: median(
            mine / theirs if unit in RATES else theirs / mine
            for mine, theirs in zip(measured["ours"], measured[who], strict=True)
        )
        for who in runs
    }
    return Figure(
        name,
        unit,
        median(measured["ours"]),
        median(measured["plain"]) if "plain" in runs else None,
        median(measured["equal"]) if "equal" in runs else None,
        ratios.get("plain"),
        ratios.get("equal"),
        target,
        note,
    )
