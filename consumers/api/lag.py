"""How far each projection is behind the log, in events and in seconds.

Seconds are the age, since it was recorded, of the oldest event that a projection has not folded yet: what a reader misses.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from projections.reading import ProjectionState

MICROSECONDS: Final = 1_000_000


@dataclass(frozen=True, slots=True)
class Lag:
    """The most that any projection is behind, in events and in seconds; they may be of different projections."""

    events: int
    seconds: float


def seconds_behind(state: ProjectionState, *, now_us: int) -> float:
    """How long the oldest event that ``state`` misses has been waiting; 0 if it misses none."""
    return 0.0 if state.waiting_since_us is None else max(0, now_us - state.waiting_since_us) / MICROSECONDS


def furthest(states: Sequence[ProjectionState], *, now_us: int) -> Lag:
    """The lag of the whole read side."""
    return Lag(
        max((state.lag_events for state in states), default=0),
        max((seconds_behind(state, now_us=now_us) for state in states), default=0.0),
    )
