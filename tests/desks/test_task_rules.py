"""The rules of tasks, as commands on an aggregate."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.desks.desk import Asked
from pipeline.desks.errors import AlreadyThere, CommandRefused, NothingThere
from pipeline.desks.task import CommentOnTask, DeleteTask, EditTask, MoveTask, Task, TaskState
from schemas.registry import REGISTRY
from tests.desks.world import ADA, DAY_US, NOW_US, Desks, create

BOB = Asked("bob")


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path) as desks:
        yield desks


def state(task: Task) -> TaskState:
    assert task.state is not None
    return task.state


def refused(desks: Desks, **fields: Any) -> list[str]:
    with pytest.raises(CommandRefused) as caught:
        desks.task(**fields)
    return [fault.field for fault in caught.value.faults]


def test_a_task_is_opened_with_all_that_was_asked(desks: Desks) -> None:
    task = desks.task(assignee_id="bob", due_us=NOW_US + DAY_US, event_id="1-x", event={"summary": "Port scan"}, priority="high")

    assert state(task) == TaskState(
        title="Look at it",
        description="Somebody ought to look.",
        priority="high",
        created_by="ada",
        created_us=NOW_US,
        status="open",
        assignee_id="bob",
        due_us=NOW_US + DAY_US,
        closed_at_us=None,
        event_id="1-x",
        event={"summary": "Port scan"},
    )
    assert task.version == 1


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"title": "ab"}, "title"),
        ({"title": "  ab  "}, "title"),
        ({"title": "a" * 201}, "title"),
        ({"description": "too short"}, "description"),
        ({"description": "d" * 5001}, "description"),
        ({"priority": "whenever"}, "priority"),
        ({"due_us": NOW_US}, "due_us"),
        ({"assignee_id": "a" * 65}, "assignee_id"),
        ({"event": {"raw": "x" * 70_000}}, "event"),
    ],
)
def test_a_task_that_breaks_a_rule_is_refused_and_the_field_named(desks: Desks, fields: dict[str, Any], wrong: str) -> None:
    assert refused(desks, **fields) == [wrong]
    assert desks.told() == []


@pytest.mark.parametrize("fields", [{"title": "abc"}, {"title": "a" * 200}, {"description": "d" * 10}, {"due_us": NOW_US + 1}])
def test_a_task_at_the_edge_of_a_rule_is_taken(desks: Desks, fields: dict[str, Any]) -> None:
    assert desks.task(**fields).version == 1


def test_an_edit_changes_what_it_names(desks: Desks) -> None:
    task = desks.task(due_us=NOW_US + DAY_US, assignee_id="bob")

    task = desks.desk.do(Task, task.id, EditTask({"title": "Look again", "due_us": None, "assignee_id": ""}), BOB)

    assert (state(task).title, state(task).due_us, state(task).assignee_id) == ("Look again", None, "")
    assert desks.told()[-1].data == {"version": 2, "by": "bob", "title": "Look again", "due_us": None, "assignee_id": ""}


def test_an_edit_that_changes_nothing_tells_nothing(desks: Desks) -> None:
    task = desks.task()

    assert desks.desk.do(Task, task.id, EditTask({"title": " Look at it "}), BOB).version == 1
    assert len(desks.told()) == 1


@pytest.mark.parametrize(
    ("changes", "wrong"),
    [
        ({"title": "ab"}, "title"),
        ({"title": None}, "title"),
        ({"status": "closed"}, "status"),
        ({"due_us": NOW_US - 1}, "due_us"),
    ],
)
def test_an_edit_that_breaks_a_rule_is_refused(desks: Desks, changes: dict[str, Any], wrong: str) -> None:
    task = desks.task()

    with pytest.raises(CommandRefused) as caught:
        desks.desk.do(Task, task.id, EditTask(changes), BOB)
    assert [fault.field for fault in caught.value.faults] == [wrong]


def test_a_due_date_that_has_passed_since_does_not_hinder_other_edits(desks: Desks) -> None:
    task = desks.task(due_us=NOW_US + 1)
    desks.clock.now_us += DAY_US

    task = desks.desk.do(Task, task.id, EditTask({"title": "Late", "due_us": NOW_US + 1}), BOB)

    assert state(task).title == "Late"


def test_closing_stamps_a_task_and_reopening_takes_the_stamp_off(desks: Desks) -> None:
    task = desks.task()
    stamps = []
    for status in ("in_progress", "closed", "open", "closed"):
        desks.clock.now_us += 1
        stamps.append(state(desks.desk.do(Task, task.id, MoveTask(status), BOB)).closed_at_us)

    assert stamps == [None, NOW_US + 2, None, NOW_US + 4]


def test_a_task_is_moved_to_columns_that_there_are_and_not_twice(desks: Desks) -> None:
    task = desks.task()

    with pytest.raises(CommandRefused, match="status"):
        desks.desk.do(Task, task.id, MoveTask("done"), BOB)
    assert desks.desk.do(Task, task.id, MoveTask("open"), BOB).version == 1


def test_a_comment_is_told(desks: Desks) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask(" It was me. "), BOB)

    with pytest.raises(CommandRefused, match="comment"):
        desks.desk.do(Task, task.id, CommentOnTask("   "), BOB)
    assert desks.told()[-1].data == {"comment": "It was me.", "by": "bob", "version": 2}


def test_a_deleted_task_takes_no_more_commands(desks: Desks) -> None:
    task = desks.task()
    desks.desk.do(Task, task.id, DeleteTask(), BOB)

    for command in (EditTask({"title": "Again"}), MoveTask("closed"), CommentOnTask("Hm"), DeleteTask()):
        with pytest.raises(NothingThere):
            desks.desk.do(Task, task.id, command, BOB)
    with pytest.raises(AlreadyThere):
        desks.desk.do(Task, task.id, create(), BOB)


def test_each_fact_is_an_event_of_its_published_form(desks: Desks) -> None:
    task = desks.task(event_id="1700000000-cd65ea2c-2ad9-8e94-a85b-1b6df72efef9")
    for command in (EditTask({"priority": "low"}), MoveTask("closed"), CommentOnTask("Done"), DeleteTask()):
        desks.desk.do(Task, task.id, command, BOB)

    told = [REGISTRY.check(event) for event in desks.told()]

    assert [event.type for event in told] == [
        "task.created",
        "task.updated",
        "task.status_changed",
        "task.commented",
        "task.deleted",
    ]
    assert [event.data["version"] for event in told] == [1, 2, 3, 4, 5]
    assert {event.subject for event in told} == {f"task/{task.id}"}
    assert {event.causation_id for event in told} == {"1700000000-cd65ea2c-2ad9-8e94-a85b-1b6df72efef9"}
    assert len({event.id for event in told}) == 5


def test_the_id_of_an_event_is_frozen(desks: Desks) -> None:
    desks.task(ADA)

    assert [event.id for event in desks.told()] == ["1795219200-d8180be8-4b52-8c6a-8c70-0c9a6044f75f"]


def test_time_does_not_run_back_within_a_task(desks: Desks) -> None:
    task = desks.task()
    desks.clock.now_us -= DAY_US

    assert desks.desk.do(Task, task.id, MoveTask("closed"), BOB).updated_us == NOW_US
