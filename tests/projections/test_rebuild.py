from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import LogUnavailable
from projections.errors import GenesisLost, NewerVersion, ParkedEvents, RebuildCancelled, RebuildRunning, StoreUnavailable
from projections.projector import ALL
from projections.rebuild import Outcome, Progress, Rebuilder, Rebuilt, cancel
from projections.stores.port import GenerationInfo, Status
from tests.support.answers import expected, told
from tests.support.diary import Diary, NewDiary, noted
from tests.support.facts import DAY_US, MORNING_US, beat, deployed, finding, task
from tests.support.flaky import FlakyStore
from tests.support.memory_log import MemoryLog
from tests.support.spine import NOW_US, Spine

EVENTS = 20


@pytest.fixture
def log() -> MemoryLog:
    log = MemoryLog(shards=2)
    log.append([noted(number) for number in range(EVENTS)])
    return log


@pytest.fixture
def diary() -> Diary:
    return Diary()


@pytest.fixture
def spine(tmp_path: Path, log: MemoryLog, diary: Diary) -> Iterator[Spine]:
    with Spine(tmp_path, log, projections=[diary], batch_events=4) as spine:
        spine.fold()
        yield spine


def statuses(spine: Spine) -> list[tuple[int, Status]]:
    return [(info.number, info.status) for info in spine.store.generations("diary")]


SERVING_ONE = [(1, Status.SERVING)]


def test_a_rebuild_lets_an_equal_generation_serve_and_keeps_the_former(spine: Spine, diary: Diary) -> None:
    before = spine.rows()

    rebuilt = spine.rebuilder(batch_events=3).rebuild(diary)

    assert rebuilt == Rebuilt(Outcome.SWITCHED, generation=2, folded=EVENTS, parked=0, difference=None)
    assert spine.rows() == before
    assert statuses(spine) == [(1, Status.RETIRED), (2, Status.SERVING)]


def test_a_projection_that_never_served_is_built(tmp_path: Path, log: MemoryLog, diary: Diary) -> None:
    with Spine(tmp_path, log, projections=[diary]) as spine:
        rebuilt = spine.rebuilder().rebuild(diary, diff=True)

        assert rebuilt == Rebuilt(Outcome.SWITCHED, generation=1, folded=EVENTS, parked=0, difference=None)
        assert statuses(spine) == SERVING_ONE
        assert spine.fold() == 0


def test_one_retired_generation_is_kept(spine: Spine, diary: Diary) -> None:
    for _ in range(3):
        spine.rebuilder().rebuild(diary)

    assert statuses(spine) == [(3, Status.RETIRED), (4, Status.SERVING)]


def test_every_projection_is_rebuilt_equal_whatever_was_told_twice_or_split(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    log.append([finding(n, severity=n % 5, account=f"{n % 3:012}") for n in range(300)])
    log.append([finding(n) for n in range(50)])
    log.append([beat(MORNING_US), deployed(MORNING_US + 1, "active"), task("created", MORNING_US)])
    log.split("shard-0")
    log.append([finding(n) for n in range(200, 400)])
    for n in range(10):
        log.put(finding(n), recorded_us=MORNING_US + 100 * DAY_US)
    with Spine(tmp_path, log, batch_events=17) as spine:
        spine.fold()
        before, answers = spine.rows(), told(spine.catalog, now_us=NOW_US)
        for projection in ALL:
            assert spine.rebuilder(batch_events=41).verify(projection).equal
            rebuilt = spine.rebuilder(batch_events=41).rebuild(projection, diff=True)
            assert rebuilt.difference is not None
            assert rebuilt.difference.equal

        assert spine.rows() == before
        assert told(spine.catalog, now_us=NOW_US) == answers == expected(log.records(), now_us=NOW_US)


def test_progress_is_told_after_each_batch_and_its_total_grows(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    seen: list[Progress] = []

    def on_progress(progress: Progress) -> None:
        if not seen:
            log.append([noted(number) for number in range(EVENTS, EVENTS + 5)])
        seen.append(progress)

    rebuilt = spine.rebuilder(batch_events=3, on_progress=on_progress).rebuild(diary)

    assert seen[0].total == EVENTS
    assert {progress.total for progress in seen[1:]} == {EVENTS + 5}
    assert [progress.folded for progress in seen] == sorted({progress.folded for progress in seen})
    assert seen[-1] == Progress("diary", EVENTS + 5, EVENTS + 5, 0)
    assert rebuilt.folded == EVENTS + 5


def batches_of_a_rebuild(spine: Spine, diary: Diary) -> int:
    asked = 0

    def cancelled() -> bool:
        nonlocal asked
        asked += 1
        return False

    spine.rebuilder(batch_events=3, cancelled=cancelled).rebuild(diary)
    return asked


def test_cancelled_before_any_batch_it_leaves_what_serves_untouched(tmp_path: Path, log: MemoryLog, diary: Diary) -> None:
    with Spine(tmp_path / "measured", log, projections=[diary]) as measured:
        measured.fold()
        batches = batches_of_a_rebuild(measured, diary)
    assert batches > 5
    with Spine(tmp_path / "cancelled", log, projections=[diary]) as spine:
        spine.fold()
        before = spine.rows()
        for at in range(batches):
            answers = iter([False] * at + [True])
            rebuilt = spine.rebuilder(batch_events=3, cancelled=lambda: next(answers)).rebuild(diary)  # noqa: B023  # called now

            assert rebuilt.outcome is Outcome.CANCELLED
            assert spine.rows() == before
            assert statuses(spine) == SERVING_ONE
        assert spine.rebuilder().rebuild(diary).outcome is Outcome.SWITCHED


def test_another_process_cancels_a_rebuild_at_any_batch(spine: Spine, diary: Diary) -> None:
    before = spine.rows()
    told: list[bool] = []

    def on_progress(progress: Progress) -> None:
        if progress.folded > EVENTS // 2 and not told:
            told.append(cancel(spine.store, "diary"))

    rebuilt = spine.rebuilder(batch_events=3, on_progress=on_progress).rebuild(diary)

    assert told == [True]
    assert rebuilt.outcome is Outcome.CANCELLED
    assert spine.rows() == before
    assert statuses(spine) == SERVING_ONE


class Meddling:
    """A store in which somebody does something at the last moment before a switch."""

    def __init__(self, store: Any, meddle: Callable[[], object]) -> None:
        self._store = store
        self._meddle = meddle

    def switch(self, info: GenerationInfo, catch_up: Callable[[], None]) -> None:
        def catch_up_and_meddle() -> None:
            catch_up()
            self._meddle()

        self._store.switch(info, catch_up_and_meddle)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


def test_cancelled_at_the_last_moment_of_the_switch_the_former_one_goes_on(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    before = spine.rows()
    meddling = Meddling(spine.store, lambda: cancel(spine.store, "diary"))

    rebuilt = Rebuilder(log, meddling, "rebuild").rebuild(diary)

    assert rebuilt.outcome is Outcome.CANCELLED
    assert spine.rows() == before
    assert statuses(spine) == SERVING_ONE


def test_nothing_to_cancel_is_told(spine: Spine, diary: Diary) -> None:
    assert not cancel(spine.store, "diary")
    spine.rebuilder().rebuild(diary)
    assert not cancel(spine.store, "diary")


def test_a_rebuild_that_fails_anywhere_leaves_what_serves_untouched(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    before = spine.rows()
    failures = 0
    while True:
        calls = iter([False] * failures + [True])
        flaky = FlakyStore(spine.store, lambda: next(calls, False))  # noqa: B023  # called in this turn
        try:
            Rebuilder(log, flaky, "rebuild", batch_events=7).rebuild(diary)
        except StoreUnavailable:
            failures += 1
            assert spine.rows() == before
            assert statuses(spine) == SERVING_ONE
        else:
            break

    assert failures > 10
    assert statuses(spine) == [(1, Status.RETIRED), (2, Status.SERVING)]


def test_a_rebuild_whose_log_goes_down_leaves_what_serves_untouched(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    def on_progress(_: Progress) -> None:
        log.down = True

    with pytest.raises(LogUnavailable):
        spine.rebuilder(batch_events=3, on_progress=on_progress).rebuild(diary)

    log.down = False
    assert statuses(spine) == SERVING_ONE


def test_a_log_that_lost_its_genesis_cannot_be_rebuilt_or_verified_from(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    log.forget("shard-1", 1)

    with pytest.raises(GenesisLost, match=r"no longer holds the first events of shard-1:"):
        spine.rebuilder().rebuild(diary)
    with pytest.raises(GenesisLost):
        spine.rebuilder().verify(diary)
    assert statuses(spine) == SERVING_ONE


def test_one_rebuild_of_a_projection_runs_at_a_time(spine: Spine, diary: Diary) -> None:
    refused: list[str] = []

    def on_progress(_: Progress) -> None:
        for attempt in (spine.rebuilder().rebuild, spine.rebuilder().verify):
            with pytest.raises(RebuildRunning, match="diary is being rebuilt") as caught:
                attempt(diary)
            refused.append(str(caught.value))

    rebuilt = spine.rebuilder(on_progress=on_progress).rebuild(diary)

    assert refused
    assert rebuilt.outcome is Outcome.SWITCHED


def test_a_rebuild_parks_too_and_does_not_switch_unless_that_is_accepted(spine: Spine, diary: Diary) -> None:
    before = spine.rows()
    diary.poison = {noted(3).id}
    with pytest.raises(ParkedEvents, match=r"diary: 6 events are parked in the new generation; .* --accept-parked"):
        spine.rebuilder().rebuild(diary)
    assert spine.rows() == before
    assert statuses(spine) == SERVING_ONE

    rebuilt = spine.rebuilder().rebuild(diary, accept_parked=True)

    assert (rebuilt.outcome, rebuilt.parked) == (Outcome.SWITCHED, 6)
    assert [parked.key for parked in spine.catalog.parked("diary")] == ["subject-0"] * 6
    diary.poison = set()
    assert spine.rebuilder().rebuild(diary).parked == 0
    assert spine.rows() == before


def test_a_rebuild_that_meets_a_newer_version_stops_and_says_so(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    log.append([noted(99, version=3)])

    with pytest.raises(NewerVersion, match="deploy a build that knows it"):
        spine.rebuilder().rebuild(diary)

    assert statuses(spine) == SERVING_ONE


def test_a_diff_names_the_rows_that_a_new_version_of_the_fold_changes(spine: Spine) -> None:
    new = NewDiary()

    rebuilt = spine.rebuilder(batch_events=3).rebuild(new, diff=True)

    difference = rebuilt.difference
    assert difference is not None
    assert (difference.missing, difference.added, difference.changed) == (0, 0, 3)
    kind, key, former, fresh = difference.samples[0]
    assert (kind, key) == ("document", "subject-0")
    assert former["noted"] == sorted(fresh["noted"])
    assert fresh["noted"] == sorted(fresh["noted"], reverse=True)
    assert spine.store.serving()["diary"].version == 2


def test_a_diff_compares_both_generations_at_one_moment_while_folding_goes_on(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    more = iter(range(EVENTS, EVENTS + 40))

    def on_progress(_: Progress) -> None:
        for number in more:
            log.append([noted(number)])
            spine.projector.step()
            if number % 5 == 0:
                break

    rebuilt = spine.rebuilder(batch_events=3, on_progress=on_progress).rebuild(diary, diff=True)
    spine.fold()

    assert rebuilt.difference is not None
    assert rebuilt.difference.equal
    assert rebuilt.difference.compared > EVENTS
    assert len(spine.rows()["diary"]["entries"]) == EVENTS + 40


@pytest.mark.parametrize(("pace", "diff"), [(1, False), (1, True), (3, False), (5, False)])
def test_a_rebuild_ends_though_events_come_with_every_batch(
    spine: Spine, log: MemoryLog, diary: Diary, pace: int, *, diff: bool
) -> None:
    numbers = iter(range(EVENTS, 10_000))

    def on_progress(_: Progress) -> None:
        log.append([noted(next(numbers)) for _ in range(pace)])

    rebuilt = spine.rebuilder(batch_events=5, on_progress=on_progress).rebuild(diary, diff=diff)
    spine.fold()

    assert rebuilt.outcome is Outcome.SWITCHED
    assert len(spine.rows()["diary"]["entries"]) == next(numbers) < 200


def test_what_serves_is_verified_against_the_log_and_goes_on_serving(spine: Spine, diary: Diary) -> None:
    before = spine.rows()

    difference = spine.rebuilder(batch_events=3).verify(diary)

    assert difference.equal
    assert difference.compared == len(before["diary"]["entries"]) + len(before["diary"]["counts"]) + 3
    assert spine.rows() == before
    assert statuses(spine) == SERVING_ONE


def test_what_serves_is_verified_as_far_as_it_has_come(spine: Spine, log: MemoryLog, diary: Diary) -> None:
    log.append([noted(EVENTS), noted(EVENTS + 1, version=9)])

    assert spine.rebuilder().verify(diary).equal


def test_a_verification_names_the_rows_that_differ(spine: Spine) -> None:
    difference = spine.rebuilder().verify(NewDiary())

    assert difference.changed == 3
    assert statuses(spine) == SERVING_ONE


def test_what_does_not_serve_cannot_be_verified(tmp_path: Path, log: MemoryLog, diary: Diary) -> None:
    with Spine(tmp_path, log, projections=[diary]) as spine, pytest.raises(LookupError):
        spine.rebuilder().verify(diary)


def test_a_verification_can_be_cancelled(spine: Spine, diary: Diary) -> None:
    with pytest.raises(RebuildCancelled, match="the rebuild of diary was cancelled"):
        spine.rebuilder(cancelled=lambda: True).verify(diary)

    assert statuses(spine) == SERVING_ONE


def test_what_a_dead_rebuild_left_is_dropped_by_the_next(spine: Spine, diary: Diary) -> None:
    dead = spine.store.create("diary", 1, serving=False)
    with closing(spine.store.open(dead)) as generation:
        generation.claim("dead", ["shard-0"])

    rebuilt = spine.rebuilder().rebuild(diary)

    assert statuses(spine) == [(1, Status.RETIRED), (rebuilt.generation, Status.SERVING)]
