"""Judging history as jobs: what may be asked for, and how it is done.

Again: a reprocessing's run is named by its job, so that one which a worker left undone is taken up and comes out the same.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Final, Self

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, model_validator

from consumers.jobs.job import Job
from consumers.jobs.worker import Work
from consumers.rules.compiled import CompiledRule
from consumers.rules.history import asking
from consumers.rules.history.backtest import Routing, backtest
from consumers.rules.history.diff import diff
from consumers.rules.history.lockstep import Watch
from consumers.rules.history.reprocess import Run, reprocess
from consumers.rules.history.strand import Stretch
from consumers.rules.judge import make_judge
from pipeline.log.port import Log, Position
from projections.judged import Judged
from schemas.body import TimeUs
from schemas.rules import RuleId

BACKTEST: Final = "rules.backtest"
DIFF: Final = "rules.diff"
REPROCESS: Final = "rules.reprocess"


class _Asked(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Which(_Asked):
    """A rule: as its author wrote it (``text``), or as published (``rule_id``, and ``version`` if it is not the newest)."""

    text: Annotated[str, Field(max_length=65_536)] = ""
    rule_id: RuleId | None = None
    version: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if bool(self.text) == (self.rule_id is not None):
            message = "give the rule's text, or a rule_id"
            raise ValueError(message)
        return self

    def compiled(self, published: Judged) -> CompiledRule:
        """Raises ``RuleRefused``, ``RuleUnknown``."""
        if self.rule_id is None:
            return asking.of_text(self.text, published)
        return asking.of_version(published, self.rule_id, self.version)


class Span(_Asked):
    """A stretch of time, in microseconds since the epoch; ``count_late`` as ``strand.Stretch`` has it."""

    since_us: TimeUs
    until_us: TimeUs
    count_late: bool = False

    @property
    def stretch(self) -> Stretch:
        """The same, for the cores."""
        return Stretch(self.since_us, self.until_us, self.count_late)


class BacktestAsked(Span):
    """The parameters of a backtest."""

    rule: Which


class DiffAsked(Span):
    """The parameters of a comparison."""

    former: Which
    new: Which


class ReprocessAsked(Span):
    """The parameters of a reprocessing."""

    rule_id: RuleId
    version: Annotated[int, Field(ge=1)] | None = None
    notify: bool = False


@dataclass(frozen=True, slots=True)
class History:
    """The kinds of work over this log. ``passed`` says how far live judging has come; ``timer_ns`` is a clock in nanoseconds."""

    log: Log
    published: Judged
    routing: Callable[[], Routing]
    timer_ns: Callable[[], int]
    passed: Callable[[], Mapping[str, Position] | None]

    def kinds(self) -> Mapping[str, Work]:
        """Each kind and what does it."""
        return {BACKTEST: self._backtest, DIFF: self._diff, REPROCESS: self._reprocess}

    def _backtest(self, job: Job, watch: Watch) -> Mapping[str, Any]:
        asked = TypeAdapter(BacktestAsked).validate_python(job.parameters)
        rules = [asked.rule.compiled(self.published)]
        options: dict[str, Any] = {"timer_ns": self.timer_ns, "routing": self.routing(), "watch": watch}
        return backtest(self.log, rules, asked.stretch, make_judge=make_judge, **options).document()

    def _diff(self, job: Job, watch: Watch) -> Mapping[str, Any]:
        asked = TypeAdapter(DiffAsked).validate_python(job.parameters)
        former, new = asked.former.compiled(self.published), asked.new.compiled(self.published)
        return diff(self.log, former, new, asked.stretch, make_judge=make_judge, watch=watch).document()

    def _reprocess(self, job: Job, watch: Watch) -> Mapping[str, Any]:
        asked = TypeAdapter(ReprocessAsked).validate_python(job.parameters)
        compiled = asking.of_version(self.published, asked.rule_id, asked.version)
        run = Run(job.id, asked.stretch, job.by, asked.notify)
        return asdict(reprocess(self.log, compiled, run, make_judge=make_judge, passed=self.passed, watch=watch))
