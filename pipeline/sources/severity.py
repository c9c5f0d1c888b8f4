"""How bad a finding is, on one scale for all sources (requirement I2), and the words that sources use for it.

Words:   INFORMATIONAL, INFO, DEBUG, NOTICE, OK are LOW: the source says that it looked and that nothing presses.
UNKNOWN: the source says nothing of severity, or something that nobody can place.
Numbers: 0-5 are this scale; 5 is accepted as CRITICAL. They count for our own and custom sources only: AWS services number
         theirs each in its own way.
"""

from collections.abc import Mapping
from typing import Any, Final

from pipeline.errors import ItemRejected, quoted

UNKNOWN: Final = 0
LOW: Final = 1
MEDIUM: Final = 2
HIGH: Final = 3
CRITICAL: Final = 4

_ACCEPTED_AS_CRITICAL: Final = 5

WORDS: Final[Mapping[str, int]] = {
    "UNKNOWN": UNKNOWN,
    "TRACE": LOW,
    "DEBUG": LOW,
    "INFO": LOW,
    "INFORMATIONAL": LOW,
    "INFORMATION": LOW,
    "NOTICE": LOW,
    "OK": LOW,
    "LOW": LOW,
    "MINOR": LOW,
    "WARN": MEDIUM,
    "WARNING": MEDIUM,
    "MEDIUM": MEDIUM,
    "MODERATE": MEDIUM,
    "ERROR": HIGH,
    "MAJOR": HIGH,
    "HIGH": HIGH,
    "FATAL": CRITICAL,
    "EMERGENCY": CRITICAL,
    "CRITICAL": CRITICAL,
}


def of_word(value: Any) -> int | None:
    """The severity that a word names, in any case; None if it names none."""
    return WORDS.get(value.strip().upper()) if isinstance(value, str) else None


def of_custom(value: Any, *, field: str) -> int:
    """The severity that our own or a custom source states: a word above or a number 0-5, absent is UNKNOWN.

    Raises ``ItemRejected`` for anything else: what a producer of ours means must not be guessed.
    """
    if value is None:
        return UNKNOWN
    named = of_word(value)
    if named is not None:
        return named
    number = int(value) if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) == 1 else value
    if isinstance(number, int | float) and not isinstance(number, bool) and number in range(_ACCEPTED_AS_CRITICAL + 1):
        return min(int(number), CRITICAL)
    accepted = "UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL or a number from 0 to 5"
    raise ItemRejected.of(field, f"{field} {quoted(value)} is no severity (accepted: {accepted})")
