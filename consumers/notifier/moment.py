"""Times as people read them."""

from datetime import UTC, datetime
from typing import Final

from schemas.identity import MICROSECONDS

_LAST_US: Final = 253_402_300_799 * MICROSECONDS
"""Of the year 9999."""


def moment(time_us: int) -> str:
    """UTC, to the second, at most that of the year 9999's end."""
    return f"{datetime.fromtimestamp(min(time_us, _LAST_US) // MICROSECONDS, UTC):%Y-%m-%d %H:%M:%SZ}"
