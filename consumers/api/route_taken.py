"""Which path something takes through the routes: a finding, an alert, or fields that somebody thought up."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from consumers.api.errors import NothingHere, ValueRefused
from consumers.api.policy_models import FailedMatcher, Routed, RouteTaken, StepView, TakenView
from consumers.api.routing_checks import sound_fields, sound_routing
from consumers.notifier import item
from consumers.notifier.routing.policies import policies_of
from consumers.notifier.routing.tree import ALONE
from consumers.notifier.routing.walk import Step, group_of, walk
from consumers.palette import tone
from pipeline.log.port import Log
from projections.alert_pages import Alert
from projections.alerts import AlertStatus
from projections.decided import Decided
from projections.judged import Judged
from projections.reading import Reading

GIVEN: Final = -1
"""The version of a routing that stands in the request."""

ToldAs: TypeAlias = Literal["moment", "firing", "acknowledged", "resolved", "nothing"]

_STANDING: Final[Mapping[AlertStatus, ToldAs]] = {
    "open": "firing",
    "acknowledged": "acknowledged",
    "resolved": "resolved",
    "withdrawn": "resolved",
}


@dataclass(frozen=True, slots=True)
class Paths:
    """Answers paths."""

    decided: Decided
    judged: Judged
    reading: Reading
    log: Log
    clock: Callable[[], int]

    def of(self, asked: Routed) -> RouteTaken:
        """The path of what was asked. Raises ``ValueRefused``, ``NothingHere``."""
        given = [name for name in ("event_id", "alert_id", "fields") if getattr(asked, name)]
        if len(given) != 1:
            message = "the request has wrong values; see details"
            raise ValueRefused(message, fields=[("body", "give one of event_id, alert_id and fields")])
        routing = sound_routing(asked.text) if asked.text else None
        told_as, fields = self._told(asked)
        now_us = self.clock()
        policies = policies_of(self.decided, ending_after_us=now_us)
        steps = walk(routing or policies.routing, fields) if told_as != "nothing" else []
        return RouteTaken(
            version=GIVEN if routing else policies.routing.number,
            told_as=told_as,
            fields=dict(fields),
            steps=[step_view(step, fields) for step in steps],
            taken=[_taken(step, fields) for step in steps if step.decides],
            silenced_by=[silence.id for silence in policies.silences if silence.mutes(fields, now_us)],
        )

    def _told(self, asked: Routed) -> tuple[ToldAs, Mapping[str, str]]:
        if asked.fields:
            return "moment", sound_fields(asked.fields)
        if asked.alert_id:
            found = self.judged.alert(asked.alert_id)
            if found is None:
                message = "there is no such alert (or not yet)"
                raise NothingHere(message)
            return _STANDING[found[0].status], _fields(found[0])
        return self._of_event(asked.event_id)

    def _of_event(self, event_id: str) -> tuple[ToldAs, Mapping[str, str]]:
        entries = self.reading.event(event_id, now_us=self.clock())
        record = self.log.fetch([entries[0].position])[0] if entries else None
        if record is None:
            message = "there is no such event here (any more, or not yet)"
            raise NothingHere(message)
        told = item.of(record.event, record.position)
        return (told.turn.value, told.fields) if told else ("nothing", {})


def _fields(alert: Alert) -> dict[str, str]:
    """What matchers may ask of an alert, as ``item.of`` reads it from the event that raised it."""
    given = {
        "type": item.RAISED,
        "source": "findstream.rules",
        "severity": tone(alert.severity).word,
        "account": alert.account,
        "region": alert.region,
        "subject": f"alert/{alert.id}",
        "resource": alert.resources[0] if alert.resources else "",
        "rule": alert.rule_id,
        **{f"label.{name}": value for name, value in alert.labels.items()},
        **{f"group.{name}": value for name, value in alert.group.items()},
    }
    return {name: value for name, value in given.items() if value}


def step_view(step: Step, fields: Mapping[str, str]) -> StepView:
    """A step of the walk by something with these fields."""
    failed = [FailedMatcher(matcher=matcher.text, value=fields.get(matcher.field, "")) for matcher in step.failed]
    return StepView(path=list(step.route.path), matched=step.matched, failed=failed, decides=step.decides)


def _taken(step: Step, fields: Mapping[str, str]) -> TakenView:
    route = step.route
    return TakenView(path=list(route.path), channel=route.channel, group=group_of(route, fields), alone=ALONE in route.group_by)
