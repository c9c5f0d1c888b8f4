"""Which model tells the body of which type and version: the only table.

Reading:   ``parse`` gives a body at the newest version known here, upcast step by step. What this build does not know (a
           type, a newer version, a kind of finding) comes back as ``Unknown`` with the event untouched; it is never dropped.
Producing: ``check`` refuses what is misspelt, missing or of the wrong type, before it gets onto the log.
History:   a row, once released, stays: the log holds its events for ever.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Any, Final

import orjson
from pydantic import TypeAdapter, ValidationError

from schemas import agents, alerts, config, findings, notices, reports, routing, rules, silences, tasks
from schemas.body import Body
from schemas.envelope import Envelope, validated
from schemas.errors import EventRejected
from schemas.identity import MICROSECONDS
from schemas.upcasters import UPCASTERS, Upcaster

MODELS: Final[Mapping[tuple[str, int], Any]] = MappingProxyType(
    {
        ("finding.observed", 1): findings.AnyFinding,
        ("agent.deployed", 1): agents.AgentDeployed,
        ("agent.beat", 1): agents.AgentBeat,
        ("agent.went_silent", 1): agents.AgentWentSilent,
        ("agent.registered", 1): agents.AgentRegistered,
        ("agent.updated", 1): agents.AgentUpdated,
        ("agent.removed", 1): agents.AgentRemoved,
        ("config.changed", 1): config.ConfigChanged,
        ("task.created", 1): tasks.TaskCreated,
        ("task.updated", 1): tasks.TaskUpdated,
        ("task.status_changed", 1): tasks.TaskStatusChanged,
        ("task.commented", 1): tasks.TaskCommented,
        ("task.deleted", 1): tasks.TaskDeleted,
        ("notice.sent", 1): notices.NoticeSent,
        ("notice.suppressed", 1): notices.NoticeSuppressed,
        ("notice.failed", 1): notices.NoticeFailed,
        ("report.issued", 1): reports.ReportIssued,
        ("routing.published", 1): routing.RoutingPublished,
        ("silence.created", 1): silences.SilenceCreated,
        ("silence.changed", 1): silences.SilenceChanged,
        ("silence.expired", 1): silences.SilenceExpired,
        ("rule.published", 1): rules.RulePublished,
        ("rule.retired", 1): rules.RuleRetired,
        ("rule.switched_off", 1): rules.RuleSwitchedOff,
        ("rule.reprocessed", 1): rules.RuleReprocessed,
        ("alert.raised", 1): alerts.AlertRaised,
        ("alert.acknowledged", 1): alerts.AlertAcknowledged,
        ("alert.resolved", 1): alerts.AlertResolved,
        ("alert.reopened", 1): alerts.AlertReopened,
        ("alert.withdrawn", 1): alerts.AlertWithdrawn,
    }
)
"""(type, version) -> a ``Body``, or a union of them told apart by a field."""


class Why(StrEnum):
    """What of an event this build does not know."""

    TYPE = "type"
    VERSION = "version"
    """It is newer than the newest known here."""
    KIND = "kind"


@dataclass(frozen=True, slots=True)
class Unknown:
    """An event that this build cannot read, whole. Pass it on as it is; what its header tells can be shown."""

    event: Envelope
    why: Why


@dataclass(frozen=True, slots=True)
class _Row:
    adapter: TypeAdapter[Body]
    tags: int
    """How many leading parts of an error's path name a branch of the union instead of a field."""


class Registry:
    """A table of models and the upcasting steps between their versions.

    Raises ``ValueError`` at construction if a type's versions are not 1, 2, 3… or a step between two of them is missing.
    """

    def __init__(self, models: Mapping[tuple[str, int], Any], upcasters: Mapping[tuple[str, int], Upcaster]) -> None:
        self._rows = {key: _Row(TypeAdapter(model), 0 if isinstance(model, type) else 1) for key, model in models.items()}
        self._upcasters = dict(upcasters)
        self._newest: dict[str, int] = {}
        for name, version in sorted(models):
            if version != self._newest.get(name, 0) + 1:
                message = f"{name} has a version {version} but no version {version - 1}"
                raise ValueError(message)
            self._newest[name] = version
        wanted = {(name, version) for name, version in models if version < self._newest[name]}
        if wanted != upcasters.keys():
            message = f"upcasters do not match versions: {sorted(wanted ^ upcasters.keys())} is missing or leads nowhere"
            raise ValueError(message)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """All (type, version), sorted."""
        return iter(sorted(self._rows))

    def newest(self, event_type: str) -> int:
        """The newest version known of a type; 0 if the type is not known."""
        return self._newest.get(event_type, 0)

    def schema(self, event_type: str, version: int) -> dict[str, Any]:
        """The JSON Schema (2020-12) of a body. Raises ``KeyError`` if there is no such row."""
        return self._rows[event_type, version].adapter.json_schema()

    def parse(self, event: Envelope) -> Body | Unknown:
        """The typed body at the newest known version, or ``Unknown``.

        Raises ``EventRejected`` if the body is not of its own version's form, which ``check`` keeps from happening.
        """
        newest = self.newest(event.type)
        if not newest:
            return Unknown(event, Why.TYPE)
        if event.version > newest:
            return Unknown(event, Why.VERSION)
        body = _parsed(event)
        for version in range(event.version, newest):
            body = self._upcasters[event.type, version](body)
        row = self._rows[event.type, newest]
        try:
            return row.adapter.validate_python(body)
        except ValidationError as broken:
            if broken.errors(include_url=False)[0]["type"] == "union_tag_invalid":
                return Unknown(event, Why.KIND)
            raise EventRejected.of(broken, "body", skip=row.tags) from None

    def check(self, event: Envelope, body: Mapping[str, Any] | None = None) -> Envelope:
        """Return ``event`` with every field of header and body checked against its own version.

        ``body`` is ``event.body`` parsed, if the caller has it at hand: it spares parsing again. Raises ``EventRejected``.
        """
        try:
            validated(event)
        except ValidationError as broken:
            raise EventRejected.of(broken) from None
        if not event.id.startswith(f"{event.time_us // MICROSECONDS}-"):
            reason = "does not begin with the seconds of time_us"
            raise EventRejected(reason, "id")
        row = self._rows.get((event.type, event.version))
        if row is None:
            newest = self.newest(event.type)
            if newest:
                reason = f"{event.type} has versions 1 to {newest}"
                raise EventRejected(reason, "version")
            reason = f"is none of {', '.join(sorted(self._newest))}"
            raise EventRejected(reason, "type")
        try:
            row.adapter.validate_python(_parsed(event) if body is None else body, extra="forbid")
        except ValidationError as broken:
            raise EventRejected.of(broken, "body", skip=row.tags) from None
        return event


def _parsed(event: Envelope) -> dict[str, Any]:
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError as broken:
        reason = f"is not JSON: {broken}"
        raise EventRejected(reason, "body") from None
    if not isinstance(body, dict):
        reason = "is not a JSON object"
        raise EventRejected(reason, "body")
    return body


REGISTRY: Final = Registry(MODELS, UPCASTERS)
"""The registry of this build."""
