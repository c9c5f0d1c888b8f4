"""From what the desks and the board know of a task to what the API answers."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any, Final

from consumers.api.commands import People
from consumers.api.models import TaskRef, seconds, seconds_or_none
from consumers.api.task_models import (
    ChangedField,
    CommentView,
    TaskChanged,
    TaskDetail,
    TaskHistory,
    TaskList,
    TasksStats,
    TaskView,
)
from pipeline.desks import task as desk
from projections.reading import FieldChange, Task, TaskChange

STATUSES: Final = ("open", "in_progress", "closed")
PRIORITIES: Final = ("critical", "high", "medium", "low")

_DAY_US: Final = 86_400_000_000
_HOUR_US: Final = 3_600_000_000


def commanded(task: desk.Task, people: People, *, now_us: int) -> TaskView:
    """A task as a command left it; of a deleted one nothing is left to show."""
    state: desk.TaskState = task.expect()
    overdue = state.status != "closed" and state.due_us is not None and state.due_us < now_us
    return TaskView(
        id=str(task.id),
        title=state.title,
        description=state.description,
        status=state.status,
        priority=state.priority,
        assignee=people.person(state.assignee_id),
        created_by=people.person(state.created_by),
        event_id=state.event_id,
        event=state.event,
        due=seconds_or_none(state.due_us),
        created=seconds(state.created_us),
        updated=seconds(task.updated_us),
        closed_at=seconds_or_none(state.closed_at_us),
        overdue=overdue,
        comments=state.comments,
        version=task.version,
    )


def shown(task: Task, people: People) -> TaskView:
    """A task as the board shows it."""
    return TaskView(**_fields(task, people))


def detail(task: Task, history: Sequence[TaskChange], people: People) -> TaskDetail:
    """A task with its comments."""
    said = [
        CommentView(id=told.id, time=seconds(told.time_us), by=people.person(told.by), comment=told.comment)
        for told in history
        if told.type == "task.commented"
    ]
    return TaskDetail(**_fields(task, people), said=said)


def history(changes: Iterable[TaskChange], people: People) -> TaskHistory:
    """All that happened to a task."""
    return TaskHistory(
        items=[
            TaskChanged(
                version=told.version,
                time=seconds(told.time_us),
                by=people.person(told.by),
                type=told.type,
                id=told.id,
                changes=[_changed(change) for change in told.changes],
                comment=told.comment,
            )
            for told in changes
        ]
    )


def listed(tasks: Sequence[Task], people: People, *, limit: int, offset: int) -> TaskList:
    """A page of these tasks, with totals of all."""
    counts = Counter(task.status for task in tasks)
    return TaskList(
        items=[shown(task, people) for task in tasks[offset : offset + limit]],
        total=len(tasks),
        by_status={status: counts[status] for status in STATUSES},
    )


def refs(tasks: Iterable[Task]) -> list[TaskRef]:
    """Tasks in short."""
    return [TaskRef(id=task.id, title=task.title, status=task.status, version=task.version) for task in tasks]


def stats(tasks: Collection[Task], *, now_us: int) -> TasksStats:
    """Figures of these tasks."""
    left = [task for task in tasks if task.status != "closed"]
    took = [task.closed_at_us - task.created_us for task in tasks if task.closed_at_us is not None]
    by_priority = Counter(task.priority for task in left)
    return TasksStats(
        total=len(tasks),
        by_status={status: sum(task.status == status for task in tasks) for status in STATUSES},
        by_priority={priority: by_priority[priority] for priority in PRIORITIES},
        by_assignee=dict(Counter(task.assignee_id for task in left).most_common()),
        overdue=sum(task.overdue for task in left),
        due_within_day=sum(task.due_us is not None and now_us <= task.due_us <= now_us + _DAY_US for task in left),
        created_last_7_days=sum(task.created_us > now_us - 7 * _DAY_US for task in tasks),
        closed_last_7_days=sum((task.closed_at_us or 0) > now_us - 7 * _DAY_US for task in tasks),
        mean_hours_to_close=sum(took) / len(took) / _HOUR_US if took else None,
    )


def people_of(tasks: Iterable[Task], history: Iterable[TaskChange] = ()) -> set[str]:
    """The ids of all who appear in these."""
    return {user_id for task in tasks for user_id in (task.assignee_id, task.created_by)} | {told.by for told in history}


def _fields(task: Task, people: People) -> Mapping[str, Any]:
    return {
        "id": task.id,
        "title": task.title,
        "description": task.description,
        "status": task.status,
        "priority": task.priority,
        "assignee": people.person(task.assignee_id),
        "created_by": people.person(task.created_by),
        "event_id": task.event_id,
        "event": task.event,
        "due": seconds_or_none(task.due_us),
        "created": seconds(task.created_us),
        "updated": seconds(task.updated_us),
        "closed_at": seconds_or_none(task.closed_at_us),
        "overdue": task.overdue,
        "comments": task.comments,
        "version": task.version,
    }


def _changed(change: FieldChange) -> ChangedField:
    """A change as the API tells it: microseconds become seconds, and the field loses the unit in its name."""
    if change.field.endswith("_us"):
        return ChangedField(
            field=change.field.removesuffix("_us"), old=seconds_or_none(change.old), new=seconds_or_none(change.new)
        )
    return ChangedField(field=change.field, old=change.old, new=change.new)
