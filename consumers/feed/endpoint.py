"""``GET /feed``: reads what the client asks for, refuses what is wrong, streams the rest of what whoever asks may see."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Final, Never

from starlette.requests import Request
from starlette.responses import Response

from consumers.api.errors import ValueRefused
from consumers.api.measure import ROUTE, UNMEASURED
from consumers.api.parameters import check_names, parse_severity
from consumers.feed import vector
from consumers.feed.message import FOR_USERS, Filter
from consumers.feed.stream import CONTENT_TYPE, HEARTBEAT_SECONDS, SEND_SECONDS, EventStream
from consumers.feed.tail import Tail
from consumers.people.principal import Principal
from pipeline.log.port import Position

_MOST_CHARACTERS: Final = 256
_PARAMETERS: Final = ("after", "source", "severity", "type")


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
        check_names(request.query_params, _PARAMETERS)
        wanted, after = _wanted(request.query_params, principal()), _after(request)
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


def _wanted(parameters: Mapping[str, str], who: Principal) -> Filter:
    for name in ("source", "type"):
        if len(parameters.get(name, "")) > _MOST_CHARACTERS:
            _refuse(name, f"may have {_MOST_CHARACTERS} characters")
    try:
        severity = parse_severity(parameters.get("severity") or 0)
    except ValueError as wrong:
        _refuse("severity", str(wrong))
    return Filter(parameters.get("source", ""), parameters.get("type", ""), severity, () if who.is_admin else FOR_USERS)


def _after(request: Request) -> Mapping[str, Position] | None:
    for field, text in (
        ("Last-Event-ID", request.headers.get("last-event-id")),
        ("after", request.query_params.get("after")),
    ):
        if text:
            try:
                return vector.decode(text)
            except ValueError as wrong:
                _refuse(field, str(wrong))
    return None


def _refuse(field: str, why: str) -> Never:
    message = "the request has wrong values; see details"
    raise ValueRefused(message, fields=[(field, why)])
