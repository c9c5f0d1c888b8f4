"""All routes of the API on one resolver, from the ports: what the laptop's server and the Lambda door have in common.

Each request is let in by the table of permissions before anything else of it is looked at.
"""

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.event_handler.request import Request

from consumers.api import (
    agents,
    alerts,
    auth,
    config,
    dashboard,
    events,
    jobs,
    keys,
    notifications,
    operations,
    policies,
    profiles,
    rules,
    silences,
    tasks,
    users,
)
from consumers.api.authentication import Authentication
from consumers.api.commands import Desks
from consumers.api.freshness import WAIT_SECONDS, Freshness
from consumers.api.intake import Intake
from consumers.api.operations import LAG_LIMIT_SECONDS
from consumers.api.overview import Overviews
from consumers.api.resolver import Resolver
from consumers.api.route_taken import Paths
from consumers.api.routing import Routes
from consumers.api.silencing import Silencing
from consumers.api.telling import Notified, Telling
from consumers.assuming import Assume
from consumers.jobs.asking import Asks
from consumers.people.port import People
from consumers.people.sign_in import SignIn
from consumers.people.user import Entropy
from pipeline.desks.desk import Desk
from pipeline.ingest import Tally
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.decided import Decided
from projections.judged import Judged
from projections.reading import Reading


def resolver(
    reading: Reading,
    ingest: Intake,
    log: Log,
    quarantine: Quarantine,
    desk: Desk,
    *,
    judged: Judged,
    decided: Decided,
    notified: Notified,
    asks: Asks,
    people: People,
    sign_in: SignIn,
    authentication: Authentication,
    assume: Assume,
    clock: Callable[[], int],
    entropy: Entropy,
    version: str,
    overviews: Overviews,
    taken: Callable[[Tally], None],
    more: Sequence[Routes] = (),
    fresh_seconds: float = WAIT_SECONDS,
    lag_limit_seconds: float = LAG_LIMIT_SECONDS,
) -> Resolver:
    """The resolver: ``resolve(event, context)`` answers requests. ``taken`` is told of what came in, ``assume`` tries roles.

    ``more`` are routes that this deployment has beside those that all have.
    """
    freshness = Freshness(reading, wait_seconds=fresh_seconds)
    principal = authentication.principal
    desks = Desks(desk, principal=principal, directory=people.users)
    silencing = Silencing(decided, reading, log, desks, clock, notified.firing)
    return Resolver(
        events.routes(reading, log, ingest, desks, clock=clock, freshness=freshness, taken=taken),
        tasks.routes(reading, log, desks, clock=clock, freshness=freshness),
        agents.routes(reading, desks, clock=clock, freshness=freshness),
        config.routes(reading, desks, assume=assume, freshness=freshness),
        rules.routes(judged, desks, freshness=freshness),
        jobs.routes(judged, desks, asks),
        alerts.routes(judged, reading, desks, clock=clock, freshness=freshness),
        policies.routes(
            decided, desks, Paths(decided, judged, reading, log, clock), channels=notified.channels, freshness=freshness
        ),
        silences.routes(silencing, freshness=freshness),
        notifications.routes(Telling(notified, decided, judged, reading, log, clock, people.users.names), freshness=freshness),
        dashboard.routes(reading, overviews, principal=principal, clock=clock, freshness=freshness),
        operations.routes(reading, log, quarantine, clock=clock, version=version, lag_limit_seconds=lag_limit_seconds),
        auth.routes(sign_in, authentication, address=_address),
        users.routes(people.users, clock=clock, entropy=entropy),
        profiles.routes(people.users, sign_in, authentication, clock=clock, address=_address),
        keys.routes(people, principal=principal, clock=clock, entropy=entropy),
        *more,
        admit=authentication.admit,
    )


def _address(request: Request) -> str:
    """From where a request comes, as API Gateway tells it."""
    context: dict[str, Any] = request.resolved_event.get("requestContext") or {}
    return str(context.get("http", {}).get("sourceIp", ""))
