"""Moments as the watched world writes them, in microseconds since the epoch, UTC.

Exact to the microsecond: finer fractions are cut off (floor), coarser ones are filled with zeros; no float rounding on the way.
Zone:  a time without a zone is UTC, as everywhere in AWS data.
Forms: what AWS services, their logs and their SDKs write:

- ISO 8601 / RFC 3339: ``2024-02-17T11:53:08Z``, ``…08.431+0000``, ``…+01:00``, a space for the ``T``, 1-12 fraction digits,
  a leap second (it counts as the second after);
- RFC 1123, of which the weekday is not looked at: ``Tue, 7 Feb 2017 00:55:52 GMT``;
- month first, as Java and scripts print it: ``Jul 29, 2020, 7:00:00 PM``, ``Jan 01 2018 12:00``;
- epoch numbers, as integer, float or text, whose unit their size tells: seconds below 10^11, milliseconds below 10^14,
  microseconds below 10^17, nanoseconds below 10^20. (So milliseconds before March 1973 would be taken for seconds.)

A date without a time of day is no moment and is refused.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_FLOOR, Decimal
from functools import lru_cache
from typing import Any, Final

from pipeline.errors import NotATime
from schemas.envelope import MAX_TIME_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_DAY: Final = _EPOCH.toordinal()
_MICROSECOND: Final = timedelta(microseconds=1)
_COMMON: Final = {20: "Z", 24: "Z", 28: "0"}
"""Length and last character of ``2024-02-17T11:53:08Z``, ``…:08.431Z`` and ``…:08.431+0000``: nearly all, and read fast."""

_ISO: Final = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt ](\d\d):(\d\d)(?::(\d\d)(?:[.,](\d{1,12}))?)?(?: ?(?:UTC|GMT|[Zz]|([+-])(\d\d):?(\d\d)?))?",
    re.ASCII,
)
_RFC_1123: Final = re.compile(
    r"(?:[A-Za-z]{3,9},? )?(\d\d?) ([A-Za-z]{3}) (\d{4}) (\d\d):(\d\d):(\d\d) (?:GMT|UTC|Z|([+-])(\d\d)(\d\d))", re.ASCII
)
_MONTH_FIRST: Final = re.compile(
    r"([A-Za-z]{3}) (\d\d?),? (\d{4}),? (\d\d?):(\d\d)(?::(\d\d))?(?: ?([AaPp])[Mm])?(?: (?:UTC|GMT|Z))?", re.ASCII
)
_NUMBER: Final = re.compile(r"[+-]?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?", re.ASCII)
_MONTHS: Final = {
    name: number
    for number, name in enumerate(("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), start=1)
}
_UNITS: Final = ((10**11, 10**6), (10**14, 10**3), (10**17, 1))
_NANOSECONDS_BELOW: Final = 10**20
_NOON: Final = 12
_LEAP_SECOND: Final = 60
_RANGE: Final = "is out of range: times lie between 1970 and 9999"


def micros(value: Any) -> int:
    """The moment that ``value`` names, at or after 1970 and before the year 10000. Raises ``NotATime``."""
    if type(value) is str:
        moment = _common(value) if _COMMON.get(len(value)) == value[-1:] and value[7:11:3] == "-T" else _from_text(value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        moment = _from_number(value)
    else:
        raise NotATime(value)
    if not 0 <= moment < MAX_TIME_US:
        raise NotATime(value, _RANGE)
    return moment


@lru_cache(maxsize=4096)
def _common(text: str) -> int:
    """What comes in a storm has few different times, so they are remembered."""
    try:
        return (datetime.fromisoformat(text) - _EPOCH) // _MICROSECOND
    except (ValueError, TypeError):  # a leap second, a time without a zone
        return _from_text(text)


def _from_text(text: str) -> int:
    text = text.strip()
    try:
        if found := _ISO.fullmatch(text):
            year, month, day, hour, minute, second, fraction, *zone = found.groups()
            moment = _moment((int(year), int(month), int(day)), (int(hour), int(minute), int(second or 0)), zone)
            return moment + int((fraction or "").ljust(6, "0")[:6])
        if found := _RFC_1123.fullmatch(text):
            day, month, year, hour, minute, second, *zone = found.groups()
            return _moment((int(year), _MONTHS[month.lower()], int(day)), (int(hour), int(minute), int(second)), zone)
        if found := _MONTH_FIRST.fullmatch(text):
            month, day, year, hour, minute, second, half = found.groups()
            clock = (_hour(int(hour), half), int(minute), int(second or 0))
            return _moment((int(year), _MONTHS[month.lower()], int(day)), clock, ())
    except (ValueError, KeyError):
        raise NotATime(text, "names a day or a time of day that does not exist") from None
    if _NUMBER.fullmatch(text):
        return _from_number(Decimal(text))
    raise NotATime(text)


def _moment(day: tuple[int, int, int], clock: tuple[int, int, int], zone: Sequence[str | None]) -> int:
    hour, minute, second = clock
    if hour > 23 or minute > 59 or second > _LEAP_SECOND:  # noqa: PLR2004 - a clock's
        raise ValueError
    seconds = ((date(*day).toordinal() - _EPOCH_DAY) * 24 + hour) * 3600 + minute * 60 + second
    if zone and zone[0]:
        sign, hours, minutes = zone
        offset = int(hours or 0) * 3600 + int(minutes or 0) * 60
        if offset >= 24 * 3600 or int(minutes or 0) > 59:  # noqa: PLR2004 - a clock's
            raise ValueError
        seconds -= offset if sign == "+" else -offset
    return seconds * 10**6


def _hour(hour: int, half: str | None) -> int:
    """The hour of the day, of an hour that may be told on a 12-hour clock."""
    if not half:
        return hour
    if not 1 <= hour <= _NOON:
        raise ValueError
    return hour % _NOON + (_NOON if half in "Pp" else 0)


def _from_number(number: float | Decimal) -> int:
    if not math.isfinite(number):
        raise NotATime(number)
    exact = Decimal(str(number))
    size = abs(exact)
    for below, factor in _UNITS:
        if size < below:
            return _floor(exact * factor)
    if size < _NANOSECONDS_BELOW:
        return _floor(exact / 1000)
    raise NotATime(number, _RANGE)


def _floor(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR))
