"""What happens to an agent: whatever watches one account. Subject: ``agent/<account>``, or the stack that deploys it.

The account and region of the agent stand in the envelope's header. There is one agent an account, so that the account is its id.
``registered``, ``updated`` and ``removed`` are what people say of it; ``revision`` is that of their entry, after the change.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.body import Body, Name, TimeUs, UserId, Version

AgentName = Annotated[str, Field(min_length=2, max_length=100)]
Remark = Annotated[str, Field(max_length=1000)]


class AgentDeployed(Body):
    """The deployment of an agent reached a status. ``version`` is the agent's; ``stack_id`` the CloudFormation stack's ARN."""

    status: Literal["pending", "deploying", "active", "failed", "disabled"]
    version: Name = ""
    stack_id: Annotated[str, Field(max_length=2048)] = ""
    reason: Annotated[str, Field(max_length=5000)] = ""


class AgentBeat(Body):
    """An agent says that it lives, every five minutes."""

    version: Name = ""


class AgentWentSilent(Body):
    """An agent that ought to beat has not done so for ten minutes; a timer concludes it once a silence."""

    last_heartbeat_us: TimeUs


class AgentRegistered(Body):
    """Somebody entered an agent into the registry, for the first time or again. ``contact`` is whom to ask about the account."""

    name: AgentName
    description: Remark = ""
    contact: Name = ""
    enabled: bool = True
    revision: Version
    by: UserId


class AgentUpdated(Body):
    """Some fields of an agent's entry changed: those that are present. One that is not ``enabled`` is not missed when silent."""

    name: AgentName | None = None
    description: Remark | None = None
    contact: Name | None = None
    enabled: bool | None = None
    revision: Version
    by: UserId

    def changes(self) -> dict[str, Any]:
        """The changed fields with their new values."""
        changed = self.model_dump(exclude_unset=True, exclude={"revision", "by"})
        return {name: value for name, value in changed.items() if value is not None}


class AgentRemoved(Body):
    """Somebody took an agent out of the registry; what it told before stays on the log."""

    revision: Version
    by: UserId
