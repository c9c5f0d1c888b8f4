"""Microseconds since the epoch as RFC 3339 text, and back, exactly.

Source: RFC 3339, "Date and Time on the Internet: Timestamps", section 5.6. Leap seconds are refused: the epoch has none.
"""

import re
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Final

PATTERN: Final = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)$"
"""RFC 3339 with at most microseconds: finer ones cannot be kept."""

_FORM: Final = re.compile(PATTERN, re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_DAYS: Final = 512
"""How many days' texts are remembered: what comes together is of about the same time."""
_MICROSECOND: Final = timedelta(microseconds=1)


def text(time_us: int) -> str:
    """``1970-01-01T00:00:00.000001Z`` for 1: always UTC, always six decimals, so that texts of our own sort by time."""
    seconds, fraction = divmod(time_us, 1_000_000)
    minutes, second = divmod(seconds, 60)
    hours, minute = divmod(minutes, 60)
    day, hour = divmod(hours, 24)
    return f"{_date(day)}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z"


@lru_cache(maxsize=_DAYS)
def _date(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def microseconds(timestamp: str) -> int:
    """The inverse of ``text``, for any offset. Raises ``ValueError`` naming the accepted form."""
    try:
        if not _FORM.match(timestamp):
            raise ValueError  # noqa: TRY301 - one message for both ways to be wrong
        return (datetime.fromisoformat(timestamp.upper()) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        message = f"{timestamp[:64]!r} is not an RFC 3339 timestamp of at most microseconds, like 2024-05-01T12:00:00.25Z"
        raise ValueError(message) from None
