"""The routes of agents and tasks, read only: commands come with sign-in."""

from collections.abc import Callable
from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from pydantic import Field

from consumers.api import views
from consumers.api.errors import NothingHere
from consumers.api.freshness import Freshness
from consumers.api.models import Agent, AgentList, TaskList
from consumers.api.parameters import Fresh, FreshHeader, Limit
from consumers.api.routing import Routes, answers
from projections.reading import Reading

AGENTS: Final = "agent_status"
TASKS: Final = "task_board"


def routes(reading: Reading, *, clock: Callable[[], int], freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()

    @router.get(
        "/agents",
        tags=["agents"],
        summary="List agents",
        description="What is known of the agent in each account.",
        responses=answers(AgentList, "All agents, by account."),
    )
    def list_agents(*, fresh: Fresh = "", fresh_header: FreshHeader = "") -> AgentList:
        freshness.ensure(AGENTS, fresh, fresh_header)
        return AgentList(items=[views.agent(status) for status in reading.agents(now_us=clock())])

    @router.get(
        "/agents/<account>",
        tags=["agents"],
        summary="Read one agent",
        description="What is known of the agent in one account.",
        responses=answers(Agent, "The agent.", 404),
    )
    def read_agent(
        *,
        account: Annotated[str, Field(pattern=r"^\d{12}$"), Path(description="The AWS account, 12 digits.")],
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> Agent:
        freshness.ensure(AGENTS, fresh, fresh_header)
        for status in reading.agents(now_us=clock()):
            if status.account == account:
                return views.agent(status)
        message = "nothing was ever heard of an agent in this account"
        raise NothingHere(message)

    @router.get(
        "/tasks",
        tags=["tasks"],
        summary="List tasks",
        description="By priority, due date, id. Filters must all hold.",
        responses=answers(TaskList, "The tasks that match."),
    )
    def list_tasks(
        *,
        status: Annotated[str, Field(pattern="^(open|in_progress|closed)?$"), Query(description="Only in this column.")] = "",
        priority: Annotated[
            str, Field(pattern="^(critical|high|medium|low)?$"), Query(description="Only of this priority.")
        ] = "",
        assignee: Annotated[str, Field(max_length=256), Query(description="Only of the person with this id.")] = "",
        limit: Limit = 50,
        offset: Annotated[int, Field(ge=0, le=1_000_000), Query(description="Leave out so many first.")] = 0,
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> TaskList:
        freshness.ensure(TASKS, fresh, fresh_header)
        tasks = [
            task
            for task in reading.tasks(now_us=clock())
            if status in ("", task.status) and priority in ("", task.priority) and assignee in ("", task.assignee_id)
        ]
        return TaskList(items=[views.task(task) for task in tasks[offset : offset + limit]], total=len(tasks))

    return router
