"""Read-your-writes: an answer at least as fresh as the positions, or the version, that a write returned.

Bound: waits ``wait_seconds`` at most, then refuses with 503 and ``Retry-After``; it never answers stale.
"""

from collections.abc import Callable
from time import monotonic, sleep
from typing import Final

from consumers.api.errors import ValueRefused
from pipeline.log.port import Position
from projections.errors import NotFresh
from projections.reading import Reading

WAIT_SECONDS: Final = 5.0

_FIRST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.01


class Freshness:
    """Waits for projections."""

    def __init__(self, reading: Reading, *, wait_seconds: float = WAIT_SECONDS) -> None:
        self._reading = reading
        self._wait_seconds = wait_seconds

    def ensure(self, projection: str, *asked: str) -> None:
        """Return once ``projection`` has folded all positions in ``asked`` (comma separated texts; empty ones ask nothing).

        Raises ``ValueRefused`` for what is no position, ``NotFresh`` at the deadline.
        """
        positions = [_position(text) for texts in asked for text in texts.split(",") if text.strip()]
        if positions:
            self._reading.wait_for(projection, positions, self._wait_seconds)

    def at_least(self, version: int, shown: Callable[[], int]) -> None:
        """Return once what is ``shown`` (0: nothing) has this version. Raises ``NotFresh`` at the deadline."""
        deadline = monotonic() + self._wait_seconds
        pause = _FIRST_PAUSE_SECONDS
        while version and shown() < version:
            if monotonic() >= deadline:
                message = f"version {version} is not shown within {self._wait_seconds:g} s; ask again"
                raise NotFresh(message)
            sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)


def _position(text: str) -> Position:
    try:
        return Position.parse(text.strip())
    except ValueError as wrong:
        message = "the request has wrong values; see details"
        raise ValueRefused(message, fields=[("fresh", str(wrong))]) from wrong
