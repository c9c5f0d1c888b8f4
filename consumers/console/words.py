"""How the pages say numbers and times. Times are UTC and say so."""

from datetime import UTC, datetime
from typing import Final

_UNITS: Final = ((86_400.0, "d"), (3_600.0, "h"), (60.0, "min"), (1.0, "s"))


def moment(seconds: float) -> datetime:
    """Unix seconds as a moment in UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def clock_time(seconds: float) -> str:
    """``14:03:22``."""
    return f"{moment(seconds):%H:%M:%S}"


def day_time(seconds: float) -> str:
    """``2026-01-02 14:03:22``."""
    return f"{moment(seconds):%Y-%m-%d %H:%M:%S}"


def machine_time(seconds: float) -> str:
    """``2026-01-02T14:03:22.000000Z``, for the ``datetime`` attribute."""
    return f"{moment(seconds):%Y-%m-%dT%H:%M:%S.%fZ}"


def duration(seconds: float) -> str:
    """``0 s``, ``850 ms``, ``12 s``, ``3 min``, ``5 h``, ``2 d``: one figure, rounded down."""
    if 0 < seconds < 1:
        return f"{max(1, int(seconds * 1000))} ms"
    for size, unit in _UNITS:
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return "0 s"


def count(number: float) -> str:
    """``1,234,567``; fractions to one place while they matter."""
    if 0.05 <= number < 100 and number != int(number):  # noqa: PLR2004 - three figures are enough
        return f"{number:.1f}"
    return f"{number:,.0f}"


def change(now: int, before: int) -> str:
    """``+12 %``, minus three per cent likewise, ``no change``, or ``new`` where there was nothing before."""
    if now == before:
        return "no change"
    if before == 0:
        return "new"
    percent = round(100 * (now - before) / before)
    return f"+{percent:,} %" if percent > 0 else f"\N{MINUS SIGN}{-percent:,} %"
