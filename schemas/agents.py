"""What happens to an agent: whatever watches one account. Subject: ``agent/<account>``, or the stack that deploys it.

The account and region of the agent stand in the envelope's header.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.body import Body, Name, TimeUs


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
