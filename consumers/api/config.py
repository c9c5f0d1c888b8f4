"""The routes of the configuration: how watched accounts are reached, and what is watched there.

Secrets: what is secret is taken in, and never answered.
"""

from collections.abc import Sequence
from typing import Annotated, Any, Final
from uuid import UUID

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from pydantic import Field

from consumers.api.commands import AtLeast, Desks, Key, People, created
from consumers.api.config_models import (
    Assumed,
    AwsConfigEdit,
    AwsConfigList,
    AwsConfigView,
    MonitoringEdit,
    MonitoringView,
    NewAwsConfig,
)
from consumers.api.errors import NothingHere
from consumers.api.forms import UUID_FORM
from consumers.api.freshness import Freshness
from consumers.api.models import seconds
from consumers.api.parameters import Fresh, FreshHeader
from consumers.api.routing import Routes, answers
from consumers.assuming import Assume, Attempt
from pipeline.desks.configuration import (
    MONITORING,
    AwsConfig,
    ConfigState,
    CreateAwsConfig,
    MonitoringConfig,
    ReplaceAwsConfig,
    ReplaceMonitoring,
)
from projections.configuration import Configurations
from projections.reading import Configuration, Reading

CONFIGURATION: Final = Configurations.name
_COMMAND: Final = (403, 409, 413, 415)
_WRITTEN: Final = "Pass the version in the answer as `at_least` to see it when reading."

ConfigId = Annotated[
    str,
    Field(pattern=UUID_FORM),
    Path(description="The configuration's id, a UUID.", examples=["0199f3a1-0000-7000-8000-000000000002"]),
]


def routes(reading: Reading, desks: Desks, *, assume: Assume, freshness: Freshness) -> Routes:
    """The routes. ``assume`` tries roles."""
    return Config(reading, desks, assume, freshness).routes()


class Config:
    """What the routes do."""

    def __init__(self, reading: Reading, desks: Desks, assume: Assume, freshness: Freshness) -> None:
        self._reading = reading
        self._desks = desks
        self._assume = assume
        self._freshness = freshness

    def routes(self) -> Routes:
        """The routes, declared."""
        router = Routes()
        self._aws_reads(router)
        self._aws_commands(router)
        self._monitoring(router)
        return router

    def _aws_reads(self, router: Routes) -> None:
        @router.get(
            "/config/aws",
            tags=["config"],
            summary="List how accounts are reached",
            description="By id.",
            responses=answers(AwsConfigList, "All of them."),
        )
        def list_aws_configs(*, fresh: Fresh = "", fresh_header: FreshHeader = "") -> AwsConfigList:
            self._freshness.ensure(CONFIGURATION, fresh, fresh_header)
            found = [one for one in self._reading.configurations() if one.kind == "aws"]
            people = self._people(found)
            return AwsConfigList(items=[_aws(one, people) for one in found])

        @router.get(
            "/config/aws/<config_id>",
            tags=["config"],
            summary="Read how one account is reached",
            description="Without its external id.",
            responses=answers(AwsConfigView, "The configuration.", 404),
        )
        def read_aws_config(
            *, config_id: ConfigId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = ""
        ) -> AwsConfigView:
            one = self._shown("aws", config_id, at_least, fresh, fresh_header)
            if one is None:
                message = "there is no such configuration"
                raise NothingHere(message)
            return _aws(one, self._people([one]))

    def _aws_commands(self, router: Routes) -> None:
        @router.post(
            "/config/aws",
            tags=["config"],
            summary="Say how an account is reached",
            description=_WRITTEN,
            responses=answers(AwsConfigView, "The configuration.", *_COMMAND, status=201),
        )
        def create_aws_config(*, config: Annotated[NewAwsConfig, Body()], key: Key = "") -> Response[AwsConfigView]:
            command = CreateAwsConfig(config.model_dump(mode="json", exclude={"external_id"}), config.external_id or "")
            return created(self._aws_view(self._desks.desk.make(AwsConfig, command, self._desks.asked(key))))

        @router.put(
            "/config/aws/<config_id>",
            tags=["config"],
            summary="Replace how an account is reached",
            description=_WRITTEN,
            responses=answers(AwsConfigView, "The configuration.", 404, *_COMMAND),
        )
        def replace_aws_config(*, config_id: ConfigId, config: Annotated[AwsConfigEdit, Body()], key: Key = "") -> AwsConfigView:
            document = config.model_dump(mode="json", exclude={"external_id", "version"})
            command = ReplaceAwsConfig(document, config.external_id)
            asked = self._desks.asked(key, config.version)
            return self._aws_view(self._desks.desk.do(AwsConfig, UUID(config_id), command, asked))

        @router.post(
            "/config/aws/<config_id>/test",
            tags=["config"],
            summary="Try to reach an account",
            description="Assumes the role, with the external id, and lets go of it. Nothing is changed, whatever comes of it.",
            responses=answers(Assumed, "Whether it could be assumed, and why not.", 403, 404),
        )
        def test_aws_config(*, config_id: ConfigId) -> Assumed:
            state: ConfigState = self._desks.desk.load(AwsConfig, UUID(config_id)).expect()
            return _assumed(self._assume(state.document["role_arn"], state.external_id), state.document["account"])

    def _monitoring(self, router: Routes) -> None:
        @router.get(
            "/config/monitoring",
            tags=["config"],
            summary="Read what is watched",
            description="The defaults, at version 0, until somebody says something else.",
            responses=answers(MonitoringView, "The configuration."),
        )
        def read_monitoring(*, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> MonitoringView:
            one = self._shown("monitoring", "monitoring", at_least, fresh, fresh_header)
            if one is None:
                return MonitoringView(version=0, updated=None, updated_by=None)
            return MonitoringView.model_validate({**one.document, **_said(one, self._people([one]))})

        @router.put(
            "/config/monitoring",
            tags=["config"],
            summary="Replace what is watched",
            description=_WRITTEN,
            responses=answers(MonitoringView, "The configuration.", *_COMMAND),
        )
        def replace_monitoring(*, config: Annotated[MonitoringEdit, Body()], key: Key = "") -> MonitoringView:
            command = ReplaceMonitoring(config.model_dump(mode="json", exclude={"version"}))
            entity = self._desks.desk.do(MonitoringConfig, MONITORING, command, self._desks.asked(key, config.version))
            return MonitoringView.model_validate({**entity.expect().document, **self._written(entity)})

    def _shown(self, kind: str, config_id: str, at_least: int, *fresh: str) -> Configuration | None:
        def one() -> Configuration | None:
            return next((c for c in self._reading.configurations() if (c.kind, c.id) == (kind, config_id)), None)

        def version() -> int:
            found = one()
            return found.version if found else 0

        self._freshness.ensure(CONFIGURATION, *fresh)
        self._freshness.at_least(at_least, version)
        return one()

    def _people(self, found: Sequence[Configuration]) -> People:
        return self._desks.people({one.updated_by for one in found})

    def _aws_view(self, entity: AwsConfig) -> AwsConfigView:
        state: ConfigState = entity.expect()
        known = {"id": str(entity.id), "has_external_id": bool(state.external_id), **self._written(entity)}
        return AwsConfigView.model_validate({**state.document, **known})

    def _written(self, entity: AwsConfig | MonitoringConfig) -> dict[str, Any]:
        state: ConfigState = entity.expect()
        by = self._desks.people([state.updated_by]).person(state.updated_by)
        return {"version": entity.version, "updated": seconds(entity.updated_us), "updated_by": by}


def _said(one: Configuration, people: People) -> dict[str, Any]:
    return {"version": one.version, "updated": seconds(one.updated_us), "updated_by": people.person(one.updated_by)}


def _aws(one: Configuration, people: People) -> AwsConfigView:
    return AwsConfigView.model_validate({**one.document, "id": one.id, **_said(one, people)})


def _assumed(attempt: Attempt, account: str) -> Assumed:
    if attempt.outcome == "assumed" and attempt.account != account:
        message = f"the role leads to account {attempt.account}, not to {account}"
        return Assumed(assumed=False, outcome="wrong_account", message=message, account=attempt.account, arn=attempt.arn)
    return Assumed.model_validate(
        {
            "assumed": attempt.outcome == "assumed",
            "outcome": attempt.outcome,
            "message": attempt.message,
            "account": attempt.account,
            "arn": attempt.arn,
        }
    )
