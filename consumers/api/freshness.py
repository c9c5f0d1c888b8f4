"""Read-your-writes: an answer at least as fresh as the positions that a write returned.

Bound: waits ``wait_seconds`` at most, then refuses with 503 and ``Retry-After``; it never answers stale.
"""

from typing import Final

from consumers.api.errors import ValueRefused
from pipeline.log.port import Position
from projections.reading import Reading

WAIT_SECONDS: Final = 5.0


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


def _position(text: str) -> Position:
    try:
        return Position.parse(text.strip())
    except ValueError as wrong:
        message = "the request has wrong values; see details"
        raise ValueRefused(message, fields=[("fresh", str(wrong))]) from wrong
