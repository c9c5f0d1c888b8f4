"""How commands talk to the server: signed in, and with its refusals as errors that end the command with the right exit code.

``client()`` is what a command uses::

    with client() as api:
        tasks = api.get("/tasks", params={"status": "open"}).json()

Token:   the access token goes with each request; one that is about to expire, or is refused, is exchanged first, once.
Errors:  an answer of 400 or more raises ``ApiMisused`` (exit code 2), ``NotSignedIn`` or ``ApiRefused`` (3), ``ApiFailed`` (1).
"""

from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from typing import Any, Final

import httpx
import orjson

from consumers.build import version
from consumers.cli.kept_tokens import Kept, KeptTokens
from consumers.composition import now_us
from consumers.errors import ApiFailed, ApiMisused, ApiRefused, ConsumerError, NotSignedIn
from pipeline.settings import Settings
from schemas.identity import MICROSECONDS

TIMEOUT_SECONDS: Final = 30.0
_EARLY_US: Final = 30 * MICROSECONDS
_UNAUTHORIZED: Final = 401
_CONFLICT: Final = 409
"""Whose message says already what its details say to programs."""
_MISUSED: Final = frozenset({400, 413, 415, 422})
_SERVER_FAULT: Final = 500


class Bearer(httpx.Auth):
    """Shows the access token, and exchanges it when it is due. Raises ``NotSignedIn``."""

    def __init__(self, tokens: KeptTokens, clock: Callable[[], int]) -> None:
        self._tokens = tokens
        self._clock = clock

    def auth_flow(self, request: httpx.Request) -> Generator[httpx.Request, httpx.Response, None]:
        """One request, with at most one exchange before or behind it."""
        kept = self._tokens.read()
        if kept is None:
            message = f"you are not signed in to {self._tokens.server}; findstream login EMAIL"
            raise NotSignedIn(message)
        if kept.expires_us - _EARLY_US <= self._clock():
            kept = yield from self._exchanged(kept)
        response = yield _shown(request, kept)
        if response.status_code == _UNAUTHORIZED:
            kept = yield from self._exchanged(kept)
            yield _shown(request, kept)

    def _exchanged(self, stale: Kept) -> Generator[httpx.Request, httpx.Response, Kept]:
        with self._tokens.held():
            kept = self._tokens.read()
            if kept is None:
                message = "you signed out meanwhile; findstream login EMAIL"
                raise NotSignedIn(message)
            if kept.access != stale.access:
                return kept
            response = yield httpx.Request("POST", f"{kept.server}/auth/refresh", json={"refresh_token": kept.refresh})
            response.read()  # an answer that is asked for may be a stream without end; this one is not
            if response.status_code == _UNAUTHORIZED:
                self._tokens.forget()
                message = f"your sign-in to {kept.server} has ended; findstream login {kept.email}"
                raise NotSignedIn(message)
            if response.is_error:
                raise refusal(response)
            fresh = kept_of(kept.server, response.json(), self._clock)
            self._tokens.write(fresh)
            return fresh


class _Api(httpx.Client):
    """A client whose answers are what was asked for."""

    def send(self, request: httpx.Request, **options: Any) -> httpx.Response:
        """The answer. Raises what ``refusal`` makes of one of 400 or more."""
        response = super().send(request, **options)
        if response.is_error:
            response.read()
            raise refusal(response)
        return response


@contextmanager
def client(
    *, server: str | None = None, signed_in: bool = True, transport: httpx.BaseTransport | None = None
) -> Iterator[httpx.Client]:
    """A client of ``server``, or else of the one that the settings name; with ``signed_in``, as the user of this command line."""
    server = server or Settings.load().server_url
    auth = Bearer(KeptTokens(server), now_us) if signed_in else None
    headers = {"User-Agent": f"findstream/{version()}", "Accept": "application/json"}
    try:
        with _Api(base_url=server, auth=auth, headers=headers, timeout=TIMEOUT_SECONDS, transport=transport) as api:
            yield api
    except httpx.HTTPError as broken:
        why = f"{broken or type(broken).__name__}; does findstream run there? FINDSTREAM_PORT or FINDSTREAM_API_URL name another"
        message = f"{server} cannot be reached: {why}"
        raise ApiFailed(message) from broken


def kept_of(server: str, answer: dict[str, Any], clock: Callable[[], int]) -> Kept:
    """What is kept of an answer to ``/auth/login`` or ``/auth/refresh``."""
    expires_us = clock() + answer["expires_in"] * MICROSECONDS
    return Kept(server, answer["user"]["email"], answer["access_token"], answer["refresh_token"], expires_us)


def refusal(response: httpx.Response) -> ConsumerError:
    """The error that an answer of 400 or more is."""
    status = response.status_code
    try:
        error = orjson.loads(response.content)["error"]
        told = str(error["message"])
        details = [(str(each["field"]), str(each["message"])) for each in error["details"]]
    except (orjson.JSONDecodeError, KeyError, TypeError):
        told, details = f"the server answered {status}", []
    named = "; ".join(f"{field}: {why}" for field, why in details if why != told) if status != _CONFLICT else ""
    message = f"{told}: {named}" if named else told
    if wait := response.headers.get("Retry-After"):
        message = f"{message} (again after {wait} s)"
    if status == _UNAUTHORIZED:
        return NotSignedIn(message)
    if status in _MISUSED:
        return ApiMisused(message)
    return ApiFailed(message) if status >= _SERVER_FAULT else ApiRefused(message)


def _shown(request: httpx.Request, kept: Kept) -> httpx.Request:
    request.headers["Authorization"] = f"Bearer {kept.access}"
    return request
