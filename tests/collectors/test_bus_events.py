"""Events for the bus: ids, sizes, cuts."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.collectors.bus_events import LARGEST, Line, heartbeat, of_lines, shortfall
from tests.collectors.fake_aws import BUS_ARN, PLACE, line, size

LINES = st.builds(
    Line,
    st.sampled_from(["/aws/lambda/a", "b"]),
    st.sampled_from(["s/1", "s/2"]),
    st.integers(0, 2),
    st.sampled_from(["ERROR", "it broke"]),
)


def ids(*lines: Line) -> list[str]:
    return [event.id for event in of_lines(PLACE, lines)]


def test_ids_are_frozen() -> None:
    assert ids(line(0)) == ["6778243af28a2405ff13b396be881b30"]


@pytest.mark.parametrize("other", [{"group": "g"}, {"stream": "s/2"}, {"time_ms": 7}, {"message": "ERROR it broke again"}])
def test_lines_that_differ_in_anything_have_different_ids(other: dict[str, object]) -> None:
    assert ids(line(0)) != ids(replace(line(0), **other))  # type: ignore[arg-type]


def test_a_line_in_another_account_or_region_has_another_id() -> None:
    places = (PLACE, replace(PLACE, account="0" * 12), replace(PLACE, region="us-east-1"))

    assert len({event.id for place in places for event in of_lines(place, [line(0)])}) == 3


@given(st.lists(LINES, max_size=12))
def test_every_line_has_an_id_of_its_own_and_the_same_in_a_later_run_that_finds_more(lines: list[Line]) -> None:
    assert len(set(ids(*lines))) == len(lines)
    assert set(ids(*lines[: len(lines) // 2])) <= set(ids(*lines))


@pytest.mark.parametrize("char", ["x", "é", "\n", "\x00", "🙂", "\ud83d"])
def test_a_line_that_is_too_large_is_cut_to_what_fits_and_says_so(char: str) -> None:
    long = line(0, f"ERROR {char * 1_000_000}")

    (event,) = of_lines(PLACE, [long])

    assert LARGEST * 0.85 < event.size <= LARGEST
    assert event.detail["cutFrom"] == len(long.message)
    assert long.message.replace("\ud83d", "?").startswith(event.detail["message"])


def test_lines_that_differ_behind_the_cut_stay_two() -> None:
    assert len(set(ids(line(0, "x" * 1_000_000 + "a"), line(0, "x" * 1_000_000 + "b")))) == 2


@given(st.text())
def test_the_size_is_that_of_the_entry(message: str) -> None:
    (event,) = of_lines(PLACE, [line(0, message)])

    entry = event.entry(BUS_ARN)

    assert event.size == size(entry)
    assert json.loads(entry["Detail"])["message"] == message


def test_a_heartbeat_without_a_version_does_not_tell_one() -> None:
    assert "version" not in heartbeat(PLACE, "", 5).detail
    assert heartbeat(PLACE, "", 5).id != heartbeat(PLACE, "", 6).id


def test_a_shortfall_lists_the_first_fifty_groups_and_counts_all() -> None:
    event = shortfall(PLACE, "title", "text", (f"g{number:03d}" for number in range(120)), 5)

    assert (len(event.detail["logGroups"]), event.detail["logGroupCount"], len(event.resources)) == (50, 120, 51)
