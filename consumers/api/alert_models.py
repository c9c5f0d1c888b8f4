"""What the API takes and answers of alerts."""

from typing import Annotated, Literal

from pydantic import Field

from consumers.api.commands import Against, Person
from consumers.api.models import Answer, Event, Seconds
from consumers.api.rule_models import RuleIdText, RuleVersionView
from consumers.api.task_models import Asking
from consumers.api.views import SeverityName

AlertStatus = Literal["open", "acknowledged", "resolved", "withdrawn"]


class AlertStatusChange(Asking):
    """How an alert shall stand. ``open`` takes back that it was acknowledged, resolved or withdrawn."""

    status: Literal["open", "acknowledged", "resolved"]
    revision: Annotated[Against | None, Field(description="The revision that you saw; any, if left out.")] = None
    comment: Annotated[str, Field(max_length=5000, description="Why, in up to 5000 characters.")] = ""


class WindowView(Answer):
    """A stretch of time; ``until`` is exclusive."""

    since: Seconds
    until: Seconds


class AlertView(Answer):
    """An alert: what a rule concluded from findings."""

    id: Annotated[str, Field(examples=["6f0c5a39-8d1b-8b7e-a1c2-3d4e5f607182"])]
    status: AlertStatus
    title: Annotated[str, Field(examples=["40 failed sign-ins from 192.0.2.1"])]
    severity: Annotated[int, Field(ge=0, le=4)]
    severity_name: SeverityName
    rule_id: RuleIdText
    rule_version: int
    labels: Annotated[dict[str, str], Field(examples=[{"team": "platform"}])]
    group: Annotated[dict[str, str], Field(description="The values by which the rule groups, by path.")]
    window: Annotated[WindowView | None, Field(description="None of a rule without a threshold.")]
    count: Annotated[int, Field(description="Of the findings, or distinct values, that were known when it was raised.")]
    event_ids: Annotated[list[str], Field(description="The findings, oldest first, a hundred at most.")]
    time: Annotated[Seconds, Field(description="When its window began, or its finding happened.")]
    raised: Annotated[Seconds, Field(description="When it was raised: when the log recorded that.")]
    last: Annotated[Seconds, Field(description="When the last of its findings happened.")]
    updated: Annotated[Seconds, Field(description="When the last thing happened to it.")]
    account: Annotated[str, Field(description="12 digits; empty if its findings are of several.")]
    region: str
    resources: list[str]
    backfilled: Annotated[bool, Field(description="A run over history raised it, not the present.")]
    run_id: Annotated[str, Field(description="That run; empty: none.")]
    event_id: Annotated[str, Field(description="Of the event on the log that raised it.")]
    revision: Annotated[int, Field(description="Counts what people did to it; pass it with changes, and as `at_least`.")]


class AlertList(Answer):
    """Alerts, newest first. A page may hold fewer than asked for, even none, while ``next`` leads on."""

    items: list[AlertView]
    next: Annotated[str | None, Field(description="Pass it as `cursor`, with the same filters.")]


class AlertHappened(Answer):
    """One thing that happened to an alert."""

    time: Annotated[
        Seconds, Field(description="Of an alert that was raised its own, of one that a finding closed the finding's.")
    ]
    recorded: Annotated[Seconds, Field(description="When the log took it in.")]
    type: Annotated[str, Field(examples=["alert.acknowledged"])]
    id: Annotated[str, Field(description="Of the event on the log that tells it.")]
    by: Person | None
    comment: str
    cause: Annotated[str, Field(description="The event that led to it, by id; empty: none.")]
    run_id: str
    rule_version: Annotated[int, Field(description="0 where no version is told.")]
    revision: Annotated[int, Field(description="0 of what people did not do.")]


class AlertDetail(AlertView):
    """An alert with all that explains it: what happened to it, by time; its first findings; the version of its rule."""

    history: list[AlertHappened]
    findings: Annotated[list[Event], Field(description="The first twenty of `event_ids` that the index still has.")]
    rule: RuleVersionView | None
