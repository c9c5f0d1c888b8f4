"""Two clients edit one task at once: no update is lost, every conflict is told, the history is complete and in order."""

import os
import subprocess
import sys
import threading
from pathlib import Path
from uuid import UUID

import pytest

from pipeline.desks.desk import COMMAND, Asked, Desk
from pipeline.desks.errors import VersionConflict
from pipeline.desks.fact import Fact, FactMapper
from pipeline.desks.recorder.port import Recorders
from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from pipeline.desks.task import CommentOnTask, Task
from projections.projector import named
from tests.desks.editor import desk_over, edit, log_at
from tests.desks.recording import on_ministack
from tests.desks.world import ADA, create
from tests.support.spine import Spine

pytestmark = pytest.mark.long

TORTURE = os.environ.get("FINDSTREAM_TORTURE") == "1"
TIMES = 500
TIMES_ON_DYNAMODB = 500 if TORTURE else 25


def facts(recorders: Recorders, task_id: UUID) -> list[Fact]:
    return [FactMapper().to_domain_event(stored) for stored in recorders.events.select_events(task_id)]


def check(recorders: Recorders, task_id: UUID, told: list[list[str]], times: int) -> None:
    """What both clients heard agrees with what is kept."""
    kept = facts(recorders, task_id)
    accepted = [int(line) for lines in told for line in lines if not line.startswith("conflict")]
    conflicts = [int(line.removeprefix("conflict ")) for lines in told for line in lines if line.startswith("conflict")]

    assert len(accepted) == 2 * times
    assert sorted(accepted) == list(range(2, 2 * times + 2))
    assert [fact.originator_version for fact in kept] == list(range(1, 2 * times + 2))
    assert [fact.body["version"] for fact in kept] == list(range(1, 2 * times + 2))
    for name in ("ada", "bob"):
        assert [fact.body["title"] for fact in kept[1:] if fact.body["by"] == name] == [f"{name} {n}" for n in range(times)]
    assert conflicts, "the clients never met"
    assert max(conflicts) <= 2 * times + 1
    assert [fact.time_us for fact in kept] == sorted(fact.time_us for fact in kept)


def test_two_processes_edit_one_task_a_thousand_times(tmp_path: Path) -> None:
    recorders = open_sqlite(tmp_path / "desks.db")
    task = desk_over(recorders).make(Task, create(), ADA)
    command = [sys.executable, "-m", "tests.desks.editor", "edit", str(tmp_path)]
    clients = [
        subprocess.Popen([*command, name, str(task.id), str(TIMES)], stdout=subprocess.PIPE, text=True) for name in ("ada", "bob")
    ]
    told = [client.communicate(timeout=240)[0].splitlines() for client in clients]

    assert [client.returncode for client in clients] == [0, 0]
    check(recorders, task.id, told, TIMES)
    with Spine(tmp_path / "projections", log_at(tmp_path), projections=[named("task_board")]) as spine:
        relay = Relay(recorders, spine.log)
        while relay.step():
            pass
        spine.fold()
        history = spine.catalog.task_history(str(task.id))
        (shown,) = spine.catalog.tasks(now_us=0)
        spine.log.close()  # type: ignore[attr-defined]  # a SQLite log

    assert [change.version for change in history] == list(range(1, 2 * TIMES + 2))
    assert [change.changes[0].new for change in history[1:]] == [fact.body["title"] for fact in facts(recorders, task.id)[1:]]
    assert [change.changes[0].old for change in history[2:]] == [change.changes[0].new for change in history[1:-1]]
    assert (shown.version, shown.title) == (2 * TIMES + 1, history[-1].changes[0].new)
    recorders.close()


def _together(desks: list[Desk], task_id: UUID, times: int) -> list[list[str]]:
    told: list[list[str]] = [[], []]
    clients = [
        threading.Thread(target=edit, args=(desk, name, task_id, times, lines.append))
        for desk, name, lines in zip(desks, ("ada", "bob"), told, strict=True)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join(280)
    return told


def test_two_instances_edit_one_task_on_dynamodb(request: pytest.FixtureRequest, tmp_path: Path) -> None:
    make = on_ministack(request, tmp_path)
    recorders = [make(), make()]
    desks = [desk_over(each) for each in recorders]
    task = desks[0].make(Task, create(), ADA)

    told = _together(desks, task.id, TIMES_ON_DYNAMODB)

    check(recorders[0], task.id, told, TIMES_ON_DYNAMODB)
    assert recorders[0].events.max_notification_id() == 2 * TIMES_ON_DYNAMODB + 1


def test_commands_that_name_no_version_all_succeed(tmp_path: Path) -> None:
    recorders = [open_sqlite(tmp_path / "desks.db") for _ in range(2)]
    desks = [desk_over(each) for each in recorders]
    task = desks[0].make(Task, create(), ADA)

    def comment(desk: Desk, name: str) -> None:
        for number in range(50):
            desk.do(Task, task.id, CommentOnTask(f"{name} {number}"), Asked(name, key=f"{name}-{number}"))

    clients = [threading.Thread(target=comment, args=pair) for pair in zip(desks, ("ada", "bob"), strict=True)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    kept = facts(recorders[0], task.id)
    assert [fact.originator_version for fact in kept] == list(range(1, 102))
    for name in ("ada", "bob"):
        assert [fact.body["comment"] for fact in kept if fact.body.get("by") == name] == [f"{name} {n}" for n in range(50)]
    assert len(recorders[0].events.select_notifications(None, 1000, topics=[COMMAND])) == 100
    for each in recorders:
        each.close()


def test_a_key_that_two_send_at_once_is_done_once(tmp_path: Path) -> None:
    recorders = [open_sqlite(tmp_path / "desks.db") for _ in range(2)]
    desks = [desk_over(each) for each in recorders]
    ids: list[list[UUID]] = [[], []]

    def make(desk: Desk, made: list[UUID]) -> None:
        made.extend(desk.make(Task, create(), Asked("ada", key=f"k{number}")).id for number in range(40))

    clients = [threading.Thread(target=make, args=pair) for pair in zip(desks, ids, strict=True)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()

    assert ids[0] == ids[1]
    assert len(set(ids[0])) == 40
    for each in recorders:
        each.close()


def test_a_conflict_tells_a_version_that_can_be_read() -> None:
    assert VersionConflict(what="the task", version=7).version == 7
