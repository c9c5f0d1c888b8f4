"""How long to wait before the next try: a random share of a span that doubles, so that many agents do not come back at once."""

from collections.abc import Callable
from typing import Final

FIRST_SECONDS: Final = 0.5
LONGEST_SECONDS: Final = 8.0


def wait_seconds(tries: int, random: Callable[[], float]) -> float:
    """The wait after so many failed tries, the first being 1. ``random`` gives a number from 0 to below 1."""
    return random() * float(min(LONGEST_SECONDS, FIRST_SECONDS * 2**tries))
