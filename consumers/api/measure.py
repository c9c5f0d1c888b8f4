"""ASGI middleware: how long each request took, by route and status. Streams without end are left out: they only end."""

from collections.abc import Callable
from typing import Final

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.api.metrics import Metrics

ROUTE: Final = "findstream.route"
"""The key in the ASGI scope under which an inner application names the route that it served."""

UNMATCHED: Final = "unmatched"
UNMEASURED: Final = ""


class Measure:
    """Outermost, so that it sees what the client sees. ``timer`` is a monotonic clock in seconds."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, timer: Callable[[], float]) -> None:
        self._app = app
        self._metrics = metrics
        self._timer = timer

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer and measure."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = self._timer()
        status = 500

        async def send_measured(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            await self._app(scope, receive, send_measured)
        finally:
            if (route := _route(scope)) != UNMEASURED:
                self._metrics.requested(scope["method"], route, status, self._timer() - started)


def _route(scope: Scope) -> str:
    named = scope.get(ROUTE)
    return named if isinstance(named, str) else str(getattr(scope.get("route"), "path", UNMATCHED))
