"""Which tasks are open, in progress, closed; by whom, how urgent, due when, and what happened to each.

Key:    the task (the event's subject, ``task/<id>``).
Order:  log order within a task, which is the order of its aggregate's versions; tasks are independent.
Replay: folding the log again gives equal rows.
Overdue is computed on reading, with ``now`` as an argument.

Documents: ``task/<id>`` is the task as it is; ``history/<id>/<page>`` what happened to it, a page full at a time, so that a long
history makes no document large; ``made/<event id>/<shard>`` the tasks made from an event, whose facts stand in that shard.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, ClassVar, Final

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from projections.reading import FieldChange, Task, TaskChange
from schemas.body import Body
from schemas.envelope import Envelope
from schemas.registry import REGISTRY, Unknown
from schemas.tasks import TaskCommented, TaskCreated, TaskDeleted, TaskStatusChanged, TaskUpdated

PRIORITIES: Final = ("critical", "high", "medium", "low")
NEVER_US: Final = 1 << 62
TASKS: Final = "task"
"""The kind of the documents that are tasks."""

PAGE_ENTRIES: Final = 20
"""Of a history. An entry has 10 KB at most, when a description replaces another."""

_TOLD: Final = ("title", "description", "status", "priority", "assignee_id", "event_id", "due_us")
"""What a task begins with, as its history tells it."""


class TaskBoard:
    """The fold."""

    name: ClassVar[str] = "task_board"
    version: ClassVar[int] = 2
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
        documents |= rows.documents({_page(task) for task in documents.values()})
        documents |= rows.documents({key for body in _created_in(batch) if (key := _made(body.event_id, batch.shard))})
        for index, subject in enumerate(batch.columns.subject):
            event = batch.envelope(index)
            body = REGISTRY.parse(event)
            if isinstance(body, TaskCreated):
                documents[subject] = _created(body, event.time_us, documents.get(subject))
                _link(documents, body, batch.shard)
            changes = _fold(documents[subject], body, event.time_us)
            _remember(documents, documents[subject], event, body, changes)
        return Changes(documents=documents)


def _created_in(batch: Batch) -> Iterator[TaskCreated]:
    for index, kind in enumerate(batch.columns.type):
        if kind == "task.created" and isinstance(body := REGISTRY.parse(batch.envelope(index)), TaskCreated):
            yield body


def _created(task: TaskCreated, time_us: int, before: Document | None) -> Document:
    """A task as it begins. One that is created anew goes on with its history."""
    return {
        "id": task.task_id,
        "title": task.title,
        "description": task.description,
        "status": "open",
        "priority": task.priority,
        "assignee_id": task.assignee_id,
        "event_id": task.event_id,
        "event": task.event,
        "due_us": task.due_us,
        "created_us": time_us,
        "created_by": task.created_by,
        "closed_at_us": None,
        "deleted": False,
        "version": 0,
        "comments": 0,
        "entries": before["entries"] if before else 0,
    }


def _fold(document: Document, body: Body | Unknown, time_us: int) -> list[list[Any]]:
    """Fold into a task; returns ``[field, old, new]`` of what changed."""
    document["version"] += 1
    document["updated_us"] = time_us
    match body:
        case TaskCreated():
            return [[name, None, document[name]] for name in _TOLD if document[name] not in ("", None)]
        case TaskUpdated():
            changed = body.changes()
        case TaskStatusChanged(status=status):
            changed = {"status": status, "closed_at_us": time_us if status == "closed" else None}
        case TaskDeleted():
            changed = {"deleted": True}
        case _:
            changed = {}
    document["comments"] += isinstance(body, TaskCommented)
    changes = [[name, document[name], value] for name, value in changed.items() if document[name] != value]
    document.update(changed)
    return changes


def _remember(
    documents: dict[str, Document], task: Document, event: Envelope, body: Body | Unknown, changes: list[list[Any]]
) -> None:
    """Add to a task's history."""
    entry = {
        "version": task["version"],
        "time_us": event.time_us,
        "type": event.type,
        "id": event.id,
        "by": body.created_by if isinstance(body, TaskCreated) else getattr(body, "by", ""),
        "changes": changes,
        "comment": body.comment if isinstance(body, TaskCommented) else "",
    }
    documents.setdefault(_page(task), {"entries": []})["entries"].append(entry)
    task["entries"] += 1


def _link(documents: dict[str, Document], body: TaskCreated, shard: str) -> None:
    """Lead from the event to the task that was made from it."""
    if key := _made(body.event_id, shard):
        made = documents.setdefault(key, {"tasks": []})["tasks"]
        if body.task_id not in made:
            made.append(body.task_id)


def _page(task: Document) -> str:
    """Where the next entry of a task's history stands."""
    return _page_at(task["id"], task["entries"] // PAGE_ENTRIES)


def _page_at(task_id: str, number: int) -> str:
    return f"history/{task_id}/{number}"


def _made(event_id: str, shard: str) -> str:
    return f"made/{event_id}/{shard}" if event_id else ""


def found(rows: Rows, task_ids: Iterable[str]) -> Collection[Document]:
    """The documents of these tasks, as far as there are any."""
    return rows.documents([f"{TASKS}/{task_id}" for task_id in task_ids]).values()


def made_from(rows: Rows, event_id: str, shards: Iterable[str]) -> list[str]:
    """The ids of the tasks that were made from an event; it may have come by any of these shards."""
    linked = rows.documents([_made(event_id, shard) for shard in shards])
    return [task_id for document in linked.values() for task_id in document["tasks"]]


def history(rows: Rows, task_id: str) -> list[TaskChange]:
    """All that happened to a task, in order; empty if it was never there."""
    entries = sum(task["entries"] for task in found(rows, [task_id]))
    keys = [_page_at(task_id, number) for number in range(-(-entries // PAGE_ENTRIES))]
    pages = rows.documents(keys)
    told = (entry for key in keys if key in pages for entry in pages[key]["entries"])
    return [TaskChange(**{**entry, "changes": tuple(FieldChange(*change) for change in entry["changes"])}) for entry in told]


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
            created_by=d["created_by"],
            event=d["event"],
            comments=d["comments"],
        )
        for d in documents
        if not d["deleted"]
    ]
    return sorted(shown, key=lambda t: (PRIORITIES.index(t.priority), NEVER_US if t.due_us is None else t.due_us, t.id))
