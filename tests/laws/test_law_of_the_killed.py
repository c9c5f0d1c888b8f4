"""Laws 1, 4 and 5 under SIGKILL: whoever is killed, whenever, rows and checkpoint agree, and nothing is lost or counted twice."""

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from pipeline.log.sqlite import SqliteLog
from projections.projector import ALL, named
from projections.reading import ProjectionState
from projections.stores.port import Status
from schemas.envelope import Envelope
from tests.laws.histories import beginning, some_finding
from tests.support.facts import MORNING_US, beat, finding, task
from tests.support.role import LOG, PROJECTIONS, kill_after, start
from tests.support.scratch import scratch
from tests.support.spine import Spine, frozen_clock

pytestmark = pytest.mark.long

EVENTS = 2_400


def events() -> list[Envelope]:
    """Findings, tasks, heartbeats, and a poison event, whose task waits."""
    random = Random(7)  # no secret is made of it
    told = [*beginning(), task("created", MORNING_US, 7), task("updated", MORNING_US, 7, version="poison")]
    for number in range(EVENTS):
        match random.randrange(20):
            case 0:
                told.append(task("status_changed", MORNING_US + number, number % 3, status="closed"))
            case 1:
                told.append(task("commented", MORNING_US + number, 7, comment=f"comment {number}"))
            case 2:
                told.append(beat(MORNING_US + number * 1_000_000))
            case 3:
                told.append(some_finding(number))
            case _:
                told.append(finding(number, subject=f"alarm/{number % 9}"))
    return told


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder with a log."""
    with scratch() as home:
        with closing(SqliteLog(home / LOG, shards=2, clock=frozen_clock)) as log:
            log.append(events())
        yield home


@pytest.fixture
def log(home: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(home / LOG, clock=frozen_clock)) as log:
        yield log


def undisturbed(log: SqliteLog) -> dict[str, dict[str, object]]:
    """The rows of a projector that nobody killed."""
    with scratch() as folder, Spine(folder, log, batch_events=500) as spine:
        spine.fold()
        return sorted_rows(spine)


def sorted_rows(spine: Spine) -> dict[str, dict[str, object]]:
    rows = spine.rows()
    for some in rows.values():
        some["parked"].sort(key=lambda parked: parked[1])  # between shards, parking has no order
    return rows


def test_a_projector_killed_again_and_again_comes_to_the_rows_of_one_that_was_not(home: Path, log: SqliteLog) -> None:
    random = Random(11)  # no secret is made of it
    kills = sum(kill_after(start("project", home, str(life)), random.randrange(1, 9)) for life in range(4))
    assert kills == 4

    with Spine(home / PROJECTIONS, log, token="last") as spine:  # a writer's token is no secret
        half = spine.catalog.states()
        assert any(state.lag_events for state in half)
        assert [agreeing(spine, state) for state in half] == [True] * len(ALL)
        spine.fold()

        assert sorted_rows(spine) == undisturbed(log)
        assert len(spine.catalog.parked("task_board")) > 50


def agreeing(spine: Spine, state: ProjectionState) -> bool:
    """Whether the rows are exactly those of the events up to the checkpoints."""
    with closing(spine.store.open(spine.store.serving()[state.name])) as generation:
        assert generation.checkpoints() == state.checkpoints
    return spine.rebuilder(batch_events=333).verify(named(state.name)).equal


def test_a_rebuild_killed_at_any_time_leaves_what_serves_untouched_and_the_next_cleans_up(home: Path, log: SqliteLog) -> None:
    with Spine(home / PROJECTIONS, log) as spine:
        spine.fold()
        before = spine.rows()
        for projection, lines in (("task_board", 1), ("event_index", 12), ("event_index", 25)):
            assert kill_after(start("rebuild", home, projection), lines)

            assert spine.rows() == before
            builds = [info.status for info in spine.store.generations(projection)]
            assert builds == [Status.SERVING, Status.BUILDING]
            assert len(list((home / PROJECTIONS).glob(f"{projection}-*.db"))) == 2

        rebuilt = spine.rebuilder().rebuild(named("event_index"))

        assert rebuilt.folded == log.behind({})
        assert spine.rows() == before
        assert [info.status for info in spine.store.generations("event_index")] == [Status.RETIRED, Status.SERVING]
        assert len(list((home / PROJECTIONS).glob("event_index-*.db"))) == 2
