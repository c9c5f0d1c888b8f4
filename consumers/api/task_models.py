"""What the API takes and answers of tasks."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from consumers.api.commands import Against, Given, Person
from consumers.api.models import Answer, Seconds

Priority = Literal["critical", "high", "medium", "low"]
Status = Literal["open", "in_progress", "closed"]
Title = Annotated[str, Field(max_length=1000, description="3 to 200 characters.", examples=["Rotate the key of the build user"])]
Description = Annotated[
    str,
    Field(max_length=20_000, description="10 to 5000 characters.", examples=["It was used from an address that we do not know."]),
]
UserId = Annotated[str, Field(max_length=64, description="The id of a user.")]


class Asking(BaseModel):
    """The base of all requests: what they do not know is refused."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NewTask(Asking):
    """A task to be opened."""

    title: Title
    description: Description
    priority: Priority = "medium"
    assignee_id: UserId | None = None
    due: Annotated[Given | None, Field(description="In the future.")] = None


class TaskFromEvent(Asking):
    """What a task made from an event shall say otherwise than the event does."""

    title: Annotated[Title | None, Field(description="By default the event's summary.")] = None
    description: Annotated[Description | None, Field(description="By default what the event's header says.")] = None
    priority: Annotated[Priority | None, Field(description="By default by the event's severity.")] = None
    assignee_id: UserId | None = None
    due: Annotated[Given | None, Field(description="In the future.")] = None


class TaskEdit(Asking):
    """The fields to change, and the version that they were seen at. ``null`` takes assignee or due date away."""

    version: Against
    title: Title | None = None
    description: Description | None = None
    priority: Priority | None = None
    assignee_id: UserId | None = None
    due: Given | None = None


class StatusChange(Asking):
    """Where a task shall go."""

    status: Status
    version: Annotated[Against | None, Field(description="The version that you saw; any, if left out.")] = None


class NewComment(Asking):
    """Something to say about a task."""

    comment: Annotated[str, Field(max_length=20_000, description="1 to 5000 characters.", examples=["It was me."])]


class TaskView(Answer):
    """A task."""

    id: Annotated[str, Field(examples=["0199f3a1-0000-7000-8000-000000000001"])]
    title: str
    description: str
    status: Annotated[str, Field(examples=["open"])]
    priority: Annotated[str, Field(examples=["high"])]
    assignee: Person | None
    created_by: Person | None
    event_id: Annotated[str, Field(description="The event that it was made from; empty: none.")]
    event: Annotated[dict[str, Any] | None, Field(description="That event's details, as they were when the task was made.")]
    due: Seconds | None
    created: Seconds
    updated: Seconds
    closed_at: Seconds | None
    overdue: bool
    comments: Annotated[int, Field(description="How many it has.")]
    version: Annotated[int, Field(description="Pass it with edits, and as `at_least`.")]


class CommentView(Answer):
    """What somebody said about a task."""

    id: Annotated[str, Field(description="Of the event that tells it.")]
    time: Seconds
    by: Person | None
    comment: str


class TaskDetail(TaskView):
    """A task with what was said about it, oldest first."""

    said: list[CommentView]


class TaskList(Answer):
    """Tasks by priority, due date, id. ``total`` counts all that match, not only those shown; ``by_status`` splits it."""

    items: list[TaskView]
    total: int
    by_status: Annotated[dict[str, int], Field(examples=[{"open": 3, "in_progress": 0, "closed": 9}])]


class ChangedField(Answer):
    """A field before and after. Times are Unix seconds."""

    field: Annotated[str, Field(examples=["status"])]
    old: Any = None
    new: Any = None


class TaskChanged(Answer):
    """One thing that happened to a task."""

    version: Annotated[int, Field(description="The task's, after it.")]
    time: Seconds
    by: Person | None
    type: Annotated[str, Field(examples=["task.status_changed"])]
    id: Annotated[str, Field(description="Of the event on the log that tells it.")]
    changes: list[ChangedField]
    comment: str


class TaskHistory(Answer):
    """All that happened to a task, in order."""

    items: list[TaskChanged]


class TasksStats(Answer):
    """Figures of tasks: all for admins, their own for users. Deleted ones do not count."""

    total: int
    by_status: dict[str, int]
    by_priority: Annotated[dict[str, int], Field(description="Of those that are not closed.")]
    by_assignee: Annotated[dict[str, int], Field(description="Of those that are not closed, by user id; empty id: nobody.")]
    overdue: int
    due_within_day: Annotated[int, Field(description="Not closed, and due within 24 hours.")]
    created_last_7_days: int
    closed_last_7_days: int
    mean_hours_to_close: Annotated[float | None, Field(description="Of those that are closed.")]
