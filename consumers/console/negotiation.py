"""One address for people and programs: browsers that ask for a page get one, everything else gets JSON.

Source: RFC 9110, "HTTP Semantics", section 12.5.1, "Accept".
"""

from starlette.datastructures import MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send


def wants_page(request: Request) -> bool:
    """Whether the client prefers HTML to JSON, and asks for HTML by name: ``*/*`` alone gets JSON."""
    if request.method not in {"GET", "HEAD"}:
        return False
    weights: dict[str, float] = {}
    for part in request.headers.get("accept", "").split(","):
        kind, _, parameters = part.partition(";")
        weights[kind.strip().lower()] = _weight(parameters)
    return weights.get("text/html", 0.0) > weights.get("application/json", 0.0)


class Negotiated:
    """An ASGI application: ``page`` for browsers, ``data`` for the rest. Both answers say that they depend on ``Accept``."""

    def __init__(self, *, page: ASGIApp, data: ASGIApp) -> None:
        self._page = page
        self._data = data

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the one or the other."""

        async def send_varied(message: Message) -> None:
            if message["type"] == "http.response.start":
                MutableHeaders(scope=message).add_vary_header("Accept")
            await send(message)

        chosen = self._page if wants_page(Request(scope)) else self._data
        await chosen(scope, receive, send_varied)


def _weight(parameters: str) -> float:
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "q":
            try:
                return float(value)
            except ValueError:
                return 0.0
    return 1.0
