"""The routes of agents: what they do, and what people say of them. An agent's id is the account that it watches."""

from collections.abc import Callable
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import views
from consumers.api.agent_models import AgentEdit, AgentEntry, NewAgent
from consumers.api.commands import AgainstIfAny, AtLeast, Desks, Gone, Key, created
from consumers.api.errors import NothingHere
from consumers.api.forms import ACCOUNT
from consumers.api.freshness import Freshness
from consumers.api.models import Agent as AgentView
from consumers.api.models import AgentList
from consumers.api.parameters import Fresh, FreshHeader
from consumers.api.routing import Routes, answers
from pipeline.desks.agent import Agent, AgentState, EditAgent, RegisterAgent, RemoveAgent, agent_uuid
from projections.agent_status import AgentStatuses
from projections.reading import AgentStatus, Reading

AGENTS: Final = AgentStatuses.name
_COMMAND: Final = (403, 409, 413, 415)
_WRITTEN: Final = "Pass the revision in the answer as `at_least` to see it in `GET /agents/{account}`."

Account = Annotated[str, Field(pattern=ACCOUNT), Path(description="The AWS account, 12 digits.", examples=["111122223333"])]


def routes(reading: Reading, desks: Desks, *, clock: Callable[[], int], freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()
    _reads(router, reading, clock, freshness)
    _commands(router, desks)
    return router


def _reads(router: Routes, reading: Reading, clock: Callable[[], int], freshness: Freshness) -> None:
    def known(account: str) -> AgentStatus | None:
        return next((status for status in reading.agents(now_us=clock()) if status.account == account), None)

    def revision(account: str) -> int:
        status = known(account)
        return status.revision if status else 0

    @router.get(
        "/agents",
        tags=["agents"],
        summary="List agents",
        description="What is known of the agent in each account. One that fell silent is offline. Filters must all hold.",
        responses=answers(AgentList, "The agents that match, by account."),
    )
    def list_agents(
        *,
        status: Annotated[str, Field(max_length=32), Query(description="Only in this status.")] = "",
        registered: Annotated[bool | None, Query(description="Only those that are registered, or only the others.")] = None,
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> AgentList:
        freshness.ensure(AGENTS, fresh, fresh_header)
        found = [
            agent
            for agent in reading.agents(now_us=clock())
            if status in ("", agent.status) and registered in (None, agent.registered)
        ]
        return AgentList(items=[views.agent(agent) for agent in found])

    @router.get(
        "/agents/<account>",
        tags=["agents"],
        summary="Read one agent",
        description="What is known of the agent in one account.",
        responses=answers(AgentView, "The agent.", 404),
    )
    def read_agent(*, account: Account, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> AgentView:
        freshness.ensure(AGENTS, fresh, fresh_header)
        freshness.at_least(at_least, lambda: revision(account))
        status = known(account)
        if status is None:
            message = "nothing was ever heard of an agent in this account"
            raise NothingHere(message)
        return views.agent(status)


def _commands(router: Routes, desks: Desks) -> None:
    @router.post(
        "/agents",
        tags=["agents"],
        summary="Register an agent",
        description=f"One an account; 409 if it is registered already. {_WRITTEN}",
        responses=answers(AgentEntry, "The entry.", *_COMMAND, status=201),
    )
    def register_agent(*, agent: Annotated[NewAgent, Body()], key: Key = "") -> Response[AgentEntry]:
        command = RegisterAgent(agent.account, agent.name, agent.description, agent.contact, agent.enabled)
        return created(_entry(desks.desk.do(Agent, agent_uuid(agent.account), command, desks.asked(key))))

    @router.patch(
        "/agents/<account>",
        tags=["agents"],
        summary="Change an agent's entry",
        description=f"What is named changes, the rest stays. {_WRITTEN}",
        responses=answers(AgentEntry, "The entry.", 404, *_COMMAND),
    )
    def edit_agent(*, account: Account, agent: Annotated[AgentEdit, Body()], key: Key = "") -> AgentEntry:
        changes = agent.model_dump(include=agent.model_fields_set - {"revision"})
        return _entry(desks.desk.do(Agent, agent_uuid(account), EditAgent(changes), desks.asked(key, agent.revision)))

    @router.delete(
        "/agents/<account>",
        tags=["agents"],
        summary="Remove an agent",
        description="From the registry. It is listed again, unregistered, if it is heard of after this.",
        responses=answers(Gone, "It is gone.", 403, 404, 409),
    )
    def remove_agent(*, account: Account, revision: AgainstIfAny = None, key: Key = "") -> Gone:
        removed = desks.desk.do(Agent, agent_uuid(account), RemoveAgent(), desks.asked(key, revision))
        return Gone(id=account, version=removed.version)


def _entry(agent: Agent) -> AgentEntry:
    state: AgentState = agent.expect()
    return AgentEntry(
        account=state.account,
        name=state.name,
        description=state.description,
        contact=state.contact,
        enabled=state.enabled,
        revision=agent.version,
    )
