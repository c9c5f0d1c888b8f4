"""Times that come again: when they hold, in which zone, and what is answered to what is none."""

from collections.abc import Callable
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.routing import text
from consumers.notifier.routing.times import clock

Holds = Callable[[str], bool]


def times(entry: str) -> Holds:
    """Whether a time, as ``2026-03-29 01:30 Europe/Berlin``, lies in an entry."""
    [found] = text.read(f"routes: {{}}\ntimes: {{t: [{entry}]}}").times.values()

    def holds(moment: str) -> bool:
        day, hour, *zone = moment.split()
        there = datetime.fromisoformat(f"{day} {hour}").replace(tzinfo=ZoneInfo(zone[0] if zone else "UTC"))
        return found(round(there.timestamp() * 1_000_000))

    return holds


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("{}", ["2026-01-01 00:00"], []),
        ("{times: ['09:00-17:00']}", ["2026-01-01 09:00", "2026-01-01 16:59:59"], ["2026-01-01 08:59", "2026-01-01 17:00"]),
        ("{times: ['22:00-24:00', '00:00-06:00']}", ["2026-01-01 23:59:59", "2026-01-01 00:00"], ["2026-01-01 06:00"]),
        ("{weekdays: ['monday:friday']}", ["2026-01-02 12:00", "2026-01-05 00:00"], ["2026-01-03 12:00", "2026-01-04 12:00"]),
        ("{weekdays: [Sunday]}", ["2026-01-04 12:00"], ["2026-01-03 12:00"]),
        ("{days_of_month: ['1:2', 31]}", ["2026-01-02 12:00", "2026-01-31 12:00"], ["2026-01-03 12:00"]),
        ("{days_of_month: [-1]}", ["2026-02-28 12:00", "2028-02-29 12:00"], ["2028-02-28 12:00"]),
        ("{days_of_month: ['-3:-1']}", ["2026-04-28 12:00", "2026-04-30 12:00"], ["2026-04-27 12:00"]),
        ("{days_of_month: ['20:-5']}", ["2026-04-20 12:00", "2026-04-26 12:00"], ["2026-04-27 12:00", "2026-04-19 12:00"]),
        ("{months: ['may:august', 12]}", ["2026-05-01 00:00", "2026-12-31 12:00"], ["2026-09-01 12:00"]),
        ("{years: [2026, '2028:2029']}", ["2026-01-01 00:00", "2029-12-31 12:00"], ["2027-01-01 12:00"]),
        ("{weekdays: [friday], times: ['09:00-17:00']}", ["2026-01-02 09:00"], ["2026-01-02 08:00", "2026-01-01 09:00"]),
        (
            "{times: ['09:00-17:00'], zone: Europe/Berlin}",
            ["2026-01-01 08:00", "2026-07-01 07:00", "2026-07-01 16:59 Europe/Berlin"],
            ["2026-07-01 08:59 Europe/Berlin", "2026-01-01 16:00"],
        ),
        (
            "{weekdays: [monday], zone: Pacific/Auckland}",
            ["2026-01-04 11:00", "2026-01-05 10:59"],
            ["2026-01-04 10:59", "2026-01-05 11:00"],
        ),
    ],
)
def test_when_times_hold(entry: str, inside: list[str], outside: list[str]) -> None:
    holds = times(entry)

    assert [moment for moment in inside if not holds(moment)] == []
    assert [moment for moment in outside if holds(moment)] == []


def test_what_the_clock_skips_does_not_come_and_what_it_repeats_comes_twice() -> None:
    holds = times("{times: ['02:00-03:00'], zone: Europe/Berlin}")

    spring = [minute for minute in range(24 * 60) if holds(f"2026-03-29 {minute // 60:02}:{minute % 60:02}")]
    autumn = [minute for minute in range(24 * 60) if holds(f"2026-10-25 {minute // 60:02}:{minute % 60:02}")]

    assert spring == []
    assert autumn == list(range(120))


def test_named_times_hold_if_one_of_their_entries_does() -> None:
    holds = times("{weekdays: [monday]}, {weekdays: [sunday]}")

    assert [day for day in range(1, 8) if holds(f"2026-01-{day:02} 12:00")] == [4, 5]


@given(st.integers(0, 4_000_000_000_000_000), st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]))
def test_weekdays_and_week_ends_share_all_time(now_us: int, zone: str) -> None:
    given_times = text.read(
        f"routes: {{}}\ntimes: {{a: [{{weekdays: ['monday:friday'], zone: {zone}}}], "
        f"b: [{{weekdays: ['saturday:sunday'], zone: {zone}}}]}}"
    ).times

    assert given_times["a"](now_us) is not given_times["b"](now_us)


def test_a_time_of_day() -> None:
    assert [clock(value) for value in ("00:00", "09:30", "23:59", "24:00", "9:30", "09:60", 930, None)] == [
        *(0, 570, 1439),
        *[None] * 5,
    ]
