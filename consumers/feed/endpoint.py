"""``GET /feed``: reads what the client asks for, refuses what is wrong, streams the rest of what whoever asks may see."""

import re
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

_MOST_CHARACTERS: Final = {"source": 256, "type": 256, "resource": 2048, "text": 200}
_ACCOUNT: Final = re.compile(r"([0-9]{12})?")
_PARAMETERS: Final = ("account", "after", "resource", "severity", "source", "text", "type")


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
    asked = {name: parameters.get(name, "") for name in _MOST_CHARACTERS}
    for name, most in _MOST_CHARACTERS.items():
        if len(asked[name]) > most:
            _refuse(name, f"may have {most} characters")
    account = parameters.get("account", "")
    if not _ACCOUNT.fullmatch(account):
        _refuse("account", "is no AWS account: give its 12 digits")
    try:
        severity = parse_severity(parameters.get("severity") or 0)
    except ValueError as wrong:
        _refuse("severity", str(wrong))
    return Filter(min_severity=severity, allowed=() if who.is_admin else FOR_USERS, account=account, **asked)


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
