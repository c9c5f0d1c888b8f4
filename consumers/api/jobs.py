"""The routes of long work: asking for a backtest, a comparison or a reprocessing, watching it, ending it.

Asked: what names a rule that is not there, or a text that is none, is refused at once; the rest is answered 202, with the job.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Final, cast

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api.commands import Desks, People
from consumers.api.errors import NothingHere, ValueRefused
from consumers.api.forms import UUID_FORM, UUID_OR_NONE
from consumers.api.job_models import JobDetail, JobList, JobView, NewBacktest, NewDiff, NewReprocessing, WhichRule
from consumers.api.models import seconds
from consumers.api.parameters import Limit, micros
from consumers.api.routing import Routes, answers
from consumers.api.rule_checks import sound
from consumers.api.rules import RuleId
from consumers.jobs.asking import Asks
from consumers.jobs.job import Job
from consumers.rules.history.jobs import BACKTEST, DIFF, REPROCESS
from projections.judged import Judged

_COMMAND: Final = (403, 404, 413, 415)
_WATCH: Final = "Look at `GET /jobs/{job_id}` until it is done; `DELETE` ends it."

JobId = Annotated[
    str,
    Field(pattern=UUID_FORM),
    Path(description="The job's id, a UUID.", examples=["0199f3a1-0000-7000-8000-000000000002"]),
]
Before = Annotated[
    str,
    Field(pattern=UUID_OR_NONE),
    Query(description="Only those older than this job, by id: `next` of the page before."),
]


def routes(judged: Judged, desks: Desks, asks: Asks) -> Routes:
    """The routes."""
    router = Routes()
    _asking(router, judged, desks, asks)
    _jobs(router, desks, asks)
    return router


def _asking(router: Routes, judged: Judged, desks: Desks, asks: Asks) -> None:
    def asked(kind: str, parameters: Mapping[str, Any]) -> Response[JobView]:
        job = asks.ask(kind, parameters, desks.principal().user_id)
        return Response(202, "application/json", _view(job, desks.people([job.by])), headers={"Location": f"/jobs/{job.id}"})

    @router.post(
        "/rules/backtest",
        tags=["rules"],
        summary="Backtest a rule",
        description="What it would have matched, raised and sent, had it been in force; nothing is raised or sent. " + _WATCH,
        responses=answers(JobView, "The job that does it.", *_COMMAND, status=202),
    )
    def backtest(*, asking: Annotated[NewBacktest, Body()]) -> Response[JobView]:
        return asked(BACKTEST, _span(asking, asks.clock()) | {"rule": _which(judged, asking.rule)})

    @router.post(
        "/rules/diff",
        tags=["rules"],
        summary="Compare two versions of a rule",
        description="What one matches in history and the other does not; nothing is raised or sent. " + _WATCH,
        responses=answers(JobView, "The job that does it.", *_COMMAND, status=202),
    )
    def compare(*, asking: Annotated[NewDiff, Body()]) -> Response[JobView]:
        return asked(
            DIFF, _span(asking, asks.clock()) | {"former": _which(judged, asking.former), "new": _which(judged, asking.new)}
        )

    @router.post(
        "/rules/<rule_id>/reprocess",
        tags=["rules"],
        summary="Judge history again by a rule",
        description="Raises the alerts that it finds there, marked as backfilled, and withdraws those that it does not find. "
        "What stands is not raised twice. The job's id is the run's. " + _WATCH,
        responses=answers(JobView, "The job that does it.", *_COMMAND, status=202),
    )
    def reprocess(*, rule_id: RuleId, asking: Annotated[NewReprocessing, Body()]) -> Response[JobView]:
        which = _which(judged, WhichRule(rule_id=rule_id, version=asking.version))
        return asked(REPROCESS, _span(asking, asks.clock()) | which | {"notify": asking.notify})


def _jobs(router: Routes, desks: Desks, asks: Asks) -> None:
    @router.get(
        "/jobs",
        tags=["jobs"],
        summary="List jobs",
        description="Long work that was asked for in the last thirty days, the newest first.",
        responses=answers(JobList, "A page of jobs."),
    )
    def list_jobs(*, limit: Limit = 50, before: Before = "") -> JobList:
        found = asks.jobs.latest(limit + 1, before)
        people = desks.people([job.by for job in found])
        shown = [_view(job, people) for job in found[:limit]]
        return JobList(items=shown, next=shown[-1].id if len(found) > limit else None)

    @router.get(
        "/jobs/<job_id>",
        tags=["jobs"],
        summary="Look at a job",
        description="How far it is, and its result once it is done.",
        responses=answers(JobDetail, "The job.", 404),
    )
    def read_job(*, job_id: JobId) -> JobDetail:
        return _detail(_known(asks.jobs.get(job_id)))

    @router.delete(
        "/jobs/<job_id>",
        tags=["jobs"],
        summary="End a job",
        description="One that runs ends soon; what it raised stands. One that is settled stays as it is.",
        responses=answers(JobDetail, "The job as it then is.", 403, 404),
    )
    def end_job(*, job_id: JobId) -> JobDetail:
        return _detail(_known(asks.jobs.cancel(job_id, asks.clock())))

    def _detail(job: Job) -> JobDetail:
        view = _view(job, desks.people([job.by])).model_dump()
        return JobDetail(**view, parameters=dict(job.parameters), result=None if job.result is None else dict(job.result))


def _known(job: Job | None) -> Job:
    if job is None:
        message = "there is no such job (any more)"
        raise NothingHere(message)
    return job


def _view(job: Job, people: People) -> JobView:
    return JobView(
        id=job.id,
        kind=job.kind,
        rule_id=_rule_id(job.parameters),
        state=job.state.value,
        by=people.person(job.by),
        asked=seconds(job.asked_us),
        changed=seconds(job.changed_us),
        done=job.done,
        total=job.total,
        cancelling=job.cancelling,
        error=job.error,
    )


def _rule_id(parameters: Mapping[str, Any]) -> str | None:
    which = parameters.get("rule") or parameters.get("new") or parameters
    return cast("str | None", which.get("rule_id"))


def _span(asking: NewBacktest | NewDiff | NewReprocessing, now_us: int) -> dict[str, Any]:
    if micros(asking.since) >= now_us:
        message = "the request has wrong values; see details"
        raise ValueRefused(message, fields=[("since", "lies ahead: nothing has happened since")])
    return {"since_us": micros(asking.since), "until_us": micros(asking.until), "count_late": asking.count_late}


def _which(judged: Judged, which: WhichRule) -> dict[str, Any]:
    """The rule as a job's parameters name it. Raises ``ValueRefused`` for a text that is no rule, ``NothingHere``."""
    if which.rule_id is None:
        sound(which.text)
        return {"text": which.text}
    known = judged.rule(which.rule_id)
    if known is None or (which.version or 1) > known.newest.number:
        message = "there is no such rule, or version of it (or not yet)"
        raise NothingHere(message)
    return {"rule_id": which.rule_id, "version": which.version or known.newest.number}
