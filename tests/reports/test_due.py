"""When reports are due where their readers are, through nights in which clocks are turned."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.routing.tree import Report
from consumers.reports.daily import HOUR_US
from consumers.reports.due import DAILY, MADE_UP_FOR_US, Due, due

ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia", "Pacific/Kiritimati"]
reports = st.builds(Report, st.just("r"), st.integers(0, 23), st.integers(0, 59), st.sampled_from(ZONES))
days = st.dates(date(2009, 1, 5), date(2035, 1, 1))


def at(text: str) -> int:
    return (datetime.fromisoformat(text).replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)) // timedelta(microseconds=1)


@pytest.mark.parametrize(
    ("report", "day", "moment", "hours"),
    [
        (DAILY, date(2024, 5, 2), "2024-05-02T09:00", 24),
        (Report("r", 9, 0, "Europe/Berlin"), date(2024, 3, 30), "2024-03-30T08:00", 24),
        (Report("r", 9, 0, "Europe/Berlin"), date(2024, 3, 31), "2024-03-31T07:00", 23),
        (Report("r", 9, 0, "Europe/Berlin"), date(2024, 10, 27), "2024-10-27T08:00", 25),
        (Report("r", 2, 30, "Europe/Berlin"), date(2024, 3, 31), "2024-03-31T01:30", 24),
        (Report("r", 2, 30, "Europe/Berlin"), date(2024, 4, 1), "2024-04-01T00:30", 23),
        (Report("r", 2, 30, "Europe/Berlin"), date(2024, 10, 27), "2024-10-27T00:30", 24),
        (Report("r", 2, 30, "Europe/Berlin"), date(2024, 10, 28), "2024-10-28T01:30", 25),
        (Report("r", 9, 0, "America/New_York"), date(2024, 11, 3), "2024-11-03T14:00", 25),
        (Report("r", 9, 0, "Asia/Kolkata"), date(2024, 5, 2), "2024-05-02T03:30", 24),
    ],
    ids=lambda value: f"{value.hour:02}:{value.minute:02} {value.zone}" if isinstance(value, Report) else str(value),
)
def test_a_report_is_due_at_its_local_time_however_clocks_are_turned(report: Report, day: date, moment: str, hours: int) -> None:
    found = Due.on(report, day)

    assert found.at_us == at(moment)
    assert found.window.until_us == found.at_us // HOUR_US * HOUR_US
    assert found.window.until_us - found.window.since_us == hours * HOUR_US


@given(reports, days)
def test_windows_of_consecutive_days_join(report: Report, day: date) -> None:
    assert Due.on(report, day).window.until_us == Due.on(report, day + timedelta(days=1)).window.since_us


@given(reports, days)
def test_each_date_has_one_report_and_it_is_found_at_its_moment(report: Report, day: date) -> None:
    wanted = Due.on(report, day)

    assert due(report, wanted.at_us) == wanted
    before = due(report, wanted.at_us - 1)
    assert before is None or before.day < wanted.day


@given(reports, days)
def test_a_report_is_made_up_for_but_not_for_ever(report: Report, day: date) -> None:
    wanted = Due.on(report, day)

    last = due(report, wanted.at_us + MADE_UP_FOR_US - 1)
    assert last is not None
    assert last.day >= wanted.day
    assert due(report, wanted.at_us + MADE_UP_FOR_US) != wanted
