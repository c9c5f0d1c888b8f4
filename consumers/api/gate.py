"""Lets requests to what is not served by the resolver in: pages, the live feed, the metrics. The same table as everywhere.

Browsers that have to sign in are sent to the page for it, and come back. The session's cookie is ``SameSite=Strict``, so a link
from elsewhere (a message in Slack) arrives without it: such a request is asked for once more by our own page, which brings it.
"""

import asyncio
import logging
from functools import partial
from typing import Final
from urllib.parse import urlencode

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from consumers.api.authentication import Authentication
from consumers.api.errors import RequestRefused
from consumers.console.negotiation import wants_page
from consumers.people.errors import PeopleError
from consumers.people.permissions import Access, access_to

SIGN_IN: Final = "/sign-in"
_ONCE_MORE: Final = (
    '<!doctype html><html lang="en"><meta charset="utf-8"><meta http-equiv="refresh" content="0">'
    '<title>findstream</title><p><a href="">Go on</a></p></html>'
)

_logger = logging.getLogger(__name__)


class Gate:
    """Guards routes by the table of permissions."""

    def __init__(self, authentication: Authentication) -> None:
        self._authentication = authentication

    def __call__(self, route: str, app: ASGIApp) -> ASGIApp:
        """``app``, for whoever may ask ``route``. Raises ``SignInNeeded``, ``NotAllowed``, ``PeopleError``."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            request = Request(scope)
            headers = dict(request.headers)
            if access_to(request.method, route) is Access.ANYONE:
                caller = await to_thread.run_sync(self._authentication.look, headers)
            else:
                caller = await to_thread.run_sync(partial(self._authentication.admit, request.method, route, headers))
            with self._authentication.known(caller):
                await app(scope, receive, send)

        return answer

    def lasting(self, route: str, app: ASGIApp, *, every_seconds: float) -> ASGIApp:
        """The same for an answer without end: it ends once who asks may no longer, or is of another role by now.

        This is looked at ``every_seconds``.
        """

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            over = asyncio.Event()
            looking = asyncio.create_task(self._look_again(Request(scope), route, over, every_seconds))
            try:
                await app(scope, partial(_received, receive, over), send)
            finally:
                looking.cancel()
            if over.is_set():
                await send({"type": "http.response.body", "body": b"", "more_body": False})

        return self(route, answer)

    async def _look_again(self, request: Request, route: str, over: asyncio.Event, every_seconds: float) -> None:
        """Set ``over`` when who asks is no longer who began; a store that cannot be asked just now is asked again."""
        began = self._authentication.caller.principal
        admit = partial(self._authentication.admit, request.method, route, dict(request.headers))
        while not over.is_set():
            await asyncio.sleep(every_seconds)
            try:
                if (await to_thread.run_sync(admit)).principal != began:
                    over.set()
            except RequestRefused:
                over.set()
            except PeopleError as broken:
                _logger.warning("whether a follower may go on could not be asked: %s", broken)


async def _received(receive: Receive, over: asyncio.Event) -> Message:
    """What the client says next, or that it is gone once it may no longer ask."""
    taking, ending = asyncio.ensure_future(receive()), asyncio.ensure_future(over.wait())
    try:
        await asyncio.wait({taking, ending}, return_when=asyncio.FIRST_COMPLETED)
        return taking.result() if taking.done() else {"type": "http.disconnect"}
    finally:
        taking.cancel()
        ending.cancel()


def sent_to_sign_in(request: Request) -> Response | None:
    """Where a browser goes that has to sign in; None for programs."""
    if not wants_page(request):
        return None
    if request.headers.get("sec-fetch-site") == "cross-site" and "cookie" not in request.headers:
        return HTMLResponse(_ONCE_MORE, headers={"Cache-Control": "no-store", "Vary": "Sec-Fetch-Site, Cookie"})
    query = f"?{request.url.query}" if request.url.query else ""
    asked = f"{request.scope['raw_path'].decode('latin-1') if 'raw_path' in request.scope else request.url.path}{query}"
    return RedirectResponse(f"{SIGN_IN}?{urlencode({'next': asked})}", 303, headers={"Cache-Control": "no-store"})
