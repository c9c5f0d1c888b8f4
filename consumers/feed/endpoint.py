"""``GET /feed``: reads what the client asks for, refuses what is wrong, streams the rest of what whoever asks may see."""

from collections.abc import Awaitable, Callable

from starlette.requests import Request
from starlette.responses import Response

from consumers.api.measure import ROUTE, UNMEASURED
from consumers.api.parameters import check_names
from consumers.feed.asked import PARAMETERS, filter_of, place_of
from consumers.feed.message import CONTENT_TYPE
from consumers.feed.stream import HEARTBEAT_SECONDS, SEND_SECONDS, EventStream
from consumers.feed.tail import Tail
from consumers.people.principal import Principal


def endpoint(
    tail: Tail,
    *,
    principal: Callable[[], Principal],
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    send_seconds: float = SEND_SECONDS,
) -> Callable[[Request], Awaitable[EventStream | Response]]:
    """The endpoint that follows ``tail``. ``principal`` answers who makes the request under way."""

    async def follow(request: Request) -> EventStream | Response:
        request.scope[ROUTE] = UNMEASURED
        check_names(request.query_params, PARAMETERS)
        wanted = filter_of(request.query_params, principal())
        after = place_of(request.headers, request.query_params)
        if request.method == "HEAD":  # a stream that nobody hears would not end
            return Response(headers={"Content-Type": CONTENT_TYPE})
        return EventStream(
            tail,
            wanted,
            after,
            heartbeat_seconds=heartbeat_seconds,
            send_seconds=send_seconds,
        )

    return follow
