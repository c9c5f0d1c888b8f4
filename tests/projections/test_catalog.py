from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import pytest

from pipeline.log.port import Position
from projections.catalog import Catalog
from projections.errors import GenerationGone, NotFresh
from projections.event_index import EventPage, EventQuery
from projections.projector import ALL, named
from projections.reading import ProjectionState, Reading
from projections.stores.port import Generation, GenerationInfo
from tests.support.answers import FOR_EVER_DAYS, Answers, told
from tests.support.diary import Diary, noted
from tests.support.facts import MORNING_US, finding
from tests.support.memory_log import EVENTS_A_RECORD, FIRST_SEQUENCE, MemoryLog, soon_after
from tests.support.spine import NOW_US, Spine


@pytest.fixture
def log() -> MemoryLog:
    return MemoryLog(shards=2)


@pytest.fixture
def spine(tmp_path: Path, log: MemoryLog) -> Iterator[Spine]:
    with Spine(tmp_path, log) as spine:
        yield spine


def test_before_anything_was_folded_every_answer_is_empty(spine: Spine) -> None:
    reading: Reading = spine.catalog

    assert told(spine.catalog, now_us=NOW_US) == Answers([], [], [], [], [])
    assert reading.events(EventQuery(), now_us=NOW_US) == EventPage((), "", "")
    assert reading.event("1-x", now_us=NOW_US) == []
    assert [(state.name, state.generation) for state in reading.states()] == [
        (p.name, 1) for p in sorted(ALL, key=lambda p: p.name)
    ]


def test_an_unknown_projection_is_no_answer(spine: Spine) -> None:
    with pytest.raises(KeyError):
        spine.catalog.parked("nothing")


def test_a_state_tells_how_far_a_projection_is_behind_and_since_when(spine: Spine, log: MemoryLog) -> None:
    log.append([finding(1)])
    spine.fold()
    first = log.heads()
    for number in (2, 4, 3):
        log.append([finding(number)])

    state = spine.catalog.states()[3]

    assert state == ProjectionState(
        name="daily_aggregates",
        version=1,
        generation=1,
        checkpoints=first,
        lag_events=3,
        waiting_since_us=soon_after(finding(2)),
        parked=0,
        building=None,
    )
    spine.fold()
    state = spine.catalog.states()[3]
    assert (state.lag_events, state.waiting_since_us, state.checkpoints) == (0, None, log.heads())


def test_what_was_folded_between_two_questions_is_waited_for_since_never(tmp_path: Path) -> None:
    class Racing(MemoryLog):
        """An estimate that is already wrong when the log is read."""

        def behind(self, positions: object) -> int:  # noqa: ARG002  # whatever is asked
            return 1

    with Spine(tmp_path, Racing()) as spine:
        assert {(state.lag_events, state.waiting_since_us) for state in spine.catalog.states()} == {(1, None)}


def test_a_state_tells_of_parked_events_and_of_the_generation_being_built(tmp_path: Path, log: MemoryLog) -> None:
    diary = Diary([noted(0).id])
    log.append([noted(0), noted(1), noted(3)])
    building: list[int | None] = []
    with Spine(tmp_path, log, projections=[diary]) as spine:
        spine.fold()
        rebuilder = spine.rebuilder(on_progress=lambda _: building.append(spine.catalog.states()[0].building))
        rebuilder.rebuild(diary, accept_parked=True)

        state = spine.catalog.states()[0]

    assert set(building) == {2}
    assert (state.parked, state.generation, state.building) == (2, 2, None)


def waiting(spine: Spine, log: MemoryLog, pause: Callable[[float], None]) -> Catalog:
    return Catalog(spine.store, log, retention_days=FOR_EVER_DAYS, pause=pause)


def never(_: float) -> None:
    pytest.fail("there is nothing to wait for")


def test_a_position_that_was_reached_is_not_waited_for(spine: Spine, log: MemoryLog) -> None:
    positions = [receipt.position for receipt in log.append([finding(n) for n in range(8)])]
    spine.fold()
    catalog = waiting(spine, log, never)

    catalog.wait_for("event_index", [position for position in positions if position], 0)
    catalog.wait_for("event_index", [], 0)
    catalog.close()


def test_waiting_goes_on_until_all_positions_are_reached_with_growing_pauses(spine: Spine, log: MemoryLog) -> None:
    positions = [log.put(finding(1), shard="shard-0"), log.put(finding(2), shard="shard-1")]
    pauses: list[float] = []

    def pause(seconds: float) -> None:
        pauses.append(seconds)
        if len(pauses) == 9:
            spine.fold()

    catalog = waiting(spine, log, pause)
    catalog.wait_for("event_index", positions, 60)
    catalog.close()

    assert pauses == [0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.05, 0.05, 0.05]


def test_a_position_that_is_not_reached_in_time_is_told(spine: Spine, log: MemoryLog) -> None:
    reached = log.put(finding(1))
    spine.fold()
    beyond = reached._replace(sequence=reached.sequence + 1)
    unknown = Position("shard-9", 0)

    for missing in (beyond, unknown):
        with pytest.raises(NotFresh, match=f"event_index has not reached {missing} within 0.02 s; ask again"):
            spine.catalog.wait_for("event_index", [reached, missing], 0.02)


def test_a_position_folded_into_the_generation_that_came_to_serve_was_reached(spine: Spine, log: MemoryLog) -> None:
    spine.fold()
    position = log.put(finding(1))

    def pause(_: float) -> None:
        spine.rebuilder().rebuild(named("event_index"))

    catalog = waiting(spine, log, pause)
    catalog.wait_for("event_index", [position], 60)
    catalog.close()

    assert spine.catalog.states()[4].generation == 2


def test_readers_in_many_threads_see_whole_states_in_order_while_commits_and_switches_go_on(tmp_path: Path) -> None:
    """Checkpoint, counts and generation of one answer belong together, and none goes back in time."""
    log = MemoryLog(shards=1)
    diary = Diary()
    ready, broken, done = Barrier(4), list[object](), list[int]()
    with Spine(tmp_path, log, projections=[diary], batch_events=3) as spine:
        spine.fold()

        def read() -> None:
            try:
                ready.wait()
                last = (0, 0)
                while not done:
                    with spine.catalog._reading("diary") as (info, rows):
                        counted = sum(count for _, count in rows.counts(0, 1 << 40))
                        at = rows.checkpoints().get("shard-0")
                    folded = (at.sequence - FIRST_SEQUENCE) * EVENTS_A_RECORD + at.sub + 1 if at else 0
                    if counted != folded or folded < last[0] or info.number < last[1]:
                        broken.append((last, counted, folded, info))
                    last = (folded, info.number)
            except BaseException as error:  # noqa: BLE001  # told below, in the thread that can fail the test
                broken.append(error)

        threads = [Thread(target=read) for _ in range(3)]
        for thread in threads:
            thread.start()
        ready.wait()
        for turn in range(6):
            for number in range(turn * 10, turn * 10 + 10):
                log.append([noted(number)])
                spine.projector.step()
            spine.rebuilder(batch_events=7).rebuild(diary)
        spine.fold()
        done.append(1)
        for thread in threads:
            thread.join()

        assert broken == []
        assert len(spine.rows()["diary"]["entries"]) == 60


class Shifting:
    """A store whose answers change between two questions, as other processes may change them."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self.before_open: Callable[[], object] = lambda: None
        self.after_open: Callable[[], object] = lambda: None

    def open(self, info: GenerationInfo) -> Generation:
        self.before_open()
        generation: Generation = self._store.open(info)
        self.after_open()
        return generation

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def once(do: Callable[[], object]) -> Callable[[], object]:
    """``do``, the first time."""
    left = [do]

    def call() -> object:
        return left.pop()() if left else None

    return call


def test_a_generation_that_is_gone_by_the_time_it_is_opened_is_passed_over(tmp_path: Path, log: MemoryLog) -> None:
    diary = Diary()
    log.append([noted(0)])
    with Spine(tmp_path, log, projections=[diary]) as spine:
        spine.fold()
        shifting = Shifting(spine.store)
        catalog = Catalog(shifting, log, retention_days=1, projections=[diary])

        def rebuild_twice() -> None:
            spine.rebuilder().rebuild(diary)
            spine.rebuilder().rebuild(diary)

        shifting.before_open = once(rebuild_twice)

        assert catalog.states()[0].generation == 3
        catalog.close()


def test_a_generation_retired_before_its_rows_stand_still_is_not_read(tmp_path: Path, log: MemoryLog) -> None:
    """Its late commits could show what the new one has not folded yet."""
    diary = Diary()
    log.append([noted(0)])
    with Spine(tmp_path, log, projections=[diary]) as spine:
        spine.fold()
        shifting = Shifting(spine.store)
        catalog = Catalog(shifting, log, retention_days=1, projections=[diary])
        shifting.after_open = once(lambda: spine.rebuilder().rebuild(diary))

        assert catalog.states()[0].generation == 2
        catalog.close()


def test_a_serving_generation_whose_file_is_gone_is_told(tmp_path: Path, log: MemoryLog) -> None:
    diary = Diary()
    with Spine(tmp_path, log, projections=[diary]) as spine:
        spine.fold()
        for file in tmp_path.glob("diary-1.db*"):
            file.unlink()

        with pytest.raises(GenerationGone):
            spine.catalog.states()


def test_a_closed_catalogue_opens_anew(spine: Spine, log: MemoryLog) -> None:
    log.append([finding(1, MORNING_US)])
    spine.fold()
    spine.catalog.states()

    spine.catalog.close()
    spine.catalog.close()

    assert len(spine.catalog.event(finding(1, MORNING_US).id, now_us=NOW_US)) == 1
