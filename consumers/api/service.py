"""All routes of the API on one resolver, from the ports: what the laptop's server and, later, the Lambda door have in common."""

from collections.abc import Callable

from consumers.api import agents, config, dashboard, events, operations, tasks
from consumers.api.commands import Desks
from consumers.api.freshness import WAIT_SECONDS, Freshness
from consumers.api.intake import Intake
from consumers.api.operations import LAG_LIMIT_SECONDS
from consumers.api.overview import Overviews
from consumers.api.resolver import Resolver
from consumers.assuming import Assume
from pipeline.ingest import Tally
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.reading import Reading


def resolver(
    reading: Reading,
    ingest: Intake,
    log: Log,
    quarantine: Quarantine,
    desks: Desks,
    *,
    assume: Assume,
    clock: Callable[[], int],
    version: str,
    overviews: Overviews,
    taken: Callable[[Tally], None],
    fresh_seconds: float = WAIT_SECONDS,
    lag_limit_seconds: float = LAG_LIMIT_SECONDS,
) -> Resolver:
    """The resolver: ``resolve(event, context)`` answers requests. ``taken`` is told of what came in, ``assume`` tries roles."""
    freshness = Freshness(reading, wait_seconds=fresh_seconds)
    return Resolver(
        events.routes(reading, log, ingest, desks, clock=clock, freshness=freshness, taken=taken),
        tasks.routes(reading, log, desks, clock=clock, freshness=freshness),
        agents.routes(reading, desks, clock=clock, freshness=freshness),
        config.routes(reading, desks, assume=assume, freshness=freshness),
        dashboard.routes(reading, overviews, clock=clock, freshness=freshness),
        operations.routes(reading, log, quarantine, clock=clock, version=version, lag_limit_seconds=lag_limit_seconds),
    )
