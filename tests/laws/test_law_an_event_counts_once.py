"""Law 2: an event counts once, whatever is told twice, wherever, and whatever happens to those who fold."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.errors import StoreUnavailable
from schemas.envelope import Envelope
from tests.laws.histories import (
    APPENDS,
    EVENTS,
    FAILURES,
    FOLDINGS,
    NOW_US,
    RESHARDINGS,
    Step,
    beginning,
    play,
    total,
    wherever_they_stand,
)
from tests.support.answers import expected, told
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US, finding
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine


@share(2)
@given(steps=st.lists(APPENDS | RESHARDINGS | FOLDINGS | FAILURES, max_size=14))
def test_whatever_happens_readers_are_told_what_plain_words_say(steps: list[Step]) -> None:
    log = MemoryLog(shards=2)
    with scratch() as folder:
        spine = play(steps, log, lambda size: Spine(folder, log, batch_events=size))
        with spine:
            assert told(spine.catalog, now_us=NOW_US) == expected(log.records(), now_us=NOW_US)


@share(4)
@given(
    events=st.lists(EVENTS, min_size=1, max_size=20),
    again=st.lists(st.tuples(st.integers(0, 19), st.integers(0, 29)), max_size=20),
    data=st.data(),
)
def test_repeats_within_thirty_days_change_nothing_wherever_they_stand(
    events: list[Envelope], again: list[tuple[int, int]], data: st.DataObject
) -> None:
    once, repeated = MemoryLog(shards=3), MemoryLog(shards=3)
    for event in [*beginning(), *events]:
        once.put(event)
        repeated.put(event)
    for number, days in again:
        event = events[number % len(events)]
        shards = repeated.open_shards() if event.type == "finding.observed" else [repeated.shard_of(event.subject)]
        repeated.put(event, shard=data.draw(st.sampled_from(shards)), recorded_us=MORNING_US + days * DAY_US)

    answers = []
    for log in (once, repeated):
        with scratch() as folder, Spine(folder, log, batch_events=data.draw(st.integers(1, 9))) as spine:
            spine.fold()
            answers.append(wherever_they_stand(told(spine.catalog, now_us=NOW_US)))
    assert answers[0] == answers[1]


@pytest.mark.parametrize(("days", "count"), [(0, 1), (29, 1), (30, 1), (31, 2), (400, 2)])
@pytest.mark.parametrize("shards", [("shard-0", "shard-0"), ("shard-0", "shard-1"), ("shard-1", "shard-0")])
def test_after_thirty_days_of_recorded_time_an_id_counts_again(
    tmp_path: Path, days: int, count: int, shards: tuple[str, str]
) -> None:
    """In whichever order the shards are read."""
    log = MemoryLog(shards=2)
    log.put(finding(1), shard=shards[0], recorded_us=MORNING_US)
    log.put(finding(1), shard=shards[1], recorded_us=MORNING_US + days * DAY_US)
    with Spine(tmp_path, log, batch_events=1) as spine:
        spine.fold()

        assert total(spine.catalog.daily(0, NOW_US)) == count
        assert len(spine.catalog.event(finding(1).id, now_us=NOW_US)) == 1


def put(log: MemoryLog, shard: str, days: Sequence[int]) -> None:
    """A finding a day, each told again the day after."""
    for day in days:
        log.put(finding(day, MORNING_US), shard=shard, recorded_us=MORNING_US + day * DAY_US)
        log.put(finding(day, MORNING_US), shard=shard, recorded_us=MORNING_US + (day + 1) * DAY_US)


def test_a_restart_while_one_shard_is_read_months_ahead_of_another_counts_nothing_twice(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    put(log, "shard-0", range(20))
    put(log, "shard-1", range(200, 220))
    for steps in range(30):
        with Spine(tmp_path, log, batch_events=1 + steps % 3) as spine:
            spine.projector.step()

    with Spine(tmp_path, log) as spine:
        spine.fold()

        assert total(spine.catalog.daily(0, NOW_US)) == 40


def test_markers_pass_away_with_time_and_decide_the_same_as_long_as_they_matter(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    with Spine(tmp_path, log) as spine:
        for day in range(0, 100, 5):
            put(log, "shard-0", [day])
            spine.fold()
        held = spine.rows()["daily_aggregates"]
        hours = {key.hour for key in held["counts"]}
        generation = spine.store.open(spine.store.serving()["daily_aggregates"])
        days = {marker.day - MORNING_US // DAY_US for marker in generation.markers(hours, 0)}
        generation.close()

        assert total(spine.catalog.daily(0, NOW_US)) == 20
        assert min(days) >= 95 - 30 - 2


@pytest.mark.parametrize("at", range(12))
def test_the_marker_commits_with_what_it_guards(tmp_path: Path, at: int) -> None:
    log = MemoryLog(shards=2)
    log.append([finding(number) for number in range(6)])
    log.append([finding(number) for number in range(6)])
    with Spine(tmp_path, log, batch_events=2) as spine:
        spine.fail_in(at)
        for _ in range(20):
            try:
                spine.projector.step()
            except StoreUnavailable:
                continue

        assert total(spine.catalog.daily(0, NOW_US)) == 6
        assert len(told(spine.catalog, now_us=NOW_US).entries) == 6
