"""What the API takes and answers of the agents' registry."""

from typing import Annotated

from pydantic import Field

from consumers.api.commands import Against
from consumers.api.forms import ACCOUNT
from consumers.api.models import Answer
from consumers.api.task_models import Asking

AgentName = Annotated[str, Field(max_length=1000, description="2 to 100 characters.", examples=["Payments, production"])]
Remark = Annotated[str, Field(max_length=5000, description="Up to 1000 characters.")]
Contact = Annotated[
    str, Field(max_length=1000, description="Whom to ask, up to 256 characters.", examples=["payments@example.com"])
]
Enabled = Annotated[bool, Field(description="One that is not enabled is not missed when it is silent.")]


class NewAgent(Asking):
    """An agent to be registered."""

    account: Annotated[str, Field(pattern=ACCOUNT, description="The AWS account, 12 digits.", examples=["111122223333"])]
    name: AgentName
    description: Remark = ""
    contact: Contact = ""
    enabled: Enabled = True


class AgentEdit(Asking):
    """The fields to change, and the revision that they were seen at."""

    revision: Against
    name: AgentName | None = None
    description: Remark | None = None
    contact: Contact | None = None
    enabled: Enabled | None = None


class AgentEntry(Answer):
    """What people say of an agent."""

    account: Annotated[str, Field(examples=["111122223333"])]
    name: str
    description: str
    contact: str
    enabled: bool
    revision: Annotated[int, Field(description="Pass it with edits, and as `at_least`.")]
