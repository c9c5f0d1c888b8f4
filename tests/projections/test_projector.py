from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from threading import Event
from typing import ClassVar

import pytest

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Position, Shard
from projections.errors import Fenced
from projections.projector import ALL, Projector, Reads, named
from schemas.registry import REGISTRY
from tests.support.diary import Diary, NewDiary, noted
from tests.support.facts import MORNING_US, beat, deployed, fact, finding, task
from tests.support.memory_log import MemoryLog
from tests.support.spine import NOW_US, Spine


class CountingLog(MemoryLog):
    """Tells which reads and waits it was asked for."""

    def __init__(self, *, shards: int = 1) -> None:
        super().__init__(shards=shards)
        self.reads: list[tuple[str, Position | None]] = []
        self.waits: list[Mapping[str, Position]] = []

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        self.reads.append((shard, after))
        return super().read(shard, after, limit)

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:  # noqa: ARG002  # it does not wait
        self.waits.append(dict(seen))
        return self.behind(seen) > 0


@pytest.fixture
def log() -> CountingLog:
    return CountingLog(shards=2)


@pytest.fixture
def spine(tmp_path: Path, log: CountingLog) -> Iterator[Spine]:
    with Spine(tmp_path, log) as spine:
        yield spine


def ids(batches: Sequence[Batch]) -> list[list[str]]:
    return [batch.columns.id for batch in batches]


def noted_ids(spine: Spine) -> dict[str, list[str]]:
    return {subject: document["noted"] for subject, document in spine.rows()["diary"]["documents"].items()}


def test_projections_have_names_of_their_own_and_know_the_newest_versions() -> None:
    assert [projection.name for projection in ALL] == [
        "event_index",
        "agent_status",
        "task_board",
        "daily_aggregates",
        "configuration",
        "rules",
        "alerts",
        "policies",
    ]
    for projection in ALL:
        assert {kind: REGISTRY.newest(kind) for kind in projection.folds} == dict(projection.folds)


def test_a_projection_is_found_by_its_name() -> None:
    assert named("task_board") is ALL[2]
    with pytest.raises(KeyError):
        named("nothing")


def test_a_step_folds_a_batch_of_every_shard_and_tells_how_many_the_busiest_had(tmp_path: Path, log: CountingLog) -> None:
    log.append([noted(number) for number in range(25)])
    heads = log.heads()
    with Spine(tmp_path, log, projections=[Diary()], batch_events=4) as spine:
        assert spine.projector.step() == 4 * len(heads)
        steps = spine.fold()

        assert spine.projector.step() == 0
        assert steps > 1
        assert sum(map(len, noted_ids(spine).values())) == 25


def test_projections_at_one_checkpoint_share_a_read(spine: Spine, log: CountingLog) -> None:
    log.append([finding(1)])

    spine.projector.step()

    assert log.reads == [("shard-0", None), ("shard-1", None)]


def test_each_projection_goes_on_behind_its_own_checkpoint(tmp_path: Path, log: CountingLog) -> None:
    log.append([finding(1)])
    with Spine(tmp_path, log, projections=ALL[:1]) as early:
        early.fold()
    log.append([finding(2)])

    with Spine(tmp_path, log) as spine:
        spine.fold()

        assert [state.checkpoints for state in spine.catalog.states()] == [log.heads()] * len(ALL)
        assert [bucket.count for bucket in spine.catalog.daily(0, NOW_US)] == [2]
        assert len(spine.catalog.event(finding(1).id, now_us=NOW_US)) == 1


def test_a_projector_that_starts_goes_on_where_the_former_stopped(tmp_path: Path) -> None:
    log = CountingLog()
    log.append([noted(number) for number in range(5)])
    with Spine(tmp_path, log, projections=[Diary()], batch_events=2) as spine:
        spine.projector.step()
    log.reads.clear()

    with Spine(tmp_path, log, projections=[Diary()], token="second") as spine:  # no secret
        spine.fold()

        assert log.reads[0] == ("shard-0", log.records()[1].position)
        assert sum(map(len, noted_ids(spine).values())) == 5


def test_a_second_projector_fences_the_first(tmp_path: Path, log: CountingLog) -> None:
    with Spine(tmp_path, log) as first, Spine(tmp_path, log, token="second") as second:  # no secret
        log.append([finding(1)])
        first.fold()
        log.append([finding(2)])
        second.fold()
        log.append([finding(3)])

        for _ in range(2):
            with pytest.raises(Fenced):
                first.projector.step()
        second.fold()

        assert [bucket.count for bucket in second.catalog.daily(0, NOW_US)] == [3]


def test_what_is_down_is_tried_again(spine: Spine, log: CountingLog) -> None:
    log.append([finding(1)])
    log.down = True
    with pytest.raises(LogUnavailable):
        spine.projector.step()

    log.down = False
    spine.fold()

    assert [bucket.count for bucket in spine.catalog.daily(0, NOW_US)] == [1]


def test_a_newer_version_stops_its_projections_only_and_tells_once(spine: Spine, log: CountingLog) -> None:
    log.append([finding(1), beat(MORNING_US), task("created", MORNING_US)])
    log.append([deployed(MORNING_US + 1, "active", version="2.0")])
    newer = fact("task.updated", MORNING_US + 2, 1, version=2, subject=task("created", MORNING_US).subject)
    log.append([newer, task("deleted", MORNING_US + 3)])
    for _ in range(3):
        spine.fold()
    log.append([finding(2)])
    spine.fold()

    (message,) = spine.stopped
    assert message.startswith("task_board folds task.updated up to version 1; ")
    assert message.endswith(" has version 2: deploy a build that knows it")
    assert [state.name for state in spine.catalog.states() if state.lag_events] == ["task_board"]
    assert len(spine.catalog.tasks(now_us=NOW_US)) == 1
    assert [bucket.count for bucket in spine.catalog.daily(0, NOW_US)] == [2]


def test_a_build_that_knows_the_newer_version_goes_on_behind_what_was_folded(tmp_path: Path) -> None:
    class Knowing(Diary):
        folds: ClassVar[Mapping[str, int]] = {"diary.noted": 3}

    log = MemoryLog(shards=1)
    log.append([noted(0), noted(3, version=3), noted(6)])
    with Spine(tmp_path, log, projections=[Diary()]) as spine:
        spine.fold()
        assert noted_ids(spine) == {"subject-0": [noted(0).id]}

    with Spine(tmp_path, log, projections=[Knowing()]) as spine:
        spine.fold()

        assert noted_ids(spine) == {"subject-0": [noted(0).id, noted(3).id, noted(6).id]}
        assert spine.stopped == []


def test_a_generation_of_another_version_of_the_fold_is_outdated_and_left_alone(tmp_path: Path) -> None:
    log = MemoryLog()
    log.append([noted(0)])
    with Spine(tmp_path, log, projections=[Diary()]) as spine:
        spine.fold()
        assert spine.projector.outdated() == []
    log.append([noted(3)])

    new = NewDiary()
    with Spine(tmp_path, log, projections=[new]) as spine:
        assert spine.projector.outdated() == [new]
        assert spine.projector.step() == 0
        assert noted_ids(spine) == {"subject-0": [noted(0).id]}

        spine.rebuilder().rebuild(new)

        assert spine.projector.outdated() == []
        assert noted_ids(spine) == {"subject-0": [noted(3).id, noted(0).id]}


def test_nothing_is_outdated_before_the_first_start(spine: Spine) -> None:
    assert spine.projector.outdated() == []


def test_after_a_switch_the_new_generation_is_folded(tmp_path: Path, log: CountingLog) -> None:
    diary = Diary()
    log.append([noted(0)])
    with Spine(tmp_path, log, projections=[diary]) as spine:
        spine.fold()
        spine.rebuilder().rebuild(diary)
        log.append([noted(3)])
        spine.fold()

        assert spine.store.serving()["diary"].number == 2
        assert noted_ids(spine) == {"subject-0": [noted(0).id, noted(3).id]}


def test_a_parent_is_read_to_its_end_before_its_children(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    events = [noted(number) for number in range(60)]
    log.append(events[:15])
    left, right = log.split("shard-0")
    log.append(events[15:30])
    log.merge(right, "shard-1")
    log.append(events[30:45])
    log.split(left)
    log.append(events[45:])
    with Spine(tmp_path, log, projections=[Diary()], batch_events=2) as spine:
        spine.fold()

        assert noted_ids(spine) == {f"subject-{n}": [event.id for event in events[n::3]] for n in range(3)}
        assert spine.catalog.states()[0].checkpoints == log.heads()


def test_a_child_waits_while_its_parent_has_more_and_is_read_when_the_parent_ends() -> None:
    log = MemoryLog(shards=1)
    log.append([noted(0), noted(1)])
    log.split("shard-0")
    log.append([noted(2)])
    child = log.shard_of("subject-2")
    first, second = log.read("shard-0", None, 1).positions[0], log.read("shard-0", None, 2).positions[1]

    assert ids(Reads(log, 1).behind({})) == [[noted(0).id]]
    assert ids(Reads(log, 1).behind({"shard-0": first})) == [[noted(1).id]]
    assert ids(Reads(log, 1).behind({"shard-0": second})) == [[noted(2).id]]
    assert Reads(log, 1).behind({"shard-0": second, child: log.heads()[child]}) == []


def test_children_of_an_open_parent_wait() -> None:
    """Kinesis may list a child before its parent is told to be closed."""

    class Early(MemoryLog):
        def shards(self) -> Sequence[Shard]:
            return [Shard("shard-0"), *list(super().shards())[1:]]

    log = Early(shards=1)
    log.split("shard-0")
    log.append([noted(0)])

    assert Reads(log, 10).behind({}) == []


def test_a_child_whose_parent_is_no_longer_listed_is_read() -> None:
    class Forgetful(MemoryLog):
        def shards(self) -> Sequence[Shard]:
            return list(super().shards())[1:]

    log = Forgetful(shards=1)
    log.split("shard-0")
    log.append([noted(0)])

    assert ids(Reads(log, 10).behind({})) == [[noted(0).id]]


def test_a_split_between_two_reads_of_a_step_does_not_let_a_child_go_first() -> None:
    """A first projection saw the parent's end while it was open; then more came, and a split; then comes a second projection."""
    log = MemoryLog(shards=1)
    reads = Reads(log, 10)
    assert reads.behind({}) == []
    log.append([noted(0)])
    log.split("shard-0")
    log.append([noted(3)])

    assert reads.behind({}) == []
    assert ids(Reads(log, 10).behind({})) == [[noted(0).id]]


def run(spine: Spine, log: CountingLog, *, until_waits: int) -> None:
    """Run until the log was waited for that often."""
    stop = Event()
    waits = log.wait

    def wait(seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        if len(log.waits) + 1 >= until_waits:
            stop.set()
        return waits(seen, timeout_seconds)

    log.wait = wait  # type: ignore[method-assign]  # counts
    spine.projector.run(stop)


def test_a_running_projector_folds_all_there_is_and_then_waits_for_more(tmp_path: Path, log: CountingLog) -> None:
    log.append([noted(number) for number in range(10)])
    with Spine(tmp_path, log, projections=[Diary()], batch_events=2) as spine:
        run(spine, log, until_waits=1)

        assert log.waits == [log.heads()]
        assert spine.catalog.states()[0].lag_events == 0


def test_a_running_projector_with_nothing_to_fold_into_does_not_ask_the_log_again_and_again(
    tmp_path: Path, log: CountingLog
) -> None:
    log.append([noted(0, version=9)])

    class Stop(Event):
        pauses = 0

        def wait(self, timeout: float | None = None) -> bool:
            assert timeout == 0.5
            self.pauses += 1
            if self.pauses == 3:
                self.set()
            return self.is_set()

    stop = Stop()
    with Spine(tmp_path, log, projections=[Diary()]) as spine:
        spine.projector.run(stop)

    assert stop.pauses == 3
    assert log.waits == []


def test_a_stopped_projector_does_nothing(spine: Spine, log: CountingLog) -> None:
    stop = Event()
    stop.set()

    spine.projector.run(stop)

    assert log.reads == []
    assert log.waits == []


def test_closing_twice_is_harmless_and_a_closed_projector_may_go_on(spine: Spine, log: CountingLog) -> None:
    log.append([finding(1)])
    spine.fold()

    spine.projector.close()
    spine.projector.close()
    log.append([finding(2)])
    spine.fold()

    assert [bucket.count for bucket in spine.catalog.daily(0, NOW_US)] == [2]


def test_steps_of_a_projector_make_an_unused_one_s_token_worthless(tmp_path: Path, log: CountingLog) -> None:
    """A projector claims when it first steps, not when it is made."""
    with Spine(tmp_path, log) as first:
        other = Projector(log, first.store, token="other")  # no secret
        log.append([finding(1)])
        first.fold()
        other.step()
        log.append([finding(2)])

        with pytest.raises(Fenced):
            first.projector.step()
        other.close()
