"""Every form of time that the watched world writes, to the microsecond."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.errors import NotATime
from pipeline.timestamps import micros

NOON_US = 1_772_625_600_000_000


@pytest.mark.parametrize(
    "text",
    [
        "2026-03-04T12:00:00Z",
        "2026-03-04t12:00:00z",
        "2026-03-04T12:00:00.000Z",
        "2026-03-04T12:00:00.000+0000",
        "2026-03-04T12:00:00+00:00",
        "2026-03-04T13:30:00+01:30",
        "2026-03-04T09:00:00-0300",
        "2026-03-04T14:00:00+02",
        "2026-03-04 12:00:00.000000000",
        "2026-03-04 12:00:00",
        "2026-03-04 12:00",
        "2026-03-04 12:00:00 UTC",
        "  2026-03-04T12:00:00Z\n",
        "Wed, 4 Mar 2026 12:00:00 GMT",
        "Mon, 04 Mar 2026 12:00:00 GMT",
        "4 Mar 2026 13:00:00 +0100",
        "Mar 4, 2026, 12:00:00 PM",
        "Mar 4, 2026 12:00:00 PM",
        "Mar 04 2026 12:00",
        "1772625600",
        "1772625600000",
        "1.7726256E9",
    ],
)
def test_noon_is_read_in_every_form(text: str) -> None:
    assert micros(text) == NOON_US


@pytest.mark.parametrize("number", [1_772_625_600, 1_772_625_600.0, NOON_US // 1000, NOON_US, NOON_US * 1000])
def test_the_size_of_an_epoch_number_tells_its_unit(number: float) -> None:
    assert micros(number) == NOON_US


@pytest.mark.parametrize(
    ("text", "fraction"),
    [
        ("2026-03-04T12:00:00.1Z", 100_000),
        ("2026-03-04T12:00:00.12Z", 120_000),
        ("2026-03-04T12:00:00,123Z", 123_000),
        ("2026-03-04T12:00:00.123456Z", 123_456),
        ("2026-03-04T12:00:00.123456789Z", 123_456),
        ("2026-03-04T12:00:00.999999999999Z", 999_999),
        ("1772625600.987654", 987_654),
    ],
)
def test_finer_fractions_are_cut_and_coarser_ones_filled(text: str, fraction: int) -> None:
    assert micros(text) == NOON_US + fraction


def test_a_float_loses_nothing_on_the_way() -> None:
    assert micros(1_668_093_033.744) == 1_668_093_033_744_000
    assert micros(0.1) == 100_000


def test_nanoseconds_are_cut_to_microseconds() -> None:
    assert micros(NOON_US * 1000 + 999) == NOON_US


def test_midnight_on_a_twelve_hour_clock_is_twelve_am() -> None:
    assert micros("Mar 4, 2026 12:05:00 AM") == micros("2026-03-04T00:05:00Z")
    assert micros("Mar 4, 2026 1:05:00 PM") == micros("2026-03-04T13:05:00Z")


def test_a_leap_second_is_the_second_after() -> None:
    assert micros("2016-12-31T23:59:60Z") == micros("2017-01-01T00:00:00Z")


def test_the_ends_of_the_range_are_told() -> None:
    assert micros("1970-01-01T00:00:00Z") == 0
    assert micros("9999-12-31T23:59:59.999999Z") == 253_402_300_799_999_999


@pytest.mark.parametrize(
    "value",
    [
        "",
        "soon",
        "...",
        "2026-03-04",
        "2026-03-04T12: 00: 00Z",
        "12:00:00",
        "04/03/2026 12:00:00",
        "202\u0666-03-04T12:00:00Z",
        None,
        True,
        [],
        {"time": 1},
        math.nan,
        math.inf,
    ],
)
def test_what_is_no_time_is_refused_and_shown(value: object) -> None:
    with pytest.raises(NotATime, match="is no time"):
        micros(value)


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-30T12:00:00Z",
        "2026-13-01T12:00:00Z",
        "2026-03-04T24:00:00Z",
        "2026-03-04T12:60:00Z",
        "2026-03-04T12:00:61Z",
        "2026-03-04T12:00:00+24:00",
        "2026-03-04T12:00:00+01:60",
        "Wed, 4 Foo 2026 12:00:00 GMT",
        "Mar 4, 2026 13:00:00 PM",
    ],
)
def test_days_and_hours_that_do_not_exist_are_refused(text: str) -> None:
    with pytest.raises(NotATime, match="does not exist"):
        micros(text)


@pytest.mark.parametrize("value", ["1969-12-31T23:59:59Z", -1, -0.5, "9999-12-31T23:59:59-01:00", 10**20, "1e99", 10**30])
def test_what_lies_outside_of_the_range_is_refused(value: object) -> None:
    with pytest.raises(NotATime, match="out of range"):
        micros(value)


def test_a_refused_value_is_shown_cut_and_on_one_line() -> None:
    with pytest.raises(NotATime) as refused:
        micros("x\n" * 1000)

    assert len(str(refused.value)) < 200
    assert "\n" not in str(refused.value)


@given(st.datetimes().filter(lambda moment: moment.year >= 1970))
def test_iso_times_of_any_day_are_read_back(moment: object) -> None:
    text = str(moment)
    assert micros(f"{text}Z") == micros(text.replace(" ", "T") + "+00:00")


@given(st.text() | st.floats() | st.integers() | st.none())
def test_anything_is_either_a_moment_in_range_or_refused(value: object) -> None:
    try:
        moment = micros(value)
    except NotATime:
        return
    assert 0 <= moment < 253_402_300_800_000_000
