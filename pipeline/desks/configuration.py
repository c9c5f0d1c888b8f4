"""The configuration: how watched accounts are reached, and what is watched there.

Which:   one ``AwsConfig`` for each account's role, and one ``MonitoringConfig`` in all.
Secrets: an external id stays in the recorder; the log is told whether there is one.
"""

import re
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Final, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from pipeline.desks.entity import Act, Entity
from pipeline.desks.errors import AlreadyThere, CommandRefused
from pipeline.desks.fact import Fact
from schemas.config import ConfigChanged

MONITORING: Final = UUID("0d5c2f5e-6a3c-5b7e-8f43-5a3e9f6f5f0a")
"""The aggregate's id of the one monitoring configuration. It never changes."""

_EXTERNAL_ID: Final = re.compile(r"[\w+=,.@:/-]{2,1224}", re.ASCII)
"""Source: AWS Security Token Service API Reference, "AssumeRole", ExternalId."""

Word = Annotated[str, Field(min_length=1, max_length=128)]
Pattern = Annotated[str, Field(min_length=1, max_length=256)]
SeverityWord = Literal["UNKNOWN", "LOW", "MEDIUM", "HIGH", "CRITICAL"]
PollingSeconds = Annotated[int, Field(ge=30, le=3600, description="How often it is looked at, 30 to 3600 seconds.")]


class Part(BaseModel):
    """A part of a configuration. What it does not know is refused: a misspelt field must not be lost in silence."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class AwsDocument(Part):
    """How one watched account is reached."""

    name: Annotated[str, Field(min_length=2, max_length=100, examples=["Payments, production"])]
    account: Annotated[str, Field(pattern=r"^[0-9]{12}$", examples=["111122223333"])]
    role_arn: Annotated[
        str,
        Field(
            pattern=r"^arn:aws[a-z-]*:iam::[0-9]{12}:role/[A-Za-z0-9_+=,.@/-]+$",
            max_length=600,
            description="The role that is assumed there.",
            examples=["arn:aws:iam::111122223333:role/findstream-reader"],
        ),
    ]
    regions: Annotated[list[Annotated[str, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-[0-9]$")]], Field(max_length=50)] = []
    enabled: bool = True


class ResourceFilters(Part):
    """Which resources count: shell patterns over their ARNs, and tags that they must all have."""

    include: Annotated[list[Pattern], Field(max_length=100, examples=[["arn:aws:lambda:*:*:function:pay-*"]])] = []
    exclude: Annotated[list[Pattern], Field(max_length=100)] = []
    tags: Annotated[dict[Word, Annotated[str, Field(max_length=256)]], Field(max_length=50)] = {}


class SeverityRule(Part):
    """Findings whose summary matches the shell pattern get this severity; the first rule that matches wins."""

    pattern: Annotated[Pattern, Field(examples=["*root login*"])]
    severity: SeverityWord


class Service(Part):
    """How one service is watched."""

    enabled: bool = True
    polling_seconds: PollingSeconds = 300
    thresholds: Annotated[dict[Word, float], Field(max_length=50, examples=[{"errors_per_minute": 5}])] = {}
    resource_filters: ResourceFilters = ResourceFilters()
    severity_rules: Annotated[list[SeverityRule], Field(max_length=100)] = []


class GlobalSettings(Part):
    """What holds for all services unless they say otherwise."""

    paused: Annotated[bool, Field(description="Nothing is looked at.")] = False
    polling_seconds: PollingSeconds = 300
    minimum_severity: Annotated[SeverityWord, Field(description="Less grave findings are not sent.")] = "UNKNOWN"


class MonitoringDocument(Part):
    """What is watched, and how."""

    services: Annotated[dict[Word, Service], Field(max_length=100, examples=[{"lambda": {"polling_seconds": 60}}])] = {}
    global_settings: GlobalSettings = GlobalSettings()


@dataclass(frozen=True, slots=True)
class CreateAwsConfig:
    """Make the configuration of one account's role. ``external_id`` is a secret; "" if the role asks for none."""

    document: dict[str, Any]
    external_id: str = ""


@dataclass(frozen=True, slots=True)
class ReplaceAwsConfig:
    """Put another document in its place. ``external_id`` None keeps the one that it has, "" takes it away."""

    document: dict[str, Any]
    external_id: str | None = None


@dataclass(frozen=True, slots=True)
class ReplaceMonitoring:
    """Put another monitoring configuration in its place."""

    document: dict[str, Any]


@dataclass(frozen=True, slots=True)
class ConfigState:
    """A configuration as it is."""

    document: dict[str, Any]
    external_id: str = ""
    updated_by: str = ""


class _Config(Entity):
    state: ConfigState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> ConfigState:
        """The state from a snapshot's JSON."""
        return ConfigState(**plain)

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        document = {name: value for name, value in fact.body["document"].items() if name != "has_external_id"}
        self.state = ConfigState(document, fact.secret.get("external_id", ""), fact.body["by"])


class AwsConfig(_Config):
    """The aggregate of one account's role. Its id is a UUIDv7."""

    noun: ClassVar[str] = "AWS configuration"

    def obey(self, command: CreateAwsConfig | ReplaceAwsConfig, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``, ``NothingThere``, ``AlreadyThere``."""
        if isinstance(command, CreateAwsConfig):
            if self.version:
                raise AlreadyThere(self.noun, self.version)
            self._set(command.document, command.external_id, act)
        else:
            state = self.expect()
            self._set(command.document, state.external_id if command.external_id is None else command.external_id, act)

    def _set(self, given: dict[str, Any], external_id: str, act: Act) -> None:
        document = _checked(AwsDocument, given)
        if external_id and not _EXTERNAL_ID.fullmatch(external_id):
            raise CommandRefused.of(field="external_id", reason="has 2 to 1224 letters, digits and +=,.@:/_-")
        if f"::{document['account']}:" not in document["role_arn"]:
            raise CommandRefused.of(field="role_arn", reason="is a role of another account")
        if self.state and (self.state.document, self.state.external_id) == (document, external_id):
            return
        body = ConfigChanged(
            config="aws",
            config_id=str(self.id),
            document={**document, "has_external_id": bool(external_id)},
            version=self.version + 1,
            by=act.by,
        )
        secret = {"external_id": external_id} if external_id else {}
        self.tell(act, body, subject=f"config/aws/{self.id}", summary=f"AWS configuration: {document['name']}", secret=secret)


class MonitoringConfig(_Config):
    """The aggregate of the one monitoring configuration."""

    noun: ClassVar[str] = "monitoring configuration"

    def obey(self, command: ReplaceMonitoring, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``."""
        document = _checked(MonitoringDocument, command.document)
        if self.state and self.state.document == document:
            return
        body = ConfigChanged(config="monitoring", config_id="monitoring", document=document, version=self.version + 1, by=act.by)
        self.tell(act, body, subject="config/monitoring", summary="Monitoring configuration changed")


def _checked(model: type[Part], document: dict[str, Any]) -> dict[str, Any]:
    try:
        return model.model_validate(document).model_dump(mode="json")
    except ValidationError as broken:
        raise CommandRefused.by(broken) from None
