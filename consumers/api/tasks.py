"""The routes of tasks.

Own:    a user who is no admin sees and touches the tasks that are assigned to them or were created by them; another's task is not
        there for them. For commands this is decided on the task as it is, for reading on the board.
Fresh:  a command answers with the task as it then is, and its version; reads with ``at_least`` show that one or a later.
"""

from collections.abc import Callable
from typing import Annotated, Any, Final
from urllib.parse import unquote
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import task_views
from consumers.api.commands import AgainstIfAny, AtLeast, Desks, Gone, Key, created
from consumers.api.errors import NothingHere
from consumers.api.event_copy import task_from
from consumers.api.events import INDEX, find
from consumers.api.forms import UUID_FORM
from consumers.api.freshness import Freshness
from consumers.api.parameters import Fresh, FreshHeader, Limit, Moment, micros
from consumers.api.routing import Routes, answers
from consumers.api.task_models import (
    NewComment,
    NewTask,
    StatusChange,
    TaskDetail,
    TaskEdit,
    TaskFromEvent,
    TaskHistory,
    TaskList,
    TasksStats,
    TaskView,
)
from pipeline.desks.task import CommentOnTask, CreateTask, DeleteTask, EditTask, MoveTask, Task, TaskCommand
from pipeline.log.port import Log
from projections import reading as board
from projections.reading import Reading

TASKS: Final = "task_board"
_COMMAND: Final = (403, 409, 413, 415)
_WRITTEN: Final = "The version in the answer is the task's after this; pass it as `at_least` to see it on the board."

TaskId = Annotated[
    str,
    Field(pattern=UUID_FORM),
    Path(description="The task's id, a UUID.", examples=["0199f3a1-0000-7000-8000-000000000001"]),
]


def routes(reading: Reading, log: Log, desks: Desks, *, clock: Callable[[], int], freshness: Freshness) -> Routes:
    """The routes."""
    return Tasks(reading, log, desks, clock=clock, freshness=freshness).routes()


class Tasks:
    """What the routes do."""

    def __init__(self, reading: Reading, log: Log, desks: Desks, *, clock: Callable[[], int], freshness: Freshness) -> None:
        self._reading = reading
        self._log = log
        self._desks = desks
        self._clock = clock
        self._freshness = freshness

    def routes(self) -> Routes:
        """The routes, declared."""
        router = Routes()
        self._reads(router)
        self._figures(router)
        self._makers(router)
        self._changers(router)
        return router

    def _reads(self, router: Routes) -> None:
        @router.get(
            "/tasks",
            tags=["tasks"],
            summary="List tasks",
            description="By priority, due date, id. Filters must all hold. Users see their own: assigned to or created by them.",
            responses=answers(TaskList, "The tasks that match."),
        )
        def list_tasks(
            *,
            status: Annotated[str, Field(pattern="^(open|in_progress|closed)?$"), Query(description="Only in this column.")] = "",
            priority: Annotated[
                str, Field(pattern="^(critical|high|medium|low)?$"), Query(description="Only of this priority.")
            ] = "",
            assignee: Annotated[str, Field(max_length=64), Query(description="Only of the person with this id.")] = "",
            unassigned: Annotated[bool, Query(description="Only those of nobody.")] = False,
            created_by: Annotated[str, Field(max_length=64), Query(description="Only by the person with this id.")] = "",
            event: Annotated[str, Field(max_length=128), Query(description="Only those made from the event with this id.")] = "",
            overdue: Annotated[bool | None, Query(description="Only those that are overdue, or only the others.")] = None,
            due_before: Annotated[Moment | None, Query(description="Only those due before: Unix seconds.")] = None,
            text: Annotated[
                str, Field(max_length=200), Query(description="Words in the title or description, all of them.")
            ] = "",
            limit: Limit = 50,
            offset: Annotated[int, Field(ge=0, le=1_000_000), Query(description="Leave out so many first.")] = 0,
            fresh: Fresh = "",
            fresh_header: FreshHeader = "",
        ) -> TaskList:
            self._freshness.ensure(TASKS, fresh, fresh_header)
            words = text.lower().split()
            found = [
                task
                for task in self._own()
                if status in ("", task.status) and priority in ("", task.priority)
                if assignee in ("", task.assignee_id) and not (unassigned and task.assignee_id)
                if created_by in ("", task.created_by) and event in ("", task.event_id)
                if overdue in (None, task.overdue)
                if due_before is None or (task.due_us is not None and task.due_us < micros(due_before))
                if all(word in f"{task.title}\n{task.description}".lower() for word in words)
            ]
            people = self._desks.people(task_views.people_of(found[offset : offset + limit]))
            return task_views.listed(found, people, limit=limit, offset=offset)

        @router.get(
            "/tasks/<task_id>",
            tags=["tasks"],
            summary="Read one task",
            description="With what was said about it.",
            responses=answers(TaskDetail, "The task.", 404),
        )
        def read_task(*, task_id: TaskId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> TaskDetail:
            self._await(task_id, at_least, fresh, fresh_header)
            task = self._one(task_id)
            history = self._reading.task_history(task_id)
            return task_views.detail(task, history, self._desks.people(task_views.people_of([task], history)))

        @router.get(
            "/tasks/<task_id>/history",
            tags=["tasks"],
            summary="Read a task's history",
            description="Who changed what, when, from what to what; in order. Admins read that of deleted tasks, too.",
            responses=answers(TaskHistory, "All that happened to it.", 404),
        )
        def read_history(
            *, task_id: TaskId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = ""
        ) -> TaskHistory:
            self._await(task_id, at_least, fresh, fresh_header)
            history = self._reading.task_history(task_id)
            if not history or not self._desks.principal().is_admin:
                self._one(task_id)
            return task_views.history(history, self._desks.people(task_views.people_of([], history)))

    def _figures(self, router: Routes) -> None:
        @router.get(
            "/dashboard/tasks-stats",
            tags=["dashboard"],
            summary="Count tasks",
            description="By column, priority, assignee; what is overdue, and how long closing takes.",
            responses=answers(TasksStats, "The figures."),
        )
        def read_tasks_stats(*, fresh: Fresh = "", fresh_header: FreshHeader = "") -> TasksStats:
            self._freshness.ensure(TASKS, fresh, fresh_header)
            return task_views.stats(self._own(), now_us=self._clock())

    def _makers(self, router: Routes) -> None:
        @router.post(
            "/tasks",
            tags=["tasks"],
            summary="Open a task",
            description=_WRITTEN,
            responses=answers(TaskView, "The task.", *_COMMAND, status=201),
        )
        def create_task(*, task: Annotated[NewTask, Body()], key: Key = "") -> Response[TaskView]:
            self._desks.check_person("assignee_id", task.assignee_id)
            due_us = None if task.due is None else micros(task.due)
            return self._make(CreateTask(task.title, task.description, task.priority, task.assignee_id or "", due_us), key)

        @router.post(
            "/events/<event_id>/create-task",
            tags=["tasks"],
            summary="Open a task about an event",
            description="With the event's details copied into it as they are now; the event then names the task. " + _WRITTEN,
            responses=answers(TaskView, "The task.", 404, *_COMMAND, status=201),
        )
        def create_task_from_event(
            *,
            event_id: Annotated[str, Path(description="Ours or the source's, percent-encoded.")],
            task: Annotated[TaskFromEvent, Body()],
            key: Key = "",
            fresh: Fresh = "",
            fresh_header: FreshHeader = "",
        ) -> Response[TaskView]:
            self._freshness.ensure(INDEX, fresh, fresh_header)
            self._desks.check_person("assignee_id", task.assignee_id)
            return self._make(task_from(find(self._reading, self._log, unquote(event_id), now_us=self._clock()), task), key)

    def _changers(self, router: Routes) -> None:
        @router.put(
            "/tasks/<task_id>",
            tags=["tasks"],
            summary="Change a task",
            description="What is named changes, the rest stays. " + _WRITTEN,
            responses=answers(TaskView, "The task.", 404, *_COMMAND),
        )
        def edit_task(*, task_id: TaskId, task: Annotated[TaskEdit, Body()], key: Key = "") -> TaskView:
            self._desks.check_person("assignee_id", task.assignee_id)
            changes = task.model_dump(include=task.model_fields_set - {"version"})
            if "due" in changes:
                due = changes.pop("due")
                changes["due_us"] = None if due is None else micros(due)
            if "assignee_id" in changes:
                changes["assignee_id"] = changes["assignee_id"] or ""
            return self._do(task_id, EditTask(changes), key, task.version)

        @router.put(
            "/tasks/<task_id>/status",
            tags=["tasks"],
            summary="Move a task",
            description="To another column of the board. " + _WRITTEN,
            responses=answers(TaskView, "The task.", 404, *_COMMAND),
        )
        def move_task(*, task_id: TaskId, task: Annotated[StatusChange, Body()], key: Key = "") -> TaskView:
            return self._do(task_id, MoveTask(task.status), key, task.version)

        @router.post(
            "/tasks/<task_id>/comments",
            tags=["tasks"],
            summary="Comment on a task",
            description=_WRITTEN,
            responses=answers(TaskView, "The task.", 404, *_COMMAND, status=201),
        )
        def comment_on_task(*, task_id: TaskId, task: Annotated[NewComment, Body()], key: Key = "") -> Response[TaskView]:
            return created(self._do(task_id, CommentOnTask(task.comment), key, None))

        @router.delete(
            "/tasks/<task_id>",
            tags=["tasks"],
            summary="Delete a task",
            description="It leaves the board; its history stays.",
            responses=answers(Gone, "It is gone.", 403, 404, 409),
        )
        def delete_task(*, task_id: TaskId, version: AgainstIfAny = None, key: Key = "") -> Gone:
            deleted = self._desks.desk.do(Task, UUID(task_id), DeleteTask(), self._desks.asked(key, version), may=self._may)
            return Gone(id=task_id, version=deleted.version)

    def _make(self, command: CreateTask, key: str) -> Response[TaskView]:
        return created(self._view(self._desks.desk.make(Task, command, self._desks.asked(key))))

    def _do(self, task_id: str, command: TaskCommand, key: str, version: int | None) -> TaskView:
        asked = self._desks.asked(key, version)
        return self._view(self._desks.desk.do(Task, UUID(task_id), command, asked, may=self._may))

    def _view(self, task: Task) -> TaskView:
        state = task.state
        people = self._desks.people([state.assignee_id, state.created_by] if state else [])
        return task_views.commanded(task, people, now_us=self._clock())

    def _may(self, task: Task) -> bool:
        """Whether who asks may touch this task."""
        who = self._desks.principal()
        return who.is_admin or (task.state is not None and task.state.belongs_to(who.user_id))

    def _own(self) -> list[board.Task]:
        """The tasks that who asks may see."""
        return [task for task in self._reading.tasks(now_us=self._clock()) if self._desks.may_see(task)]

    def _one(self, task_id: str) -> board.Task:
        """One that who asks may see. Raises ``NothingHere``."""
        task = self._reading.task(task_id, now_us=self._clock())
        if task is None or not self._desks.may_see(task):
            message = "there is no such task here (any more, or not yet)"
            raise NothingHere(message)
        return task

    def _await(self, task_id: str, at_least: int, *fresh: str) -> None:
        self._freshness.ensure(TASKS, *fresh)
        self._freshness.at_least(at_least, lambda: self._shown(task_id))

    def _shown(self, task_id: str) -> int:
        """The version of a task that the board shows, deleted ones included."""
        task: Any = self._reading.task(task_id, now_us=self._clock())
        if task is not None:
            return int(task.version)
        return max((told.version for told in self._reading.task_history(task_id)), default=0)
