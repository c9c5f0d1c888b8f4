"""What the API takes and answers of the configuration."""

from typing import Annotated, Literal

from pydantic import Field

from consumers.api.commands import Against, Person
from consumers.api.models import Answer, Seconds
from pipeline.desks.configuration import AwsDocument, MonitoringDocument

ExternalId = Annotated[
    str | None,
    Field(max_length=2000, description="What the role asks callers for; kept secret, never answered.", examples=["f1nd-5tream"]),
]


class NewAwsConfig(AwsDocument):
    """How a watched account is reached."""

    external_id: ExternalId = None


class AwsConfigEdit(AwsDocument):
    """The whole document, in the place of the one that was seen at ``version``."""

    version: Against
    external_id: Annotated[ExternalId, Field(description="Left out or null: stays as it is. Empty: taken away.")] = None


class AwsConfigView(AwsDocument):
    """How a watched account is reached."""

    id: str
    has_external_id: bool
    version: int
    updated: Seconds
    updated_by: Person | None


class AwsConfigList(Answer):
    """All of them, by id."""

    items: list[AwsConfigView]


class MonitoringEdit(MonitoringDocument):
    """The whole document, in the place of the one that was seen at ``version`` (0: none yet)."""

    version: Against


class MonitoringView(MonitoringDocument):
    """What is watched, and how. ``version`` 0: nobody said anything yet, and these are the defaults."""

    version: int
    updated: Seconds | None
    updated_by: Person | None


class Assumed(Answer):
    """Whether the role could be assumed. ``outcome`` is for programs, ``message`` for people."""

    assumed: bool
    outcome: Annotated[
        Literal["assumed", "refused", "wrong_account", "no_credentials", "unreachable"],
        Field(
            description="`refused`: AWS does not allow it. `wrong_account`: the role leads elsewhere. "
            "`no_credentials`: this server has none of its own. `unreachable`: AWS did not answer."
        ),
    ]
    message: str
    account: Annotated[str, Field(description="Where the role led; empty if nowhere.")]
    arn: Annotated[str, Field(description="As whom; empty if as nobody.")]
