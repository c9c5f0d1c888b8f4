"""What the API takes and answers of long work: judging history, and the jobs that do it."""

from typing import Annotated, Any, Literal, Self

from pydantic import Field, model_validator

from consumers.api.commands import Given, Person
from consumers.api.forms import RULE_ID
from consumers.api.models import Answer, Seconds
from consumers.api.rule_models import RuleIdText
from consumers.api.task_models import Asking

RuleId = Annotated[str, Field(pattern=RULE_ID, examples=["root-sign-in"])]
Number = Annotated[int, Field(ge=1, le=1_000_000, description="By default the newest.")]
CountLate = Annotated[
    bool, Field(description="Findings count towards thresholds however late they were recorded: for history brought in later.")
]


class _Span(Asking):
    since: Given
    until: Given
    count_late: CountLate = False

    @model_validator(mode="after")
    def _in_order(self) -> Self:
        if self.since >= self.until:
            message = "until must be later than since"
            raise ValueError(message)
        return self


class WhichRule(Asking):
    """A rule: its ``text``, or the ``rule_id`` of a published one."""

    text: Annotated[str, Field(max_length=65_536, description="As its author wrote it; empty to name a published rule.")] = ""
    rule_id: RuleId | None = None
    version: Number | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.text) == (self.rule_id is not None):
            message = "give the rule's text, or a rule_id"
            raise ValueError(message)
        return self


class NewBacktest(_Span):
    """A dry run of a rule over findings that happened in ``[since, until)``."""

    rule: WhichRule


class NewDiff(_Span):
    """A comparison of two versions over findings that happened in ``[since, until)``."""

    former: WhichRule
    new: WhichRule


class NewReprocessing(_Span):
    """A run that raises the alerts that a published version finds in ``[since, until)`` and withdraws those that it does not."""

    version: Number | None = None
    notify: Annotated[bool, Field(description="Tell channels of the alerts, too.")] = False


class JobView(Answer):
    """Long work. ``done`` of ``total`` are events read; both are 0 while nobody knows."""

    id: Annotated[str, Field(examples=["0199f3a1-0000-7000-8000-000000000002"])]
    kind: Annotated[str, Field(examples=["rules.backtest"])]
    rule_id: RuleIdText | None
    state: Annotated[Literal["waiting", "running", "done", "failed", "cancelled"], Field(examples=["running"])]
    by: Person | None
    asked: Seconds
    changed: Seconds
    done: int
    total: int
    cancelling: Annotated[bool, Field(description="It was asked to end, and will soon.")]
    error: Annotated[str, Field(description="What went wrong, if it failed.")]


class JobDetail(JobView):
    """Long work, with what was asked and what came of it, as ``--json`` of the command tells it: times in microseconds."""

    parameters: dict[str, Any]
    result: dict[str, Any] | None


class JobList(Answer):
    """Jobs, the newest first. ``next``: pass it as ``before`` for those that are older; None if there are none."""

    items: list[JobView]
    next: str | None
