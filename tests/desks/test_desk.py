"""Commands: versions, keys, snapshots, races, outages."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from eventsourcing.persistence import IntegrityError, OperationalError, StoredEvent

from pipeline.desks.desk import Asked
from pipeline.desks.errors import CommandRefused, DesksUnavailable, KeyReused, NothingThere, VersionConflict
from pipeline.desks.task import CommentOnTask, DeleteTask, EditTask, MoveTask, Task
from tests.desks.world import ADA, Desks, create

NOBODY_S = UUID(int=99)


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path, snapshot_every=3) as desks:
        yield desks


def test_a_command_against_the_version_that_there_is_is_done(desks: Desks) -> None:
    task = desks.task()

    assert desks.desk.do(Task, task.id, MoveTask("closed"), Asked("ada", version=1)).version == 2


@pytest.mark.parametrize("version", [0, 1, 3])
def test_a_stale_command_is_told_the_version_that_there_is(desks: Desks, version: int) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, MoveTask("closed"), ADA)

    with pytest.raises(VersionConflict) as caught:
        desks.desk.do(Task, task.id, MoveTask("open"), Asked("ada", version=version))
    assert caught.value.version == 2
    assert len(desks.told()) == 2


def test_a_stale_command_on_what_is_gone_is_told_so(desks: Desks) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, DeleteTask(), ADA)

    with pytest.raises(NothingThere):
        desks.desk.do(Task, task.id, MoveTask("open"), Asked("ada", version=1))


def _of_eve(task: Task) -> bool:
    return task.state is not None and task.state.belongs_to("eve")


def test_what_is_not_theirs_is_not_there_for_them(desks: Desks) -> None:
    task = desks.task()

    with pytest.raises(NothingThere):
        desks.desk.do(Task, task.id, MoveTask("open"), Asked("eve"), may=_of_eve)


def test_the_same_key_with_the_same_command_gives_the_same_answer(desks: Desks) -> None:
    first = desks.desk.make(Task, create(), Asked("ada", key="k1"))
    desks.desk.do(Task, first.id, MoveTask("closed"), ADA)

    again = desks.desk.make(Task, create(), Asked("ada", key="k1"))

    assert (again.id, again.version, again.state) == (first.id, 1, first.state)
    assert len(desks.told()) == 2


def test_a_key_holds_for_a_stale_command_that_was_done_then(desks: Desks) -> None:
    task = desks.task()
    asked = Asked("ada", key="k1", version=1)
    desks.desk.do(Task, task.id, MoveTask("closed"), asked)

    assert desks.desk.do(Task, task.id, MoveTask("closed"), asked).version == 2


def test_a_key_holds_where_a_command_changed_nothing(desks: Desks) -> None:
    task = desks.task()
    asked = Asked("ada", key="k1")
    desks.desk.do(Task, task.id, MoveTask("open"), asked)
    desks.desk.do(Task, task.id, MoveTask("closed"), ADA)

    assert desks.desk.do(Task, task.id, MoveTask("open"), asked).version == 1


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (CommentOnTask("Other"), Asked("ada", key="k1")),
        (MoveTask("closed"), Asked("ada", key="k1")),
        (CommentOnTask("Hm."), Asked("ada", key="k1", version=2)),
    ],
)
def test_a_key_with_another_command_is_refused(desks: Desks, command: Any, asked: Asked) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("Hm."), Asked("ada", key="k1"))

    with pytest.raises(KeyReused):
        desks.desk.do(Task, task.id, command, asked)


def test_a_key_with_the_same_command_on_something_else_is_refused(desks: Desks) -> None:
    one, other = desks.task(), desks.task()
    desks.desk.do(Task, one.id, CommentOnTask("Hm."), Asked("ada", key="k1"))

    with pytest.raises(KeyReused):
        desks.desk.do(Task, other.id, CommentOnTask("Hm."), Asked("ada", key="k1"))


def test_keys_are_each_person_s_own(desks: Desks) -> None:
    one = desks.desk.make(Task, create(), Asked("ada", key="k1"))
    other = desks.desk.make(Task, create(), Asked("bob", key="k1"))

    assert one.id != other.id


def test_a_refused_command_leaves_its_key_unused(desks: Desks) -> None:
    with pytest.raises(CommandRefused):
        desks.desk.make(Task, create(title="ab"), Asked("ada", key="k1"))

    assert desks.desk.make(Task, create(), Asked("ada", key="k1")).version == 1


def test_a_snapshot_and_what_came_after_is_what_the_facts_say(desks: Desks) -> None:
    task = desks.task()
    for number in range(7):
        desks.clock.now_us += 1
        task = desks.desk.do(Task, task.id, EditTask({"title": f"Title {number}"}), ADA)

    loaded = desks.desk.load(Task, task.id)

    assert [picture.originator_version for picture in desks.recorders.snapshots.select_events(task.id)] == [3, 6]
    assert (loaded.state, loaded.version, loaded.updated_us) == (task.state, 8, task.updated_us)
    assert [(desks.desk.load(Task, task.id, version=v).version) for v in range(1, 9)] == list(range(1, 9))


def test_a_deleted_task_stays_so_in_a_snapshot(desks: Desks) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, MoveTask("closed"), ADA)
    desks.desk.do(Task, task.id, DeleteTask(), ADA)

    assert not desks.desk.load(Task, task.id).exists
    assert len(desks.recorders.snapshots.select_events(task.id)) == 1


def test_a_snapshot_that_fails_does_not_fail_the_command(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise OperationalError

    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("One"), ADA)
    monkeypatch.setattr(desks.recorders.snapshots, "insert_events", broken)

    assert desks.desk.do(Task, task.id, CommentOnTask("Two"), ADA).version == 3


def _overtaken(desks: Desks, monkeypatch: pytest.MonkeyPatch, times: int) -> None:
    """Let others be faster so many times."""
    insert = desks.recorders.events.insert_events
    left = [times]

    def insert_events(stored: list[StoredEvent], **options: Any) -> Any:
        left[0] -= 1
        if left[0] >= 0:
            first = stored[0]
            insert([StoredEvent(first.originator_id, first.originator_version, "task.commented", _comment(desks))])
            raise IntegrityError
        return insert(stored, **options)

    monkeypatch.setattr(desks.recorders.events, "insert_events", insert_events)


def _comment(desks: Desks) -> bytes:
    found = desks.recorders.events.select_notifications(None, 1000, topics=["task.commented"])
    return found[0].state


def test_a_command_without_a_version_is_decided_anew_when_somebody_was_faster(
    desks: Desks, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("First"), ADA)
    _overtaken(desks, monkeypatch, 3)

    assert desks.desk.do(Task, task.id, MoveTask("closed"), ADA).version == 6


def test_a_command_with_a_version_is_refused_when_somebody_was_faster(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("First"), ADA)
    _overtaken(desks, monkeypatch, 1)

    with pytest.raises(VersionConflict) as caught:
        desks.desk.do(Task, task.id, MoveTask("closed"), Asked("ada", version=2))
    assert caught.value.version == 3


def test_who_is_always_overtaken_gives_up(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("First"), ADA)
    _overtaken(desks, monkeypatch, 1000)

    with pytest.raises(DesksUnavailable, match="others were faster"):
        desks.desk.do(Task, task.id, MoveTask("closed"), ADA)


def test_a_recorder_that_cannot_be_reached_is_told(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        message = "disk I/O error"
        raise OperationalError(message)

    monkeypatch.setattr(desks.recorders.events, "select_events", broken)

    with pytest.raises(DesksUnavailable, match="disk I/O error"):
        desks.desk.load(Task, NOBODY_S)
