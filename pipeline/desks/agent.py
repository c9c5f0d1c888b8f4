"""An agent's entry in the registry: what people say of the agent in one account.

Identity: there is one agent an account; the aggregate's id derives from the account, so that two who register it at once cannot
          both succeed. One that was removed can be registered again, and its history goes on.
"""

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar, Final
from uuid import UUID, uuid5

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import AlreadyThere, CommandRefused
from pipeline.desks.fact import Fact
from schemas import agents
from schemas.body import Body

_SPACE: Final = UUID("5d1b3c3e-8a52-5f0e-9f5b-1c9f4d0c6a11")
"""The namespace of the agents' ids. It never changes."""
_EDITABLE: Final = frozenset({"name", "description", "contact", "enabled"})


def agent_uuid(account: str) -> UUID:
    """The aggregate's id of the agent in an account."""
    return uuid5(_SPACE, account)


@dataclass(frozen=True, slots=True)
class RegisterAgent:
    """Enter the agent of an account (12 digits) into the registry."""

    account: str
    name: str
    description: str = ""
    contact: str = ""
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class EditAgent:
    """Change the fields in ``changes``: name, description, contact, enabled."""

    changes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class RemoveAgent:
    """Take it out of the registry."""


AgentCommand = RegisterAgent | EditAgent | RemoveAgent


@dataclass(frozen=True, slots=True)
class AgentState:
    """An entry as it is."""

    account: str
    name: str
    description: str = ""
    contact: str = ""
    enabled: bool = True


class Agent(Entity):
    """The aggregate."""

    noun: ClassVar[str] = "agent"
    state: AgentState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> AgentState:
        """The state from a snapshot's JSON."""
        return AgentState(**plain)

    def obey(self, command: AgentCommand, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``, ``NothingThere``, ``AlreadyThere``."""
        match command:
            case RegisterAgent():
                self._register(command, act)
            case EditAgent(changes=changes):
                self._edit(changes, act)
            case RemoveAgent():
                state = self.expect()
                told = agents.AgentRemoved(revision=self.version + 1, by=act.by)
                self._tell(act, told, state.account, f"Agent removed: {state.name}")

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        known = {name: value for name, value in fact.body.items() if name in _EDITABLE}
        match fact.kind:
            case "agent.registered":
                self.state = AgentState(account=fact.account, **known)
            case "agent.updated" if self.state is not None:
                self.state = replace(self.state, **known)
            case "agent.removed":
                self.state = None

    def _register(self, command: RegisterAgent, act: Act) -> None:
        if self.exists:
            raise AlreadyThere(what=f"the agent of account {command.account}", version=self.version)
        told = checked(
            agents.AgentRegistered,
            name=command.name.strip(),
            description=command.description.strip(),
            contact=command.contact.strip(),
            enabled=command.enabled,
            revision=self.version + 1,
            by=act.by,
        )
        self._tell(act, told, command.account, f"Agent registered: {told.name}")

    def _edit(self, changes: dict[str, Any], act: Act) -> None:
        state = self.expect()
        if unknown := sorted(changes.keys() - _EDITABLE):
            raise CommandRefused.of(field=unknown[0], reason="cannot be changed")
        tidied = {name: value.strip() if isinstance(value, str) else value for name, value in changes.items()}
        for name, value in tidied.items():
            if value is None:
                raise CommandRefused.of(field=name, reason="cannot be taken away")
        changed = {name: value for name, value in tidied.items() if value != getattr(state, name)}
        told = checked(agents.AgentUpdated, revision=self.version + 1, by=act.by, **changed)
        if changed:
            self._tell(act, told, state.account, f"Agent changed: {', '.join(sorted(changed))}")

    def _tell(self, act: Act, body: Body, account: str, summary: str) -> None:
        self.tell(act, body, subject=f"agent/{account}", account=account, summary=summary)
