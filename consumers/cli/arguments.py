"""What people may write as a time, a severity, or a number of things; a wrong one is refused with the accepted form."""

import re
from datetime import UTC, date, datetime
from typing import Annotated, Final

import typer

from consumers.composition import now_us
from consumers.palette import SEVERITIES
from schemas.identity import MICROSECONDS

_LENGTH: Final = re.compile(r"(\d{1,6})([smhdw])")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_WORDS: Final = {look.word: level for level, look in enumerate(SEVERITIES)}


def time_us(text: str) -> int:
    """``90s 15m 2h 7d 1w`` ago, a UTC day, or an RFC 3339 time, as microseconds since the epoch."""
    length = _length_us(text)
    return _moment_us(text, "15m, 2h or 7d (ago)") if length is None else now_us() - length


def ahead_us(text: str) -> int:
    """The same of what lies ahead: ``2h`` is in two hours."""
    length = _length_us(text)
    return _moment_us(text, "15m, 2h or 7d (from now)") if length is None else now_us() + length


def _length_us(text: str) -> int | None:
    """A stretch of time, if it is one."""
    found = _LENGTH.fullmatch(text)
    return int(found[1]) * _UNITS[found[2]] * MICROSECONDS if found else None


def _moment_us(text: str, relative: str) -> int:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        when = None
    if when is None or (when.tzinfo is None and len(text) > len("2026-01-31")):
        message = f"{text!r} is no time; write {relative}, 2026-01-31, or 2026-01-31T09:00:00Z"
        raise typer.BadParameter(message)
    when = when.replace(tzinfo=when.tzinfo or UTC)
    return round((when - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() * MICROSECONDS)


def level(given: str | int) -> int:
    """A severity by its word or number, 0 to 4."""
    text = str(given)  # a default is given as it is
    found = _WORDS.get(text.upper())
    if found is None and text.isascii() and text.isdigit() and int(text) < len(SEVERITIES):
        found = int(text)
    if found is None:
        message = f"{text!r} is no severity; write {', '.join(_WORDS)}, or 0 to {len(SEVERITIES) - 1}"
        raise typer.BadParameter(message)
    return found


def account_id(text: str) -> str:
    """An AWS account; "" for any."""
    if text and not _ACCOUNT.fullmatch(text):
        message = f"{text!r} is no account; write its 12 digits"
        raise typer.BadParameter(message)
    return text


def share(text: str) -> float:
    """A share of all, 0 to 0.9."""
    try:
        found = float(text)
    except ValueError:
        found = -1.0
    if not 0 <= found <= 0.9:  # noqa: PLR2004 -- as the sample's mix says
        message = f"{text!r} is no share; write a number from 0 to 0.9"
        raise typer.BadParameter(message)
    return found


def day(text: str) -> date:
    """A day, written 2026-01-31."""
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).date()
    except ValueError:
        message = f"{text!r} is no day; write it as 2026-01-31"
        raise typer.BadParameter(message) from None


def check_range(since_us: int | None, until_us: int | None) -> None:
    """Refuse a range that holds no time at all."""
    if since_us is not None and until_us is not None and since_us >= until_us:
        message = "must be later than --since; 3h (ago) is earlier than 2h"
        raise typer.BadParameter(message, param_hint="--until")


Since = Annotated[int | None, typer.Option("--since", parser=time_us, metavar="TIME", help="Not before: 2h, 7d, 2026-01-31, …")]
Until = Annotated[int | None, typer.Option("--until", parser=time_us, metavar="TIME", help="Before: a time as for --since.")]
Account = Annotated[str, typer.Option("--account", parser=account_id, metavar="ACCOUNT", help="Only this account, 12 digits.")]
Severity = Annotated[
    int, typer.Option("--severity", "-s", parser=level, metavar="LEVEL", help="At least: LOW, MEDIUM, HIGH, CRITICAL.")
]
