from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.reading import FieldChange, Task
from projections.task_board import TaskBoard
from schemas.envelope import Envelope
from tests.support.answers import expected
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US, fact, task, task_id
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine

CREATED = Task(
    id=task_id(0),
    title="Look at it",
    description="Somebody ought to look.",
    status="open",
    priority="medium",
    assignee_id="",
    event_id="",
    due_us=None,
    created_us=MORNING_US,
    updated_us=MORNING_US,
    closed_at_us=None,
    overdue=False,
    version=1,
    created_by="u1",
)


def board(folder: Path, events: Sequence[Envelope], *, now_us: int = MORNING_US) -> list[Task]:
    log = MemoryLog(shards=2)
    log.append(events)
    with Spine(folder, log, projections=[TaskBoard()], batch_events=2) as spine:
        spine.fold()
        assert [parked.error for parked in spine.catalog.parked("task_board")] == []
        return list(spine.catalog.tasks(now_us=now_us))


def only(folder: Path, *events: Envelope, now_us: int = MORNING_US) -> Task:
    (told,) = board(folder, events, now_us=now_us)
    return told


def test_a_created_task_is_open(tmp_path: Path) -> None:
    assert only(tmp_path, task("created", MORNING_US)) == CREATED


def test_a_task_is_told_with_all_that_it_was_created_with(tmp_path: Path) -> None:
    due_us = MORNING_US + DAY_US
    created = task(
        "created", MORNING_US, priority="high", assignee_id="u7", event_id="1-x", due_us=due_us, event={"summary": "x"}
    )

    told = only(tmp_path, created)

    assert (told.priority, told.assignee_id, told.event_id, told.due_us) == ("high", "u7", "1-x", due_us)


def test_an_update_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    created = task("created", MORNING_US, assignee_id="u7", due_us=MORNING_US + DAY_US)
    updated = task("updated", MORNING_US + 1, title="Look again", due_us=None)

    told = only(tmp_path, created, updated)

    assert (told.title, told.due_us, told.assignee_id, told.updated_us, told.version) == (
        "Look again",
        None,
        "u7",
        MORNING_US + 1,
        2,
    )


def test_a_task_closes_and_reopens(tmp_path: Path) -> None:
    events = [task("created", MORNING_US)]
    for second, status in enumerate(("in_progress", "closed", "open"), start=1):
        events.append(task("status_changed", MORNING_US + second, status=status))

    told = [only(tmp_path / str(n), *events[:n]) for n in range(1, 5)]

    assert [one.status for one in told] == ["open", "in_progress", "closed", "open"]
    assert [one.closed_at_us for one in told] == [None, None, MORNING_US + 2, None]


def test_a_deleted_task_is_off_the_board(tmp_path: Path) -> None:
    events = [task("created", MORNING_US), task("deleted", MORNING_US + 1), task("created", MORNING_US, 1)]

    assert [told.id for told in board(tmp_path, events)] == [task_id(1)]


def test_an_event_leads_once_to_a_task_that_was_created_from_it_twice(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    events = [task("created", MORNING_US, event_id="1-x"), task("deleted", MORNING_US + 1)]
    log.append([*events, task("created", MORNING_US + 2, event_id="1-x", title="Once more")])
    with Spine(tmp_path, log, projections=[TaskBoard()]) as spine:
        spine.fold()
        assert [told.id for told in spine.catalog.tasks_from("1-x", now_us=MORNING_US)] == [task_id(0)]


def test_a_task_created_anew_after_its_deletion_is_on_the_board(tmp_path: Path) -> None:
    events = [task("created", MORNING_US), task("deleted", MORNING_US + 1), task("created", MORNING_US + 2, title="Once more")]

    assert only(tmp_path, *events).title == "Once more"


def test_a_task_is_overdue_after_its_due_date_unless_closed(tmp_path: Path) -> None:
    due_us = MORNING_US + DAY_US
    created = task("created", MORNING_US, due_us=due_us)
    closed = task("status_changed", MORNING_US + 1, status="closed")

    assert not only(tmp_path / "1", created, now_us=due_us).overdue
    assert only(tmp_path / "2", created, now_us=due_us + 1).overdue
    assert not only(tmp_path / "3", created, closed, now_us=due_us + 1).overdue
    assert not only(tmp_path / "4", task("created", MORNING_US), now_us=2**60).overdue


def test_the_board_is_sorted_by_priority_due_date_and_id(tmp_path: Path) -> None:
    wanted: list[dict[str, Any]] = [
        {"priority": "critical"},
        {"priority": "high", "due_us": MORNING_US + 1},
        {"priority": "high", "due_us": MORNING_US + 2},
        {"priority": "high"},
        {"priority": "high"},
        {"priority": "medium", "due_us": 0},
        {"priority": "low", "due_us": 0},
    ]
    events = [task("created", MORNING_US, number, **told) for number, told in enumerate(wanted)]

    assert [told.id for told in board(tmp_path, list(reversed(events)))] == [task_id(number) for number in range(7)]


def test_every_event_of_a_task_is_in_its_history(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    events = [
        task("created", MORNING_US),
        task("commented", MORNING_US + 1, comment="It was me."),
        task("updated", MORNING_US + 2, priority="low"),
        task("deleted", MORNING_US + 3),
    ]
    log.append(events)
    with Spine(tmp_path, log, projections=[TaskBoard()]) as spine:
        spine.fold()
        history = spine.catalog.task_history(task_id(0))

    assert [(told.version, told.time_us, told.type, told.id, told.by) for told in history] == [
        (n, event.time_us, event.type, event.id, "u1") for n, event in enumerate(events, 1)
    ]
    assert [told.comment for told in history] == ["", "It was me.", "", ""]
    assert history[0].changes == (
        FieldChange("title", None, "Look at it"),
        FieldChange("description", None, "Somebody ought to look."),
        FieldChange("status", None, "open"),
        FieldChange("priority", None, "medium"),
    )
    assert [told.changes for told in history[1:]] == [
        (),
        (FieldChange("priority", "medium", "low"),),
        (FieldChange("deleted", old=False, new=True),),
    ]


def test_a_long_history_is_complete_and_in_order(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([task("created", MORNING_US)])
    log.append([task("updated", MORNING_US + n, title=f"Title {n}", version=n + 1) for n in range(1, 101)])
    with Spine(tmp_path, log, projections=[TaskBoard()], batch_events=7) as spine:
        spine.fold()
        history = spine.catalog.task_history(task_id(0))
        sizes = [len(d["entries"]) for k, d in spine.rows()["task_board"]["documents"].items() if k.startswith("history/")]

    assert [told.version for told in history] == list(range(1, 102))
    assert [told.changes[0].new for told in history[1:]] == [f"Title {n}" for n in range(1, 101)]
    assert [told.changes[0].old for told in history[2:]] == [f"Title {n}" for n in range(1, 100)]
    assert max(sizes) == 20


def test_comments_are_counted_and_a_copy_of_the_event_is_kept(tmp_path: Path) -> None:
    created = task("created", MORNING_US, event_id="1-x", event={"summary": "Port scan"})

    told = only(tmp_path, created, *(task("commented", MORNING_US + n, comment=f"Hm {n}.") for n in range(1, 4)))

    assert (told.comments, told.event) == (3, {"summary": "Port scan"})


def test_an_event_leads_to_the_tasks_that_were_made_from_it(tmp_path: Path) -> None:
    log = MemoryLog(shards=3)
    log.append([task("created", MORNING_US, n, event_id="1-x" if n < 9 else "1-y") for n in range(10)])
    log.append([task("deleted", MORNING_US + 1, 4), task("created", MORNING_US + 2, 5, event_id="1-x")])
    with Spine(tmp_path, log, projections=[TaskBoard()], batch_events=2) as spine:
        spine.fold()

        made = [told.id for told in spine.catalog.tasks_from("1-x", now_us=MORNING_US)]

        assert made == [task_id(n) for n in (0, 1, 2, 3, 5, 6, 7, 8)]
        assert spine.catalog.tasks_from("1-z", now_us=MORNING_US) == []


def test_one_task_is_found_by_its_id_unless_deleted(tmp_path: Path) -> None:
    log = MemoryLog(shards=2)
    log.append([task("created", MORNING_US), task("created", MORNING_US, 1), task("deleted", MORNING_US + 1, 1)])
    with Spine(tmp_path, log, projections=[TaskBoard()]) as spine:
        spine.fold()

        found = [spine.catalog.task(task_id(n), now_us=MORNING_US) for n in range(3)]

        assert [told.id if told else None for told in found] == [task_id(0), None, None]
        assert len(spine.catalog.task_history(task_id(1))) == 2
        assert spine.catalog.task_history(task_id(2)) == []


def test_a_task_belongs_to_whom_it_is_assigned_to_and_who_made_it() -> None:
    told = replace(CREATED, assignee_id="u7")

    assert [told.belongs_to(user) for user in ("u1", "u7", "u2")] == [True, True, False]


def test_an_event_of_a_task_that_was_never_created_waits_with_the_task_s_later_ones(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([task("updated", MORNING_US, title="Unheard of"), task("created", MORNING_US + 1), task("created", MORNING_US, 1)])
    with Spine(tmp_path, log, projections=[TaskBoard()]) as spine:
        spine.fold()
        parked = spine.catalog.parked("task_board")

        assert [told.id for told in spine.catalog.tasks(now_us=MORNING_US)] == [task_id(1)]
    assert [one.key for one in parked] == [f"task/{task_id(0)}"] * 2
    assert "KeyError" in parked[0].error
    assert parked[1].error == ""


def test_a_task_s_body_of_the_wrong_form_is_poison(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([task("created", MORNING_US, priority="whenever"), fact("task.created", MORNING_US, 1, body=b"{")])
    with Spine(tmp_path, log, projections=[TaskBoard()]) as spine:
        spine.fold()

        assert spine.catalog.tasks(now_us=MORNING_US) == []
        assert all(parked.error for parked in spine.catalog.parked("task_board"))
        assert len(spine.catalog.parked("task_board")) == 2


CHANGES: st.SearchStrategy[tuple[str, dict[str, Any]]] = st.one_of(
    st.just(("commented", {"comment": "Well."})),
    st.just(("deleted", {})),
    st.sampled_from(["open", "in_progress", "closed"]).map(lambda status: ("status_changed", {"status": status})),
    st.fixed_dictionaries(
        {},
        optional={"title": st.just("Other"), "priority": st.sampled_from(["low", "critical"]), "due_us": st.none() | st.just(7)},
    ).map(lambda fields: ("updated", fields)),
)


@share(3)
@given(changes=st.lists(st.tuples(st.integers(0, 3), CHANGES), max_size=25), now_us=st.integers(0, 10))
def test_the_fold_tells_what_plain_words_say(changes: list[tuple[int, tuple[str, dict[str, Any]]]], now_us: int) -> None:
    log = MemoryLog(shards=2)
    log.append([task("created", MORNING_US, number, priority="high") for number in range(4)])
    log.append([task(kind, MORNING_US + 1 + n, number, **body) for n, (number, (kind, body)) in enumerate(changes)])
    with scratch() as folder, Spine(folder, log, projections=[TaskBoard()], batch_events=5) as spine:
        spine.fold()

        assert list(spine.catalog.tasks(now_us=now_us)) == expected(log.records(), now_us=now_us).tasks
