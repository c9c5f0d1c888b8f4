"""The routes of operation: projections, quarantine, liveness, readiness."""

from collections.abc import Callable, Sequence
from typing import Annotated, Final, Literal

from aws_lambda_powertools.event_handler.openapi.params import Query
from pydantic import Field

from consumers.api import views
from consumers.api.errors import Unready
from consumers.api.lag import furthest, seconds_behind
from consumers.api.models import Health, ProjectionList, QuarantineList, Readiness
from consumers.api.parameters import Limit
from consumers.api.routing import Routes, answers
from pipeline.errors import PipelineError
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine, Status
from projections.errors import ProjectionError
from projections.reading import ProjectionState, Reading

LAG_LIMIT_SECONDS: Final = 60.0
"""A read side further behind than this is not ready."""


def routes(
    reading: Reading,
    log: Log,
    quarantine: Quarantine,
    *,
    clock: Callable[[], int],
    version: str,
    lag_limit_seconds: float = LAG_LIMIT_SECONDS,
) -> Routes:
    """The routes."""
    router = Routes()

    @router.get(
        "/projections",
        tags=["operation"],
        summary="List projections",
        description="Version, generation, checkpoints, lag and parked events of each.",
        responses=answers(ProjectionList, "All projections, by name."),
    )
    def list_projections() -> ProjectionList:
        now_us = clock()
        return ProjectionList(items=[views.projection(state, now_us=now_us) for state in reading.states()])

    @router.get(
        "/quarantine",
        tags=["operation"],
        summary="List what could not be understood",
        description="Newest first. `next` goes into `after` for the page behind.",
        responses=answers(QuarantineList, "A page of the quarantine."),
    )
    def list_quarantine(
        *,
        status: Annotated[
            Literal["held", "released", "discarded", "all"], Query(description="Where they are in their life.")
        ] = "held",
        after: Annotated[str, Field(max_length=256), Query(description="`next` of a page.")] = "",
        limit: Limit = 50,
    ) -> QuarantineList:
        items = quarantine.list(status=None if status == "all" else Status(status), after=after, limit=limit)
        return QuarantineList(
            items=[views.quarantined(item) for item in items],
            next=items[-1].id if len(items) == limit else None,
            counts={status.value: count for status, count in quarantine.count().items()},
        )

    @router.get(
        "/health",
        tags=["operation"],
        summary="Is the process alive?",
        description="Asks nothing of log or projections.",
        responses=answers(Health, "It is."),
    )
    def read_health() -> Health:
        return Health(status="alive", version=version)

    @router.get(
        "/ready",
        tags=["operation"],
        summary="May work be sent here?",
        description=f"503 with each reason if the log or a projection cannot be read, or lags over {lag_limit_seconds:g} s.",
        responses=answers(Readiness, "It may."),
    )
    def read_readiness() -> Readiness:
        now_us = clock()
        states, reasons = _inspected(reading, log)
        for state in states:
            behind = seconds_behind(state, now_us=now_us)
            if behind > lag_limit_seconds:
                reasons.append((state.name, f"lags {behind:.0f} s, over {lag_limit_seconds:g} s"))
        if reasons:
            message = "not ready: " + "; ".join(f"{what} {why}" for what, why in reasons)
            raise Unready(message, fields=reasons)
        return Readiness(status="ready", lag_seconds=furthest(states, now_us=now_us).seconds)

    return router


def _inspected(reading: Reading, log: Log) -> tuple[Sequence[ProjectionState], list[tuple[str, str]]]:
    """The projections' states, and what stands against readiness whatever they are."""
    reasons: list[tuple[str, str]] = []
    states: Sequence[ProjectionState] = ()
    try:
        log.heads()
    except PipelineError as broken:
        reasons.append(("log", f"cannot be read: {type(broken).__name__}"))
    try:
        states = reading.states()
    except (PipelineError, ProjectionError) as broken:
        reasons.append(("projections", f"cannot be read: {type(broken).__name__}"))
    else:
        if not states:
            reasons.append(("projections", "there are none yet"))
    return states, reasons
