"""What browsers may do here: nothing on behalf of another site.

Host:    only names of this machine are answered, so that a foreign name that resolves to it (DNS rebinding) gets nothing. With
         ``addresses``, which no such attack can name, any IP address is answered: behind a wildcard nobody knows them all.
Origin:  a write from a page of another origin is refused, also a "simple" request that needs no preflight; origins that the
         operator named may write. Programs send no ``Origin`` and are not concerned.
Headers: every answer forbids inline script, framing, type sniffing, and to be kept without asking again.
Sources: Fetch Standard, "Origin header"; OWASP Cross-Site Request Forgery Prevention Cheat Sheet; CSP Level 3.
"""

from collections.abc import Collection
from ipaddress import ip_address
from typing import Final

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.api.errors import HostForeign, OriginForeign, RequestRefused

LOOPBACK: Final = frozenset({"127.0.0.1", "localhost", "[::1]"})

_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_OWN_SITES: Final = frozenset({"", "same-origin", "none"})
_HEADERS: Final = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-cache",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


def listed(origins: str | None) -> tuple[str, ...]:
    """The origins of the setting ``cors_origins``, one by one."""
    return tuple(origins.split(",")) if origins else ()


class Guard:
    """ASGI middleware. ``hosts`` are names without port, besides those of loopback; ``origins`` as in the ``Origin`` header."""

    def __init__(
        self, app: ASGIApp, *, hosts: Collection[str] = (), origins: Collection[str] = (), addresses: bool = False
    ) -> None:
        self._app = app
        self._hosts = LOOPBACK | {host.lower() for host in hosts}
        self._origins = frozenset(origins)
        self._addresses = addresses

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, or refuse, with the headers."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
            await send(message)

        refusal = self._refusal(scope["method"], scope["scheme"], Headers(scope=scope))
        if refusal is None:
            await self._app(scope, receive, send_guarded)
        else:
            await JSONResponse(refusal.body(), refusal.status)(scope, receive, send_guarded)

    def _refusal(self, method: str, scheme: str, headers: Headers) -> RequestRefused | None:
        host = headers.get("host", "")
        if _name(host) not in self._hosts and not (self._addresses and _is_address(_name(host))):
            return HostForeign("this server answers to the names of its own machine only", fields=[("Host", "is foreign")])
        if method in _SAFE_METHODS:
            return None
        origin = headers.get("origin")
        own = headers.get("sec-fetch-site", "") in _OWN_SITES if origin is None else origin == f"{scheme}://{host}"
        if own or origin in self._origins:
            return None
        return OriginForeign("pages of another origin may not write here", fields=[("Origin", "is foreign")])


def _name(host: str) -> str:
    """``host`` without its port, in lower case."""
    name, colon, port = host.rpartition(":")
    return (name if colon and port.isdigit() else host).lower()


def _is_address(name: str) -> bool:
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
