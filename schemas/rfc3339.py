"""Microseconds since the epoch as RFC 3339 text, and back, exactly.

Source: RFC 3339, "Date and Time on the Internet: Timestamps", section 5.6. Leap seconds are refused: the epoch has none.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Final

PATTERN: Final = r"^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,6})?([Zz]|[+-]\d\d:\d\d)$"
"""RFC 3339 with at most microseconds: finer ones cannot be kept."""

_FORM: Final = re.compile(PATTERN, re.ASCII)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def text(time_us: int) -> str:
    """``1970-01-01T00:00:00.000001Z`` for 1: always UTC, always six decimals, so that texts of our own sort by time."""
    return (_EPOCH + timedelta(microseconds=time_us)).isoformat(timespec="microseconds")[:-6] + "Z"


def microseconds(timestamp: str) -> int:
    """The inverse of ``text``, for any offset. Raises ``ValueError`` naming the accepted form."""
    try:
        if not _FORM.match(timestamp):
            raise ValueError  # noqa: TRY301 - one message for both ways to be wrong
        return (datetime.fromisoformat(timestamp.upper()) - _EPOCH) // _MICROSECOND
    except (ValueError, OverflowError):
        message = f"{timestamp[:64]!r} is not an RFC 3339 timestamp of at most microseconds, like 2024-05-01T12:00:00.25Z"
        raise ValueError(message) from None
