import pytest
from hypothesis import given
from hypothesis import strategies as st

from schemas import rfc3339
from schemas.envelope import MAX_TIME_US


@given(st.integers(0, MAX_TIME_US - 1))
def test_every_microsecond_until_the_year_10000_round_trips(time_us: int) -> None:
    assert rfc3339.microseconds(rfc3339.text(time_us)) == time_us


@pytest.mark.parametrize(
    ("time_us", "timestamp"),
    [
        (0, "1970-01-01T00:00:00Z"),
        (1, "1970-01-01t00:00:00.000001z"),
        (250_000, "1970-01-01T00:00:00.25Z"),
        (0, "1970-01-01T02:30:00+02:30"),
        (-1, "1969-12-31T23:59:59.999999-00:00"),
        (MAX_TIME_US - 1, "9999-12-31T23:59:59.999999Z"),
    ],
)
def test_all_forms_of_rfc_3339_are_read(time_us: int, timestamp: str) -> None:
    assert time_us == rfc3339.microseconds(timestamp)


@pytest.mark.parametrize(
    "timestamp",
    [
        "",
        "2024-05-01",
        "2024-05-01T12:00:00",
        "2024-05-01 12:00:00Z",
        "2024-05-01T12:00:00.1234567Z",
        "2024-05-01T12:00:00Z\n",
        "2024-13-01T12:00:00Z",
        "2016-12-31T23:59:60Z",
        "2024-05-01T12:00:00+99:00",
        "20240501T120000Z",
        "\u0662\u0660\u0662\u0664-05-01T12:00:00Z",
    ],
)
def test_anything_else_is_refused_with_the_accepted_form(timestamp: str) -> None:
    with pytest.raises(ValueError, match="is not an RFC 3339 timestamp of at most microseconds, like 2024"):
        rfc3339.microseconds(timestamp)


def test_own_timestamps_sort_by_time() -> None:
    assert rfc3339.text(1_714_564_800_250_000) == "2024-05-01T12:00:00.250000Z"
    assert rfc3339.text(999_999) < rfc3339.text(1_000_000)
