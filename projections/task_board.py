"""Which tasks are open, in progress, closed; by whom, how urgent, due when, and what happened to each.

Key:    the task (the event's subject, ``task/<id>``).
Order:  log order within a task, which is the order of its aggregate's versions; tasks are independent.
Replay: folding the log again gives equal rows.
Overdue is computed on reading, with ``now`` as an argument.
"""

from collections.abc import Iterable, Mapping
from typing import ClassVar, Final

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from projections.reading import Task
from schemas.body import Body
from schemas.registry import REGISTRY, Unknown
from schemas.tasks import TaskCreated, TaskDeleted, TaskStatusChanged, TaskUpdated

PRIORITIES: Final = ("critical", "high", "medium", "low")
NEVER_US: Final = 1 << 62


class TaskBoard:
    """The fold: a document a task, with its history."""

    name: ClassVar[str] = "task_board"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {
        "task.created": 1,
        "task.updated": 1,
        "task.status_changed": 1,
        "task.commented": 1,
        "task.deleted": 1,
    }

    def parking_key(self, batch: Batch, index: int) -> str:
        """A task's later events wait behind one that cannot be folded."""
        return batch.columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold event by event. Raises ``KeyError`` on an event of a task that was never created."""
        documents = rows.documents(set(batch.columns.subject))
        for index, subject in enumerate(batch.columns.subject):
            event = batch.envelope(index)
            body = REGISTRY.parse(event)
            if isinstance(body, TaskCreated):
                documents[subject] = _created(body, event.time_us)
            _fold(documents[subject], body, event.time_us)
            documents[subject]["history"].append([event.time_us, event.type, event.id])
        return Changes(documents=documents)


def _created(task: TaskCreated, time_us: int) -> Document:
    return {
        "id": task.task_id,
        "title": task.title,
        "description": task.description,
        "status": "open",
        "priority": task.priority,
        "assignee_id": task.assignee_id,
        "event_id": task.event_id,
        "due_us": task.due_us,
        "created_us": time_us,
        "closed_at_us": None,
        "deleted": False,
        "version": 0,
        "history": [],
    }


def _fold(document: Document, body: Body | Unknown, time_us: int) -> None:
    document["version"] += 1
    document["updated_us"] = time_us
    match body:
        case TaskUpdated():
            document.update(body.changes())
        case TaskStatusChanged(status=status):
            document["status"] = status
            document["closed_at_us"] = time_us if status == "closed" else None
        case TaskDeleted():
            document["deleted"] = True


def tasks(documents: Iterable[Document], *, now_us: int) -> list[Task]:
    """The tasks that are not deleted, as the board shows them at ``now_us``: by priority, due date, id."""
    shown = [
        Task(
            id=d["id"],
            title=d["title"],
            description=d["description"],
            status=d["status"],
            priority=d["priority"],
            assignee_id=d["assignee_id"],
            event_id=d["event_id"],
            due_us=d["due_us"],
            created_us=d["created_us"],
            updated_us=d["updated_us"],
            closed_at_us=d["closed_at_us"],
            overdue=d["status"] != "closed" and d["due_us"] is not None and d["due_us"] < now_us,
            version=d["version"],
        )
        for d in documents
        if not d["deleted"]
    ]
    return sorted(shown, key=lambda t: (PRIORITIES.index(t.priority), NEVER_US if t.due_us is None else t.due_us, t.id))
