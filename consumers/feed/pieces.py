"""``GET /feed`` where answers are buffered (API Gateway, Lambda): the same stream, in pieces that end.

Piece:   what is new behind where the client stands, a bounded part of it, then the end. A client of server-sent events asks again
         by itself, ``retry`` milliseconds later, with the last id that it had: nothing is missed or told twice.
Present: as far as ``reached`` tells: how far the event index has been folded. While that is where the client stands already the
         stream is not read at all, so that who waits takes nothing from those that work on it.
Filters: a piece in which nothing matched moves the client all the same.
Source: HTML Standard, "Server-sent events"; decision 93 says why.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.request import Request

from consumers.api.routing import Routes
from consumers.feed import vector
from consumers.feed.asked import filter_of, place_of
from consumers.feed.backlog import backlog
from consumers.feed.message import CONTENT_TYPE, Filter
from consumers.people.principal import Principal
from pipeline.log.port import Log, Position

WAIT_MILLISECONDS: Final = 5_000
"""Until a client that is at the present asks again."""
HURRY_MILLISECONDS: Final = 100
"""Until one that is behind does."""
MOST_BYTES: Final = 1_000_000
"""Of events in a piece, about: a function's answer may have 6 MB."""
MOST_READS: Final = 10
"""Rounds over all shards, for one piece."""

Reached = Callable[[], Mapping[str, Position]]


def routes(log: Log, reached: Reached, *, principal: Callable[[], Principal]) -> Routes:
    """The route. ``principal`` answers who makes the request under way."""
    router = Routes()

    @router.get("/feed", tags=["events"], summary="Follow events, in pieces")
    def follow_events(
        *,
        request: Request,
        account: str = "",
        after: str = "",
        resource: str = "",
        severity: str = "",
        source: str = "",
        text: str = "",
        type: str = "",  # noqa: A002 -- as the parameter is called
    ) -> Response[Any]:
        given = locals()
        asked = {name: str(given[name]) for name in ("account", "after", "resource", "severity", "source", "text", "type")}
        headers = {name.lower(): value for name, value in request.resolved_event.headers.items()}
        body = piece(log, reached(), filter_of(asked, principal()), place_of(headers, asked))
        return Response(200, CONTENT_TYPE, body.decode(), headers={"Cache-Control": "no-store"})

    return router


def piece(log: Log, goal: Mapping[str, Position], wanted: Filter, at: Mapping[str, Position] | None) -> bytes:
    """The next piece for a client at ``at``; None: at the present. Raises ``LogUnavailable``."""
    place = dict(goal if at is None else at)
    blocks: list[bytes] = []
    for _ in range(MOST_READS):
        if vector.reached(place, goal) or sum(map(len, blocks)) >= MOST_BYTES:
            break
        messages, place = backlog(log, place, goal)
        blocks += [message.wire() for message in messages if wanted.wants(message)]
    wait = WAIT_MILLISECONDS if vector.reached(place, goal) else HURRY_MILLISECONDS
    return b"retry: %d\n\n%bid: %b\n\n" % (wait, b"".join(blocks), vector.encode(place).encode())
