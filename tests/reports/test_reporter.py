"""When the daily report is issued, and that it is issued once."""

import time
from dataclasses import replace
from datetime import date
from threading import Event, Thread

import pytest

from consumers.errors import ReportUnknown
from consumers.notifier.routing.tree import Report
from consumers.reports.daily import DAY_US, HOUR_US, Window, read
from consumers.reports.due import DAILY
from consumers.reports.reporter import Reporter
from consumers.reports.routed import Routed
from pipeline.errors import LogUnavailable
from pipeline.log.port import Outcome, Receipt, Shard
from projections.reading import Count
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS
from tests.api.decided import MemoryDecided, routing_version
from tests.notifier.memory_log import MemoryLog
from tests.reports.readings import Clock, MadeUp
from tests.support.facts import finding

MIDNIGHT = 1_714_608_000_000_000
"""2024-05-02T00:00:00Z."""
NINE = MIDNIGHT + 9 * HOUR_US

LIMA = Report("americas", 4, 0, "America/Lima")
"""Its time is 09:00 UTC all year."""


class OnceLog(MemoryLog):
    """A log that refuses known ids, as the embedded one does. It is old: it no longer holds its first event."""

    complete = False

    def shards(self) -> list[Shard]:
        return [replace(shard, complete=self.complete) for shard in super().shards()]

    def put(self, event: Envelope, shard: str) -> Receipt:
        if any(known.id == event.id for known in self.events()):
            return Receipt(event.id, Outcome.DUPLICATE, None)
        return super().put(event, shard)


class Office:
    """A reporter that can be started again, its clock and its log."""

    def __init__(self) -> None:
        self.clock = Clock()
        self.clock.now_us = NINE
        self.log = OnceLog()
        self.reading = MadeUp(counts=[Count(NINE - HOUR_US, "aws.health", 2, "", 7)])
        self.reports = [DAILY]

    def start(self) -> Reporter:
        return Reporter(self.log, self.reading, clock=self.clock, reports=lambda: self.reports)


@pytest.fixture
def office() -> Office:
    return Office()


def test_a_report_is_issued_at_nine(office: Office) -> None:
    reporter = office.start()
    office.clock.now_us = NINE - 1
    assert reporter.step() == []

    office.clock.now_us = NINE
    [event] = reporter.step()

    assert office.log.events() == [event]
    assert (event.type, event.version, event.subject, event.time_us) == ("report.issued", 1, "report/2024-05-02", NINE)
    report = read(event.data)
    assert report is not None
    assert report.total == 7
    assert event.summary == "7 findings in the 24 hours before 2024-05-02 09:00Z"


def test_a_report_is_of_the_form_that_is_published(office: Office) -> None:
    registry = pytest.importorskip("schemas.registry").REGISTRY
    reporter = office.start()

    assert registry.check(*reporter.step())
    assert registry.check(reporter.issue(reporter.report()))


def test_it_is_issued_once_a_day_whatever_restarts(office: Office) -> None:
    reporter = office.start()
    assert reporter.step() != []

    for _ in range(3):
        office.clock.advance(3600)
        assert reporter.step() == []
        assert office.start().step() == []

    assert len(office.log.events()) == 1


def test_the_same_day_told_twice_is_the_same_event(office: Office) -> None:
    [first] = office.start().step()
    office.log = OnceLog()
    office.clock.advance(7200)
    [second] = office.start().step()

    assert (first.id, first.time_us) == (second.id, second.time_us)


def test_who_was_down_at_nine_issues_at_the_next_start_of_the_day(office: Office) -> None:
    office.clock.now_us = MIDNIGHT + 23 * HOUR_US

    [event] = office.start().step()

    assert event.time_us == NINE


def test_a_log_that_began_after_nine_has_its_first_report_on_the_next_day(office: Office) -> None:
    office.log.complete = True
    office.clock.now_us = NINE + HOUR_US
    assert office.start().step() == []
    office.log.append([finding(1, NINE + HOUR_US // 2)])
    assert office.start().step() == []

    office.clock.now_us = NINE + DAY_US

    assert office.start().step() != []


def test_an_older_day_is_not_made_up_for(office: Office) -> None:
    office.clock.now_us = MIDNIGHT + DAY_US + HOUR_US

    assert office.start().step() == []


def test_every_day_has_its_report(office: Office) -> None:
    reporter = office.start()
    for _ in range(3):
        reporter.step()
        office.clock.now_us += DAY_US

    assert [event.subject for event in office.log.events()] == ["report/2024-05-02", "report/2024-05-03", "report/2024-05-04"]
    assert len({event.id for event in office.log.events()}) == 3


def test_each_report_of_the_routing_is_issued_at_its_time_over_its_day(office: Office) -> None:
    office.reports = [DAILY, LIMA, Report("asia", 9, 30, "Asia/Kolkata")]
    reporter = office.start()
    office.clock.now_us = MIDNIGHT
    told = []
    for _ in range(24 * 4):
        told += [(office.clock.now_us - MIDNIGHT, event.data["report"]) for event in reporter.step()]
        office.clock.now_us += HOUR_US // 4

    assert told == [(4 * HOUR_US, "asia"), (9 * HOUR_US, "daily"), (9 * HOUR_US, "americas")]
    windows = {event.data["report"]: event.data["window"]["until_us"] for event in office.log.events()}
    assert windows == {"asia": MIDNIGHT + 4 * HOUR_US, "daily": NINE, "americas": NINE}


def test_who_was_down_at_night_issues_in_the_morning(office: Office) -> None:
    office.reports = [Report("late", 23, 55, "UTC")]
    office.clock.now_us = MIDNIGHT + 2 * HOUR_US

    [event] = office.start().step()

    assert (event.data["date"], event.data["window"]["until_us"]) == ("2024-05-01", MIDNIGHT - HOUR_US)


def test_a_report_that_is_taken_out_of_the_routing_is_issued_no_more(office: Office) -> None:
    office.reports = []

    assert office.start().step() == []


def test_it_waits_for_projections_that_are_behind_but_not_for_ever(office: Office) -> None:
    reporter = office.start()
    office.reading.behind = True
    assert reporter.step() == []
    office.clock.now_us = NINE + 14 * 60 * MICROSECONDS
    assert reporter.step() == []

    office.clock.now_us = NINE + 15 * 60 * MICROSECONDS
    assert reporter.step() != []


def test_it_issues_as_soon_as_projections_have_caught_up(office: Office) -> None:
    reporter = office.start()
    office.reading.behind = True
    assert reporter.step() == []
    office.reading.behind = False

    assert reporter.step() != []


def test_a_log_that_is_down_gets_the_report_later(office: Office) -> None:
    reporter = office.start()
    office.log.down = True
    with pytest.raises(LogUnavailable):
        reporter.step()
    office.log.down = False
    office.log.refusing = {"report.issued"}
    with pytest.raises(LogUnavailable, match="refused by the test"):
        reporter.step()
    office.log.refusing = set()

    assert reporter.step() != []


def test_a_report_on_demand_ends_with_the_running_hour(office: Office) -> None:
    office.clock.now_us = NINE + 5

    assert office.start().report().window.until_us == NINE + HOUR_US
    assert office.start().report(date(2024, 5, 2)).window == Window(NINE - DAY_US, NINE)
    assert office.log.events() == []


def test_a_report_on_demand_may_be_any_of_the_routing(office: Office) -> None:
    office.reports = [DAILY, LIMA]

    report = office.start().report(date(2024, 5, 2), "americas")

    assert (report.report, report.zone, report.date, report.window.until_us) == ("americas", "America/Lima", "2024-05-02", NINE)
    with pytest.raises(ReportUnknown, match="no report 'asia'; there are daily, americas"):
        office.start().report(name="asia")
    office.reports = []
    assert office.start().report().report == "daily"


def test_a_report_on_demand_can_be_issued_and_is_another_than_the_daily_one(office: Office) -> None:
    reporter = office.start()
    [daily] = reporter.step()
    asked = reporter.issue(reporter.report(date(2024, 5, 2)))
    office.clock.advance(1)
    again = reporter.issue(reporter.report(date(2024, 5, 2)))

    assert len({daily.id, asked.id, again.id}) == 3
    assert len(office.log.events()) == 3


def test_a_report_on_demand_that_the_log_does_not_take_is_an_error(office: Office) -> None:
    reporter = office.start()
    office.log.refusing = {"report.issued"}

    with pytest.raises(LogUnavailable, match="refused by the test"):
        reporter.issue(reporter.report())


def test_the_role_runs_until_it_is_stopped_and_outlives_an_outage(office: Office, caplog: pytest.LogCaptureFixture) -> None:
    stop = Event()
    office.log.down = True
    thread = Thread(target=office.start().run, args=(stop,))
    thread.start()
    deadline = time.monotonic() + 10
    while "waiting: the test has taken the log down" not in caplog.text and time.monotonic() < deadline:
        time.sleep(0.005)  # a poll for the other thread's progress
    stop.set()
    thread.join(10)

    assert not thread.is_alive()
    assert "waiting: the test has taken the log down" in caplog.text


def test_the_reports_are_those_of_the_routing_that_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    decided = MemoryDecided()
    routed = Routed(decided)
    assert routed() == (DAILY,)

    text = "routes: {channel: ops}\nreports: [{name: americas, at: '04:00', zone: America/Lima}]"
    decided.versions.append(routing_version(1, text))

    assert routed() == (LIMA,)
    monkeypatch.setattr("consumers.reports.routed.routing_of", None)
    assert routed() == (LIMA,)
