"""What happens to a task. Subject: ``task/<task_id>``; all facts of a task stand on the log in the order they came about.

``version`` is the task's after the fact: 1, 2, 3… Facts that were told before it stood in every body are counted by readers.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.body import Body, TimeUs, UserId, Version

TaskId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A UUID (version 7) in lower case."""

Title = Annotated[str, Field(min_length=3, max_length=200)]
Description = Annotated[str, Field(min_length=10, max_length=5000)]
Comment = Annotated[str, Field(min_length=1, max_length=5000)]
Priority = Literal["critical", "high", "medium", "low"]
Status = Literal["open", "in_progress", "closed"]


class TaskCreated(Body):
    """A task was opened. ``event_id`` is the finding it came from, ``event`` a copy of that finding's details as then seen."""

    task_id: TaskId
    title: Title
    description: Description
    priority: Priority
    assignee_id: UserId = ""
    event_id: Annotated[str, Field(max_length=128)] = ""
    event: dict[str, Any] | None = None
    due_us: TimeUs | None = None
    created_by: UserId
    version: Version | None = None


class TaskUpdated(Body):
    """Some fields of a task changed: those that are present. ``version`` is the task's after the change, from 2 on."""

    version: Annotated[int, Field(ge=1)]
    title: Title | None = None
    description: Description | None = None
    priority: Priority | None = None
    assignee_id: UserId | None = None
    due_us: TimeUs | None = None
    by: UserId = ""

    def changes(self) -> dict[str, Any]:
        """The changed fields with their new values. ``due_us`` None means that the task is no longer due; no other is None."""
        changed = self.model_dump(exclude_unset=True, exclude={"version", "by"})
        return {name: value for name, value in changed.items() if value is not None or name == "due_us"}


class TaskStatusChanged(Body):
    """A task moved to another column of the board."""

    status: Status
    by: UserId
    version: Version | None = None


class TaskCommented(Body):
    """Somebody wrote a comment."""

    comment: Comment
    by: UserId
    version: Version | None = None


class TaskDeleted(Body):
    """A task was taken off the board; its history stays on the log."""

    by: UserId
    version: Version | None = None
