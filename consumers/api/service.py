"""All routes of the API on one resolver, from the ports: what the laptop's server and, later, the Lambda door have in common."""

from collections.abc import Callable

from consumers.api import board, dashboard, events, operations
from consumers.api.freshness import WAIT_SECONDS, Freshness
from consumers.api.intake import Intake
from consumers.api.operations import LAG_LIMIT_SECONDS
from consumers.api.overview import Overviews
from consumers.api.resolver import Resolver
from pipeline.ingest import Tally
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.reading import Reading


def resolver(
    reading: Reading,
    ingest: Intake,
    log: Log,
    quarantine: Quarantine,
    *,
    clock: Callable[[], int],
    version: str,
    overviews: Overviews,
    taken: Callable[[Tally], None],
    fresh_seconds: float = WAIT_SECONDS,
    lag_limit_seconds: float = LAG_LIMIT_SECONDS,
) -> Resolver:
    """The resolver: ``resolve(event, context)`` answers requests. ``taken`` is told of what came in."""
    freshness = Freshness(reading, wait_seconds=fresh_seconds)
    return Resolver(
        events.routes(reading, log, ingest, clock=clock, freshness=freshness, taken=taken),
        board.routes(reading, clock=clock, freshness=freshness),
        dashboard.routes(reading, overviews, clock=clock, freshness=freshness),
        operations.routes(reading, log, quarantine, clock=clock, version=version, lag_limit_seconds=lag_limit_seconds),
    )
