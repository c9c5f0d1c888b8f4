"""The resolver's door on a laptop: an ASGI request becomes the event that API Gateway would send, its answer an ASGI response.

Concurrency: each request runs in a thread of its own; the event loop never waits for the log. Writes, reads, and reads that wait
             for fresh positions have ``threads`` threads each, so that none of them can keep the others out. Passwords, which
             take a processor for a quarter of a second each, have ``PASSWORD_THREADS``.
Bounds:      a body over ``max_body_bytes`` is refused as soon as that is known, never read to its end.
Paths:       arrive with every segment percent-encoded, so that an id may hold a slash; routes decode what they take.
Source of the event's form: Amazon API Gateway Developer Guide, "Create AWS Lambda proxy integrations for HTTP APIs", format 2.0.
"""

from base64 import b64decode, b64encode
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers.api.errors import BodyTooLarge
from consumers.api.measure import ROUTE, UNMATCHED
from consumers.api.resolver import Resolver

MAX_BODY_BYTES: Final = 8 * 1024 * 1024
THREADS: Final = 64
PASSWORD_THREADS: Final = 2

_PASSWORDS: Final = {("POST", "/auth/login"), ("POST", "/users"), ("PUT", "/users/{user_id}/password")}
_SAFE: Final = "-._~!$&'()*+,;=:@"
"""What a path segment may hold as it is (RFC 3986, section 3.3)."""


class Gateway:
    """An ASGI application around a resolver."""

    def __init__(self, resolver: Resolver, *, max_body_bytes: int = MAX_BODY_BYTES, threads: int = THREADS) -> None:
        self._resolver = resolver
        self._max_body_bytes = max_body_bytes
        self._threads = threads
        self._limiters: dict[str, CapacityLimiter] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request. Raises ``BodyTooLarge``."""
        request = Request(scope, receive)
        event = event_of(request)
        http = event["requestContext"]["http"]
        scope[ROUTE] = self._resolver.template(http["method"], http["path"]) or UNMATCHED
        body = await read_body(request, limit=self._max_body_bytes)
        lane = lane_of(request.method, scope[ROUTE], waits=_waits(request))
        if lane not in self._limiters:  # made late, because a limiter belongs to the running event loop
            self._limiters[lane] = CapacityLimiter(PASSWORD_THREADS if lane == "passwords" else self._threads)
        answer = await to_thread.run_sync(self._resolver.resolve, event | _body(body), None, limiter=self._limiters[lane])
        await response_of(answer, head=request.method == "HEAD")(scope, receive, send)

    def otherwise(self, lost: ASGIApp) -> ASGIApp:
        """This application, but ``lost`` where it has no route to read."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            known = self._resolver.template("GET", _path(scope)) is not None
            await (self if known else lost)(scope, receive, send)

        return answer


async def read_body(request: Request, *, limit: int) -> bytes:
    """The whole body. Raises ``BodyTooLarge`` once more than ``limit`` bytes are announced or have come."""
    announced = request.headers.get("content-length", "")
    parts = bytearray()
    if not (announced.isascii() and announced.isdigit() and int(announced) > limit):
        async for part in request.stream():
            parts += part
            if len(parts) > limit:
                break
        else:
            return bytes(parts)
    message = f"a request body may have {limit} bytes; send it in parts"
    raise BodyTooLarge(message)


def encoded_path(path: str) -> str:
    """``path`` with each segment percent-encoded in one way, however the client wrote it."""
    return "/".join(quote(unquote(segment), safe=_SAFE) for segment in path.split("/"))


def event_of(request: Request) -> dict[str, Any]:
    """The request, but for its body, as API Gateway tells it to a Lambda function. HEAD is told as GET."""
    scope = request.scope
    path = _path(scope)
    query = scope["query_string"].decode("latin-1")
    parameters: dict[str, list[str]] = {}
    for name, value in parse_qsl(query, keep_blank_values=True):
        parameters.setdefault(name, []).append(value)
    headers: dict[str, list[str]] = {}
    for name, value in request.headers.items():
        headers.setdefault(name, []).append(value)
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": {name: ",".join(values) for name, values in headers.items()},
        "queryStringParameters": {name: ",".join(values) for name, values in parameters.items()},
        "requestContext": {
            "stage": "$default",
            "http": {
                "method": "GET" if request.method == "HEAD" else request.method,
                "path": path,
                "sourceIp": request.client.host if request.client else "",
            },
        },
    }


def _path(scope: Scope) -> str:
    return encoded_path(scope.get("raw_path", b"").decode("latin-1") or quote(scope["path"]))


def lane_of(method: str, route: str, *, waits: bool = False) -> str:
    """Which threads a request runs in."""
    if (method, route) in _PASSWORDS:
        return "passwords"
    if method not in {"GET", "HEAD"}:
        return "writes"
    return "waits" if waits else "reads"


def _waits(request: Request) -> bool:
    named = {"fresh", "at_least"} & request.query_params.keys()
    return bool(named) or "findstream-fresh" in request.headers


def _body(body: bytes) -> dict[str, Any]:
    return {"body": b64encode(body).decode(), "isBase64Encoded": True} if body else {"isBase64Encoded": False}


def response_of(answer: dict[str, Any], *, head: bool = False) -> Response:
    """What the resolver answered, as a response; without its body for HEAD."""
    body = b64decode(answer["body"]) if answer["isBase64Encoded"] else (answer["body"] or "").encode()
    headers = dict(answer["headers"])
    headers.setdefault("Cache-Control", "no-store")
    if head:
        headers["Content-Length"] = str(len(body))
        body = b""
    return Response(body, status_code=int(answer["statusCode"]), headers=headers)
