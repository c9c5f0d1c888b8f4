from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Position
from projections.daily_aggregates import DailyAggregates
from projections.errors import ParkedEvents, RebuildRunning
from projections.event_index import EventIndex
from projections.projector import ALL
from projections.rebuild import Outcome, Progress, Rebuilt, cancel
from projections.stores.port import Status
from tests.support.diary import Diary, noted
from tests.support.facts import MORNING_US, beat, deployed, finding, task
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

EVENTS = 120


class CountingLog(MemoryLog):
    """Counts reads."""

    reads = 0

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        self.reads += 1
        return super().read(shard, after, limit)


@pytest.fixture
def log() -> CountingLog:
    log = CountingLog(shards=2)
    log.append([finding(number, severity=number % 5) for number in range(EVENTS - 3)])
    log.append([beat(MORNING_US), deployed(MORNING_US + 1, "active"), task("created", MORNING_US)])
    return log


@pytest.fixture
def spine(tmp_path: Path, log: CountingLog) -> Iterator[Spine]:
    with Spine(tmp_path, log) as spine:
        spine.fold()
        yield spine


def statuses(spine: Spine, name: str) -> list[Status]:
    return [info.status for info in spine.store.generations(name)]


def test_all_switch_to_equal_rows_and_the_log_is_read_once(spine: Spine, log: CountingLog) -> None:
    before = spine.rows()
    log.reads = 0
    spine.rebuilder(batch_events=7).rebuild(ALL[0])
    alone, log.reads = log.reads, 0

    ends = spine.rebuilder(batch_events=7).rebuild_together(ALL)

    assert [end.outcome for end in ends.values() if isinstance(end, Rebuilt)] == [Outcome.SWITCHED] * len(ALL)
    assert [end.folded for end in ends.values() if isinstance(end, Rebuilt)] == [EVENTS] * len(ALL)
    assert spine.rows() == before
    assert log.reads < 2 * alone


def test_each_is_compared_with_the_generation_that_it_replaces(spine: Spine) -> None:
    ends = spine.rebuilder(batch_events=7).rebuild_together(ALL, diff=True)

    assert all(isinstance(end, Rebuilt) and end.difference and end.difference.equal for end in ends.values())


def test_what_comes_meanwhile_is_in_all_of_them(spine: Spine, log: CountingLog) -> None:
    more = iter(range(EVENTS, EVENTS + 10))

    def on_progress(_: Progress) -> None:
        log.append([finding(number) for number in more][:1])

    spine.rebuilder(batch_events=7, on_progress=on_progress).rebuild_together(ALL)
    after = spine.rows()
    spine.fold()

    assert spine.rows() == after


def test_one_that_is_cancelled_leaves_the_others_to_go_on(spine: Spine) -> None:
    def on_progress(progress: Progress) -> None:
        if progress.projection == "event_index":
            cancel(spine.store, "event_index")

    before = spine.rows()
    ends = spine.rebuilder(batch_events=7, on_progress=on_progress).rebuild_together(ALL)

    outcomes = {name: end.outcome for name, end in ends.items() if isinstance(end, Rebuilt)}
    assert outcomes == dict.fromkeys(ends, Outcome.SWITCHED) | {"event_index": Outcome.CANCELLED}
    assert statuses(spine, "event_index") == [Status.SERVING]
    assert spine.rows() == before


def test_one_that_fails_tells_why_and_the_others_switch(tmp_path: Path, log: CountingLog) -> None:
    log.append([noted(number) for number in range(9)])
    diary = Diary()
    with Spine(tmp_path, log, projections=[diary, EventIndex()]) as spine:
        spine.fold()
        diary.poison = {noted(3).id}

        ends = spine.rebuilder(batch_events=7).rebuild_together([diary, EventIndex()])

        assert isinstance(ends["diary"], ParkedEvents)
        assert statuses(spine, "diary") == [Status.SERVING]
        assert statuses(spine, "event_index") == [Status.RETIRED, Status.SERVING]


def test_one_that_is_being_rebuilt_elsewhere_is_left_out(spine: Spine) -> None:
    with spine.store.building("event_index"):
        ends = spine.rebuilder().rebuild_together([EventIndex(), DailyAggregates()])

    assert isinstance(ends["event_index"], RebuildRunning)
    assert isinstance(ends["daily_aggregates"], Rebuilt)


def test_a_log_that_goes_down_ends_them_all_and_leaves_what_serves(spine: Spine, log: CountingLog) -> None:
    def on_progress(progress: Progress) -> None:
        log.down = progress.projection == "daily_aggregates"

    with pytest.raises(LogUnavailable):
        spine.rebuilder(batch_events=7, on_progress=on_progress).rebuild_together(ALL)

    log.down = False
    assert [statuses(spine, projection.name) for projection in ALL] == [[Status.SERVING]] * len(ALL)
