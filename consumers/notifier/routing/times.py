"""Stretches of time that come again: office hours, week-ends, a month's end; each in its own time zone.

Named times hold at a moment if one of their entries does; an entry does if all that it says does:
``weekdays``      names and ranges: ``monday:friday``, ``sunday``
``times``         from (inclusive) to (exclusive): ``09:00-17:00``; the day ends at 24:00. One that would cross midnight is two:
                  ``22:00-24:00`` and ``00:00-06:00``, so that it is clear which day each belongs to
``days_of_month`` numbers and ranges; negative ones count from the end: ``1:5``, ``-1`` the last day
``months``        names or numbers, and ranges: ``may:august``, ``12``
``years``         numbers and ranges: ``2026:2028``
``zone``          an IANA time zone, UTC without it. What the clock skips there does not come, what it repeats comes twice
Source: Alertmanager, "Configuration", ``time_interval``.
"""

import re
from calendar import monthrange
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final, TypeAlias
from zoneinfo import ZoneInfo

from consumers.marked import Path
from consumers.notifier.routing.form import MISSING, Form

MOST_NAMES: Final = 100
MOST_ENTRIES: Final = 50
MOST_RANGES: Final = 50

_FIELDS: Final = ("weekdays", "times", "days_of_month", "months", "years", "zone")
_WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTHS: Final = (
    *("january", "february", "march", "april", "may", "june"),
    *("july", "august", "september", "october", "november", "december"),
)
_CLOCK: Final = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])", re.ASCII)
_DAY_MINUTES: Final = 24 * 60
_NUMBER: Final = re.compile(r"-?[0-9]{1,4}", re.ASCII)
_LAST_DAY: Final = 31
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST_ZONE: Final = 64

Range: TypeAlias = tuple[int, int]
"""First and last, both inclusive."""
Times: TypeAlias = Callable[[int], bool]


@dataclass(frozen=True, slots=True)
class Entry:
    """What must hold together. Empty parts always do. ``minutes`` are of the day, ``weekdays`` from 0, Monday."""

    zone: tzinfo = UTC
    weekdays: tuple[Range, ...] = ()
    minutes: tuple[Range, ...] = ()
    days: tuple[Range, ...] = ()
    months: tuple[Range, ...] = ()
    years: tuple[Range, ...] = ()

    def holds(self, now_us: int) -> bool:
        """Whether this moment, in microseconds since the epoch, lies in it."""
        there = (_EPOCH + timedelta(microseconds=now_us)).astimezone(self.zone)
        minute = there.hour * 60 + there.minute
        return (
            _within(self.weekdays, there.weekday())
            and _within(self.minutes, minute)
            and _within(_from_the_end(self.days, there), there.day)
            and _within(self.months, there.month)
            and _within(self.years, there.year)
        )


def read(form: Form, given: Any, path: Path) -> Mapping[str, Times]:
    """Times by name, as a document has them at ``path``. What is wrong is a flaw of ``form``."""
    if not isinstance(given, dict) or len(given) > MOST_NAMES:
        form.flaw(path, f"an object: names, each with an array of times; at most {MOST_NAMES}")
        return {}
    return {form.name({name: name}, path, name): _named(form, entries, (*path, name)) for name, entries in given.items()}


def clock(value: Any) -> int | None:
    """The minute of the day of ``09:00``; None if it is no time of day."""
    found = _CLOCK.fullmatch(value) if isinstance(value, str) else None
    return int(found[1]) * 60 + int(found[2]) if found else None


def zone_named(form: Form, given: Mapping[str, Any], path: Path) -> tzinfo:
    """The time zone under ``zone``; UTC if there is none, or if it is wrong."""
    value = given.get("zone", "UTC")
    try:
        if isinstance(value, str) and len(value) <= _LONGEST_ZONE:
            return ZoneInfo(value)
    except (LookupError, OSError, ValueError):
        pass
    form.flaw((*path, "zone"), "the name of an IANA time zone, as Europe/Berlin or UTC")
    return UTC


def _named(form: Form, given: Any, path: Path) -> Times:
    entries = form.several(given, path, MOST_ENTRIES, "an array of times, each with some of weekdays, times and others", 1)
    read_ones = [_entry(form, entry, (*path, index)) for index, entry in enumerate(entries)]
    return lambda now_us: any(entry.holds(now_us) for entry in read_ones)


def _entry(form: Form, value: Any, path: Path) -> Entry:
    given = form.record(value, path, _FIELDS, f"an object with some of {', '.join(_FIELDS)}")
    return Entry(
        zone=zone_named(form, given, path),
        weekdays=_ranges(form, given, path, "weekdays"),
        minutes=_ranges(form, given, path, "times"),
        days=_ranges(form, given, path, "days_of_month"),
        months=_ranges(form, given, path, "months"),
        years=_ranges(form, given, path, "years"),
    )


def _ranges(form: Form, given: Mapping[str, Any], path: Path, key: str) -> tuple[Range, ...]:
    value = given.get(key, MISSING)
    if value is MISSING:
        return ()
    parse, accepted = _KINDS[key]
    found: list[Range] = []
    for index, item in enumerate(form.several(value, (*path, key), MOST_RANGES, f"an array of ranges, as {accepted}", 1)):
        parsed = parse(str(item).strip().lower()) if isinstance(item, str | int) else None
        if parsed is None:
            form.flaw((*path, key, index), f"a range, as {accepted}")
        else:
            found.append(parsed)
    return tuple(found)


def _minutes(text: str) -> Range | None:
    since, _, until = (part.strip() for part in text.partition("-"))
    first, last = clock(since), _DAY_MINUTES if until == "24:00" else clock(until)
    return (first, last - 1) if first is not None and last is not None and first < last else None


def _weekdays(text: str) -> Range | None:
    return _ordered(text, lambda part: _WEEKDAYS.index(part) if part in _WEEKDAYS else None)


def _months(text: str) -> Range | None:
    return _ordered(text, lambda part: _MONTHS.index(part) + 1 if part in _MONTHS else _number(part, 1, 12))


def _years(text: str) -> Range | None:
    return _ordered(text, lambda part: _number(part, 1970, 9999))


def _days(text: str) -> Range | None:
    first, last = _ends(text, lambda part: _number(part, -_LAST_DAY, _LAST_DAY) or None)
    if first is None or last is None or (last < first and last > 0) or (first < 0 < last) or (last < first < 0):
        return None
    return first, last


def _ordered(text: str, parse: Callable[[str], int | None]) -> Range | None:
    first, last = _ends(text, parse)
    return (first, last) if first is not None and last is not None and first <= last else None


def _ends(text: str, parse: Callable[[str], int | None]) -> tuple[int | None, int | None]:
    first, colon, last = (part.strip() for part in text.partition(":"))
    return parse(first), parse(last if colon else first)


def _number(text: str, least: int, most: int) -> int | None:
    return int(text) if _NUMBER.fullmatch(text) and least <= int(text) <= most else None


_KINDS: Final[Mapping[str, tuple[Callable[[str], Range | None], str]]] = {
    "weekdays": (_weekdays, "monday:friday or sunday"),
    "times": (_minutes, "09:00-17:00, to 24:00 at most; what crosses midnight is two: 22:00-24:00 and 00:00-06:00"),
    "days_of_month": (_days, "1:5, or -1 for the last day"),
    "months": (_months, "may:august, or 12"),
    "years": (_years, "2026, or 2026:2028"),
}
"""Per field how a range is read, and the accepted form."""


def _within(ranges: Sequence[Range], value: int) -> bool:
    return not ranges or any(first <= value <= last for first, last in ranges)


def _from_the_end(ranges: Sequence[Range], there: datetime) -> list[Range]:
    """Ranges of days with those that count from the month's end as days of this month."""
    last_day = monthrange(there.year, there.month)[1]
    return [(_day(first, last_day), _day(last, last_day)) for first, last in ranges]


def _day(day: int, last_day: int) -> int:
    return day if day > 0 else last_day + 1 + day
