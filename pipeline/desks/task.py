"""A task: what somebody is to do about a finding, or about anything.

Rules: title of 3 to 200 characters and description of 10 to 5,000, without white space around them; a due date lies in the future
       when it is set; closing stamps the task, reopening takes the stamp off; a deleted task takes no more commands.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final, get_args

import orjson

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import AlreadyThere, CommandRefused
from pipeline.desks.fact import Fact
from schemas import tasks
from schemas.body import Body
from schemas.tasks import Priority, Status

MOST_COPIED_BYTES: Final = 65_536
"""Of an event's details, as JSON, in a task: facts stay small enough for any recorder and log."""
_ID: Final = "task/{}"


@dataclass(frozen=True, slots=True)
class CreateTask:
    """Open a task. ``event_id`` is the finding that it is about, ``event`` a copy of its details as they are now."""

    title: str
    description: str
    priority: str
    assignee_id: str = ""
    due_us: int | None = None
    event_id: str = ""
    event: dict[str, Any] | None = None


@dataclass(frozen=True, slots=True)
class EditTask:
    """Change the fields in ``changes``: title, description, priority, assignee_id ("": nobody), due_us (None: no more)."""

    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class MoveTask:
    """Put it into another column of the board."""

    status: str


@dataclass(frozen=True, slots=True)
class CommentOnTask:
    """Say something about it."""

    comment: str


@dataclass(frozen=True, slots=True)
class DeleteTask:
    """Take it off the board. Its history stays."""


TaskCommand = CreateTask | EditTask | MoveTask | CommentOnTask | DeleteTask


@dataclass(frozen=True, slots=True)
class TaskState:
    """A task as it is. Times are microseconds since the epoch."""

    title: str
    description: str
    priority: Priority
    created_by: str
    created_us: int
    status: Status = "open"
    assignee_id: str = ""
    due_us: int | None = None
    closed_at_us: int | None = None
    event_id: str = ""
    event: dict[str, Any] | None = None
    comments: int = 0

    def belongs_to(self, user_id: str) -> bool:
        """Whether it is this person's own: assigned to them or created by them."""
        return user_id in (self.assignee_id, self.created_by)


class Task(Entity):
    """The aggregate. Its id is a UUIDv7."""

    noun: ClassVar[str] = "task"
    state: TaskState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> TaskState:
        """The state from a snapshot's JSON."""
        return TaskState(**plain)

    def obey(self, command: TaskCommand, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``, ``NothingThere``, ``AlreadyThere``."""
        match command:
            case CreateTask():
                self._open(command, act)
            case EditTask(changes=changes):
                self._edit(changes, act)
            case MoveTask(status=status):
                self._move(status, act)
            case CommentOnTask(comment=comment):
                self.expect()
                told = checked(tasks.TaskCommented, comment=comment.strip(), by=act.by, version=self.version + 1)
                self._tell(act, told, "Comment on task")
            case DeleteTask():
                self.expect()
                self._tell(act, tasks.TaskDeleted(by=act.by, version=self.version + 1), "Task deleted")

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        body = fact.body
        if fact.kind == "task.created":
            known = {name: body[name] for name in _COPIED if name in body}
            self.state = TaskState(created_us=fact.time_us, **known)
        elif self.state is not None:
            match fact.kind:
                case "task.updated":
                    self.state = replace(self.state, **{name: value for name, value in body.items() if name in _EDITABLE})
                case "task.status_changed":
                    closed_us = fact.time_us if body["status"] == "closed" else None
                    self.state = replace(self.state, status=body["status"], closed_at_us=closed_us)
                case "task.commented":
                    self.state = replace(self.state, comments=self.state.comments + 1)
                case "task.deleted":
                    self.state = None

    def _open(self, command: CreateTask, act: Act) -> None:
        if self.version:
            raise AlreadyThere(self.noun, self.version)
        _check_due(command.due_us, act)
        if command.event is not None and len(orjson.dumps(command.event)) > MOST_COPIED_BYTES:
            raise CommandRefused.of(field="event", reason=f"may have {MOST_COPIED_BYTES} bytes; copy less of the event")
        told = checked(
            tasks.TaskCreated,
            task_id=str(self.id),
            title=command.title.strip(),
            description=command.description.strip(),
            priority=command.priority,
            assignee_id=command.assignee_id,
            event_id=command.event_id,
            event=command.event,
            due_us=command.due_us,
            created_by=act.by,
            version=1,
        )
        self._tell(act, told, f"Task created: {told.title}", cause=command.event_id)

    def _edit(self, changes: dict[str, Any], act: Act) -> None:
        state = self.expect()
        if unknown := sorted(changes.keys() - _EDITABLE):
            raise CommandRefused.of(field=unknown[0], reason="cannot be changed")
        tidied = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
        for name in tidied.keys() - {"due_us"}:
            if tidied[name] is None:
                raise CommandRefused.of(field=name, reason="cannot be taken away")
        changed = {name: value for name, value in tidied.items() if value != getattr(state, name)}
        if "due_us" in changed:
            _check_due(changes["due_us"], act)
        told = checked(tasks.TaskUpdated, version=self.version + 1, by=act.by, **changed)
        if changed:
            self._tell(act, told, f"Task changed: {', '.join(sorted(changed))}")

    def _move(self, status: str, act: Act) -> None:
        state = self.expect()
        if status not in get_args(Status):
            raise CommandRefused.of(field="status", reason=f"is none of {', '.join(get_args(Status))}")
        if status != state.status:
            told = tasks.TaskStatusChanged(status=status, by=act.by, version=self.version + 1)  # type: ignore[arg-type]  # asked
            self._tell(act, told, f"Task {status.replace('_', ' ')}")

    def _tell(self, act: Act, body: Body, summary: str, cause: str = "") -> None:
        cause = cause or (self.state.event_id if self.state else "")
        self.tell(act, body, subject=_ID.format(self.id), summary=summary, cause=cause)


_EDITABLE: Final = frozenset({"title", "description", "priority", "assignee_id", "due_us"})
_COPIED: Final = ("title", "description", "priority", "assignee_id", "due_us", "event_id", "event", "created_by")


def _check_due(due_us: int | None, act: Act) -> None:
    if due_us is not None and due_us <= act.now_us:
        raise CommandRefused.of(field="due_us", reason="must lie in the future")
