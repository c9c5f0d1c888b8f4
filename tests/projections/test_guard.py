from collections.abc import Collection, Iterator, Sequence
from typing import TypeVar

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipeline.log.port import Batch, Position, Record
from projections.errors import StoreUnavailable
from projections.guard import ID_BYTES, Guard, packed
from projections.stores.port import Marker
from schemas.envelope import Envelope
from tests.support.facts import DAY_US, HOUR_US, MORNING_US, fact
from tests.support.memory_log import batch_of

T = TypeVar("T")
TODAY = MORNING_US // DAY_US


class Markers:
    """Markers as a store keeps them; ``broken`` lets the next reading fail after the first one."""

    def __init__(self) -> None:
        self.kept: list[Marker] = []
        self.broken = False
        self.asked: list[set[int]] = []

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        self.asked.append(set(hours))
        for marker in self.kept:
            if marker.hour in hours and marker.day >= since_day:
                yield marker
                if self.broken:
                    message = "broken by the test"
                    raise StoreUnavailable(message)


def event(number: int, hour: int = 0, second: int = 0) -> Envelope:
    return fact("diary.noted", MORNING_US + hour * HOUR_US + second * 1_000_000, number)


def batch(*told: tuple[Envelope, int]) -> Batch:
    """Events with the day on which each was recorded, counted from today."""
    return batch_of("s", [Record(Position("s", n), (TODAY + day) * DAY_US + n, event) for n, (event, day) in enumerate(told)])


def fold(guard: Guard, rows: Markers, told: Batch) -> list[int]:
    """Sift and commit; returns which were fresh."""
    fresh, markers = guard.sift(told)
    rows.kept += markers
    guard.kept()
    return list(fresh)


def test_an_id_counts_once_in_a_batch_and_over_batches() -> None:
    rows = Markers()
    guard = Guard(rows)

    assert fold(guard, rows, batch((event(1), 0), (event(2), 0), (event(1), 0))) == [0, 1]
    assert fold(guard, rows, batch((event(2), 0), (event(3), 0), (event(3), 0))) == [1]


def test_an_empty_batch_has_nothing_fresh() -> None:
    assert Guard(Markers()).sift(batch()) == ([], [])


@pytest.mark.parametrize(("days", "repeat"), [(0, True), (1, True), (30, True), (31, False), (-30, True), (-31, False)])
def test_an_id_counts_again_if_recorded_more_than_thirty_days_apart(days: int, repeat: bool) -> None:  # noqa: FBT001
    rows = Markers()
    guard = Guard(rows)
    fold(guard, rows, batch((event(1), 0)))

    assert fold(guard, rows, batch((event(1), days))) == ([] if repeat else [0])
    assert fold(Guard(rows), rows, batch((event(1), days))) == []


def test_ids_of_one_uuid_are_told_apart_by_their_seconds() -> None:
    rows = Markers()
    guard = Guard(rows)
    early, late = event(1), event(1, second=3_599)
    assert early.uuid == late.uuid

    assert fold(guard, rows, batch((early, 0), (late, 0))) == [0, 1]
    assert fold(Guard(rows), rows, batch((late, 0), (early, 0))) == []


def test_ids_of_the_first_seconds_of_time_have_markers_of_the_same_size() -> None:
    short, long = "7-00000000-0000-0000-0000-00000000000f", "1714521607-00000000-0000-0000-0000-00000000000f"

    assert packed([short]) == [bytes.fromhex("0007" + "0" * 31 + "f")]
    assert [len(one) for one in packed([long, short])] == [ID_BYTES, ID_BYTES]


def test_markers_hold_each_fresh_id_once_by_hour_and_day() -> None:
    fresh, markers = Guard(Markers()).sift(batch((event(1), 0), (event(2, hour=1), 0), (event(1), 0), (event(3), 1)))

    assert fresh == [0, 1, 3]
    assert [(m.hour - MORNING_US // HOUR_US, m.day - TODAY, m.ids) for m in markers] == [
        (0, 0, packed([event(1).id])[0]),
        (1, 0, packed([event(2, hour=1).id])[0]),
        (0, 1, packed([event(3).id])[0]),
    ]


def test_what_was_sifted_but_not_committed_is_fresh_again_after_a_reset() -> None:
    guard = Guard(Markers())
    guard.sift(batch((event(1), 0)))

    guard.reset()

    assert guard.sift(batch((event(1), 0)))[0] == [0]


def test_a_reading_that_breaks_halfway_hides_no_id() -> None:
    rows = Markers()
    fold(Guard(rows), rows, batch((event(1), 0)))
    fold(Guard(rows), rows, batch((event(2), 0)))
    guard, rows.broken = Guard(rows), True
    with pytest.raises(StoreUnavailable):
        guard.sift(batch((event(2), 0)))

    rows.broken = False

    assert guard.sift(batch((event(2), 0), (event(1), 0)))[0] == []


def test_ids_of_the_commit_under_way_are_not_forgotten() -> None:
    rows = Markers()
    guard = Guard(rows, remembered_ids=0)
    fresh, markers = guard.sift(batch((event(1), 0)))
    more, _ = guard.sift(batch((event(2, hour=1), 0)))
    again, _ = guard.sift(batch((event(1), 0), (event(2, hour=1), 0)))

    assert (list(fresh), list(more), list(again)) == ([0], [0], [])
    assert len(markers) == 1


def test_what_was_forgotten_is_read_again_and_what_is_remembered_is_not() -> None:
    rows = Markers()
    guard = Guard(rows, remembered_ids=2)
    for hour in (0, 1, 2):
        fold(guard, rows, batch((event(hour, hour), 0)))
    rows.asked.clear()

    assert fold(guard, rows, batch((event(2, 2), 0))) == []
    assert rows.asked == []
    assert fold(guard, rows, batch((event(0, 0), 0))) == []
    assert rows.asked == [{MORNING_US // HOUR_US}]


def test_an_hour_read_for_a_recent_repeat_is_read_again_for_an_earlier_one() -> None:
    """One shard may be read months ahead of another."""
    rows = Markers()
    fold(Guard(rows), rows, batch((event(1), 5)))
    guard = Guard(rows)
    assert fold(guard, rows, batch((event(2), 100))) == [0]

    assert fold(guard, rows, batch((event(1), 10), (event(2), 100))) == []


def test_the_newest_day_is_that_of_all_that_was_sifted() -> None:
    guard = Guard(Markers())
    guard.sift(batch((event(1), 7), (event(2), 3)))
    guard.sift(batch((event(3), 5)))

    assert guard.newest_day == TODAY + 7


def reference(told: Sequence[tuple[Envelope, int]]) -> list[int]:
    """Which events count, decided one after another."""
    days: dict[str, list[int]] = {}
    fresh = []
    for index, (one, day) in enumerate(told):
        if all(abs(day - known) > 30 for known in days.get(one.id, [])):
            days.setdefault(one.id, []).append(day)
            fresh.append(index)
    return fresh


def split(items: Sequence[T], sizes: Sequence[int]) -> list[Sequence[T]]:
    """Consecutive parts of these sizes, over and over."""
    parts, begin, turn = [], 0, 0
    while begin < len(items):
        size = sizes[turn % len(sizes)]
        parts.append(items[begin : begin + size])
        begin, turn = begin + size, turn + 1
    return parts


def test_the_hours_of_the_last_commit_are_remembered_unless_they_are_far_too_many() -> None:
    rows = Markers()
    guard = Guard(rows, remembered_ids=1, most_ids=4)
    fold(guard, rows, batch((event(9, 1), 0)))
    for number in (1, 2, 3, 4):
        fold(guard, rows, batch((event(number), 0)))
    rows.asked.clear()

    assert fold(guard, rows, batch((event(4), 0))) == []
    assert rows.asked == []
    assert fold(guard, rows, batch((event(5), 0))) == [0]  # the fifth of this hour: now it is forgotten
    assert fold(guard, rows, batch((event(5), 0))) == []
    assert rows.asked == [{MORNING_US // HOUR_US}]


TOLD = st.lists(
    st.tuples(st.builds(event, st.integers(0, 4), st.integers(0, 2), st.integers(0, 1)), st.integers(0, 70) | st.integers(0, 1)),
    max_size=40,
)


@given(
    told=TOLD,
    sizes=st.lists(st.integers(1, 12), min_size=1),
    bounds=st.tuples(*[st.sampled_from([0, 1, 3, 250_000])] * 2),
    data=st.data(),
)
@example(told=[(event(9), 0), (event(1), 1), (event(1), 0)], sizes=[3], bounds=(0, 0), data=None)
def test_repeats_are_decided_the_same_whatever_the_batches_the_memory_and_the_failures(
    told: list[tuple[Envelope, int]], sizes: list[int], bounds: tuple[int, int], data: st.DataObject | None
) -> None:
    rows = Markers()
    guard = Guard(rows, remembered_ids=bounds[0], most_ids=bounds[1])
    fresh = []
    for part in split(list(enumerate(told)), sizes):
        numbers = [number for number, _ in part]
        match data.draw(st.sampled_from(["goes well", "goes well", "commit fails", "restart"])) if data else "":
            case "commit fails":
                guard.sift(batch(*(one for _, one in part)))
                guard.reset()
            case "restart":
                guard = Guard(rows, remembered_ids=bounds[0], most_ids=bounds[1])
        fresh += [numbers[index] for index in fold(guard, rows, batch(*(one for _, one in part)))]

    assert fresh == reference(told)
