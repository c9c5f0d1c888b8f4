"""When reports are due: at their time of the day where their readers are, once a date.

Clocks:  a time that a day lacks (clocks go forward over it) counts as if they had not yet been turned; of one that a day has
         twice it is the first. So each date has one report.
Windows: from the report's time of the day before to its time of this one, both cut to the whole hour of UTC, by which findings
         are counted: 24 hours, 23 or 25 where clocks were turned meanwhile. Those of consecutive dates join without a gap.
Late:    a report that nobody was there to issue is still due for ``MADE_UP_FOR_US``.
"""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final, Self
from zoneinfo import ZoneInfo

from consumers.notifier.routing.tree import Report
from consumers.reports.daily import HOUR_US, Window

DAILY: Final = Report("daily", hour=9, minute=0, zone="UTC")
"""What is issued unless the routing says otherwise."""
MADE_UP_FOR_US: Final = 15 * HOUR_US

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Due:
    """A report of one ``day``, a date as text. ``at_us`` is when it is due, microseconds since the epoch."""

    report: Report
    day: str
    at_us: int
    window: Window

    @classmethod
    def on(cls, report: Report, day: date) -> Self:
        """That of ``day``, a date where its readers are."""
        at_us = _moment(report, day)
        return cls(report, day.isoformat(), at_us, Window(_hour(_moment(report, day - _DAY)), _hour(at_us)))


def due(report: Report, now_us: int) -> Due | None:
    """The report of the newest date whose time has come, unless that was too long ago."""
    today = (_EPOCH + timedelta(microseconds=now_us)).astimezone(ZoneInfo(report.zone)).date()
    found = Due.on(report, today)
    if found.at_us > now_us:
        found = Due.on(report, today - _DAY)
    return found if found.at_us <= now_us < found.at_us + MADE_UP_FOR_US else None


def _moment(report: Report, day: date) -> int:
    local = datetime.combine(day, time(report.hour, report.minute), ZoneInfo(report.zone))
    return (local - _EPOCH) // _MICROSECOND


def _hour(moment_us: int) -> int:
    return moment_us // HOUR_US * HOUR_US
