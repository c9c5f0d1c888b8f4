"""What the daily report tells of the 24 hours before it."""

import pytest

from consumers.reports.daily import DAY_US, HOUR_US, DailyReport, TopResource, Totals, Window, build, read
from pipeline.log.port import Position
from projections.event_index import Entry
from projections.reading import Count, Task
from tests.reports.readings import MadeUp

MIDNIGHT = 1_714_608_000_000_000
"""2024-05-02T00:00:00Z."""
END = MIDNIGHT + 9 * HOUR_US
NOW = END + 5
WINDOW = Window(END - DAY_US, END)
A, B = "111111111111", "222222222222"


def count(hours_before: int, number: int, source: str = "aws.health", severity: int = 2, account: str = A) -> Count:
    return Count(END - hours_before * HOUR_US, source, severity, account, number)


def entry(number: int, *resources: str, hours_before: int = 1) -> Entry:
    return Entry(
        id=f"event-{number}",
        type="finding.observed",
        time_us=END - hours_before * HOUR_US,
        recorded_us=END,
        source="aws.health",
        account=A,
        region="",
        subject="s",
        severity=2,
        summary="",
        resources=resources,
        source_id="",
        position=Position("shard-0", number),
    )


def task(status: str) -> Task:
    return Task(status, "title", "", status, "high", "", "", None, 0, 0, None, overdue=False, version=1)


def test_an_empty_day_is_a_report_of_nothing() -> None:
    nothing = Totals({}, {}, {})

    assert build(MadeUp(), WINDOW, NOW) == DailyReport("2024-05-02", Window(END - DAY_US, END), nothing, nothing, (), 0)


def test_findings_are_counted_by_source_severity_and_account_the_most_first() -> None:
    reading = MadeUp(counts=[count(1, 3), count(2, 5, "aws.guardduty", 4, B), count(24, 2, account="")])

    report = build(reading, WINDOW, NOW)

    assert report.total == 10
    assert report.totals == Totals({"aws.guardduty": 5, "aws.health": 5}, {"2": 5, "4": 5}, {B: 5, A: 3, "": 2})
    assert list(report.totals.account) == [B, A, ""]


def test_the_window_is_the_24_hours_before_its_end() -> None:
    reading = MadeUp(counts=[count(0, 100), count(1, 1), count(24, 2), count(25, 40), count(48, 50), count(49, 1000)])

    report = build(reading, WINDOW, NOW)

    assert report.window == Window(END - DAY_US, END)
    assert report.total == 3
    assert report.total_change == 3 - 90


def test_a_longer_window_is_compared_with_as_long_a_one_before() -> None:
    reading = MadeUp(counts=[count(1, 1), count(25, 2), count(26, 40), count(50, 50), count(51, 1000)])

    report = build(reading, Window(END - 25 * HOUR_US, END), NOW)

    assert (report.total, report.total_change) == (3, 3 - 90)


def test_a_report_names_its_readers_zone_and_date() -> None:
    report = build(MadeUp(), WINDOW, NOW, date="2024-05-01", report="americas", zone="America/Lima")

    assert (report.report, report.zone, report.date) == ("americas", "America/Lima", "2024-05-01")
    assert read(report.body()) == report


def test_a_report_of_before_there_were_zones_is_read_as_one_of_utc() -> None:
    older = {name: value for name, value in build(MadeUp(), WINDOW, NOW).body().items() if name not in ("report", "zone")}

    report = read(older)

    assert report is not None
    assert (report.report, report.zone) == ("daily", "UTC")


def test_the_change_names_what_came_and_what_went() -> None:
    reading = MadeUp(
        counts=[
            count(1, 3, "aws.new", 1, A),
            count(1, 2, "aws.both", 2, B),
            count(30, 5, "aws.both", 2, B),
            count(30, 1, "aws.gone", 4, A),
        ]
    )

    assert build(reading, WINDOW, NOW).change == Totals(
        {"aws.new": 3, "aws.both": -3, "aws.gone": -1}, {"1": 3, "2": -3, "4": -1}, {A: 2, B: -3}
    )


def test_the_resources_that_most_findings_name_are_told() -> None:
    reading = MadeUp(entries=[entry(1, "b", "a", "a"), entry(2, "a"), entry(3, "c"), entry(4, "old", hours_before=30), entry(5)])

    assert build(reading, WINDOW, NOW).top_resources == (TopResource("a", 2), TopResource("b", 1), TopResource("c", 1))


def test_resources_are_gathered_over_pages_but_not_without_end() -> None:
    reading = MadeUp(entries=[entry(number, f"r{number % 30:02}") for number in range(12_000)])

    report = build(reading, WINDOW, NOW)

    assert len(reading.queries) == 50
    assert len(report.top_resources) == 10
    assert sum(top.count for top in report.top_resources) <= 10_000
    assert reading.queries[0].since_us == END - DAY_US
    assert reading.queries[0].until_us == END


def test_tasks_that_are_not_closed_are_open() -> None:
    reading = MadeUp(board=[task("open"), task("in_progress"), task("closed")])

    assert build(reading, WINDOW, NOW).open_tasks == 2


def test_a_report_is_read_back_from_its_body() -> None:
    reading = MadeUp(counts=[count(1, 3), count(30, 2)], entries=[entry(1, "a")], board=[task("open")])
    report = build(reading, WINDOW, NOW)

    assert read(report.body()) == report


@pytest.mark.parametrize("body", [{}, {"date": "2024-05-02"}, {"date": None, "window": [], "totals": 1, "change": ""}])
def test_a_body_that_is_no_report_is_read_as_none(body: dict[str, object]) -> None:
    assert read(body) is None
