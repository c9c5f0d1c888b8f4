"""The application: the API, the pages, the live feed and the metrics, from the ports that it is given.

Measure ─► Guard ─► CORS ─► / /state /docs /static /palette.css           pages for people
            (Gate)          /sign-in /sign-out
                            /silences/new, and what forms post
                            /events /events/{id} /quarantine /agents
                            /silences /notifications                      a page for browsers, the API for the rest
                            /feed                                         the live feed
                            /metrics /openapi.json
                            everything else                               the API (Gateway ─► Resolver), where it has a route;
                                                                          else a page for browsers, an error for the rest

Who may ask what is in one table, which the gate asks for pages, feed and metrics, and the resolver for the API.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import cache
from http import HTTPStatus
from importlib.resources import files
from pathlib import Path
from time import perf_counter
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware.cors import CORSMiddleware
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route, request_response
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Receive, Scope, Send

from consumers.api import openapi, service
from consumers.api.authentication import Authentication
from consumers.api.commands import Desks
from consumers.api.errors import VERSION_HEADER, MethodUnknown, NothingHere, RequestRefused, SignInNeeded, refusal_for
from consumers.api.freshness import WAIT_SECONDS, Freshness
from consumers.api.gate import Gate, sent_to_sign_in
from consumers.api.gateway import MAX_BODY_BYTES, THREADS, Gateway
from consumers.api.guard import Guard
from consumers.api.intake import Intake
from consumers.api.measure import Measure
from consumers.api.metrics import CONTENT_TYPE, Metrics, StateCollector
from consumers.api.notice_metrics import NoticeCollector
from consumers.api.operations import LAG_LIMIT_SECONDS
from consumers.api.overview import Overviews
from consumers.api.parameters import check_names
from consumers.api.silencing import Silencing
from consumers.api.telling import Notified, Telling
from consumers.assuming import Assume
from consumers.console.negotiation import Negotiated, wants_page
from consumers.console.notifications import NotificationPages
from consumers.console.pages import HERE, Pages, palette_css
from consumers.console.sign_in import SignInPage
from consumers.console.silences import SilencePages
from consumers.feed import vector
from consumers.feed.endpoint import endpoint
from consumers.feed.errors import FeedError
from consumers.feed.metrics import FeedCollector
from consumers.feed.stream import HEARTBEAT_SECONDS, SEND_SECONDS
from consumers.feed.tail import CAPACITY, MOST_CLIENTS, Tail
from consumers.jobs.asking import Asks
from consumers.people.errors import PeopleError
from consumers.people.port import People
from consumers.people.sign_in import SignIn
from consumers.people.user import Entropy
from pipeline.desks.desk import Desk
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.decided import Decided
from projections.judged import Judged
from projections.reading import Reading

SWAGGER: Final = Path(str(files("aws_lambda_powertools.event_handler.openapi.swagger_ui")))
"""Powertools carries Swagger UI's script and style, so that the API's page needs no other host."""


class Application:
    """An ASGI application that can end its endless answers, which a server has to wait for otherwise."""

    def __init__(self, inner: ASGIApp, tail: Tail) -> None:
        self._inner = inner
        self._tail = tail

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or the server's start and end."""
        await self._inner(scope, receive, send)

    def end_streams(self) -> None:
        """End all answers of the live feed, and refuse new ones. Idempotent; blocks for half a second at most."""
        self._tail.close()


def build(
    *,
    reading: Reading,
    judged: Judged,
    decided: Decided,
    notified: Notified,
    asks: Asks,
    ingest: Intake,
    log: Log,
    quarantine: Quarantine,
    people: People,
    sign_in: SignIn,
    desk: Desk,
    assume: Assume,
    clock: Callable[[], int],
    entropy: Entropy,
    version: str,
    local: bool = True,
    origins: Sequence[str] = (),
    hosts: Sequence[str] = (),
    notices: Callable[[], Mapping[str, int]] | None = None,
    timer: Callable[[], float] = perf_counter,
    max_body_bytes: int = MAX_BODY_BYTES,
    threads: int = THREADS,
    fresh_seconds: float = WAIT_SECONDS,
    lag_limit_seconds: float = LAG_LIMIT_SECONDS,
    feed_capacity: int = CAPACITY,
    most_clients: int = MOST_CLIENTS,
    heartbeat_seconds: float = HEARTBEAT_SECONDS,
    send_seconds: float = SEND_SECONDS,
) -> Application:
    """The application. ``clock`` answers microseconds since the epoch.

    ``local``: only this machine can reach the server. ``entropy`` answers so many random bytes. ``origins`` may read and write
    from a browser; ``hosts`` are names of this server besides those of loopback. ``notices`` answers how many notices have each
    state. Reads of ``fresh`` positions wait ``fresh_seconds`` at most. A follower of the feed has at
    most ``feed_capacity`` messages waiting, and is disconnected if it takes nothing for ``send_seconds``.
    """
    tail = Tail(log, clock=clock, capacity=feed_capacity, most_clients=most_clients)
    overviews = Overviews(reading, quarantine, rate=tail.per_second)
    metrics = Metrics()
    metrics.add(StateCollector(reading, log, quarantine, clock=clock, version=version))
    metrics.add(FeedCollector(tail))
    metrics.add(NoticeCollector(notified.ledger, clock=clock))
    authentication = Authentication(sign_in, local=local, cookies=True)
    gate = Gate(authentication)
    resolver = service.resolver(
        reading,
        ingest,
        log,
        quarantine,
        desk,
        judged=judged,
        decided=decided,
        notified=notified,
        asks=asks,
        assume=assume,
        people=people,
        sign_in=sign_in,
        authentication=authentication,
        clock=clock,
        entropy=entropy,
        version=version,
        overviews=overviews,
        taken=metrics.taken,
        fresh_seconds=fresh_seconds,
        lag_limit_seconds=lag_limit_seconds,
    )
    telling = Telling(notified, decided, judged, reading, log, clock, people.users.names)
    pages = Pages(
        reading,
        log,
        quarantine,
        overviews,
        clock=clock,
        version=version,
        feed_at=lambda: vector.encode(tail.vector),
        notices=notices,
        me=lambda: authentication.caller.signed_in,
        principal=authentication.principal,
        why=telling.why,
    )
    desks = Desks(desk, principal=authentication.principal, directory=people.users)
    silences = SilencePages(
        Silencing(decided, reading, log, desks, clock, notified.firing),
        pages,
        Freshness(reading, wait_seconds=fresh_seconds),
        entropy=entropy,
    )
    notifications = NotificationPages(telling, pages)
    entrance = SignInPage(sign_in, authentication, pages.render)
    gateway = Gateway(resolver, max_body_bytes=max_body_bytes, threads=threads)
    described = cache(lambda: openapi.document(resolver, version=version))
    palette = palette_css()

    def read_metrics(request: Request) -> Response:
        check_names(request.query_params, ())
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    def refuse(request: Request, error: Exception) -> Response:
        refusal = _refusal(error)
        if isinstance(refusal, SignInNeeded) and (sent := sent_to_sign_in(request)):
            return sent
        if wants_page(request):
            return pages.refused(refusal)
        return JSONResponse(refusal.body(), refusal.status, refusal.headers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tail.start()
        yield
        tail.close()

    def page(path: str, route: str, shown: Callable[[Request], Response], data: ASGIApp | None = None) -> Route:
        gated = gate(route, request_response(shown))
        return Route(path, Negotiated(page=gated, data=data)) if data else Route(path, _Plain(gated), methods=["GET"])

    def posted(path: str, route: str, done: Callable[[Request], Awaitable[Response]]) -> Route:
        return Route(path, _Plain(gate(route, request_response(done))), methods=["POST"])

    followed = endpoint(tail, principal=authentication.principal, heartbeat_seconds=heartbeat_seconds, send_seconds=send_seconds)
    follow = request_response(followed)  # type: ignore[arg-type]  # an answer may be any ASGI application
    inner = Starlette(
        routes=[
            page("/", "/", pages.home),
            page("/state", "/state", pages.state),
            page("/docs", "/docs", pages.docs),
            Route("/sign-in", _Plain(gate("/sign-in", request_response(entrance.show))), methods=["GET"]),
            posted("/sign-in", "/sign-in", entrance.enter),
            posted("/sign-out", "/sign-out", entrance.leave),
            Route("/palette.css", lambda _: _kept(palette, "text/css")),
            page("/events", "/events", pages.events, gateway),
            page("/events/{event_id:path}", "/events/{event_id}", pages.event, gateway),
            page("/quarantine", "/quarantine", pages.quarantine, gateway),
            page("/agents", "/agents", pages.agents, gateway),
            page("/notifications", "/notifications", notifications.listed, gateway),
            posted("/notifications/dead", "/notifications/dead", notifications.redrive),
            posted("/notifications/channels/retry", "/notifications/channels/retry", notifications.retry),
            page("/silences/new", "/silences/new", silences.form),
            posted("/silences/new", "/silences/new", silences.create),
            posted("/silences/{silence_id:uuid}/expire", "/silences/{silence_id}/expire", silences.expire),
            page("/silences", "/silences", silences.listed, gateway),
            Route("/feed", _Plain(gate.lasting("/feed", follow, every_seconds=heartbeat_seconds)), methods=["GET"]),
            Route("/metrics", _Plain(gate("/metrics", request_response(read_metrics))), methods=["GET"]),
            Route("/openapi.json", lambda _: _kept(described(), "application/json")),
            Mount("/static/swagger", StaticFiles(directory=SWAGGER)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={
            RequestRefused: refuse,
            PeopleError: refuse,
            FeedError: refuse,
            HTTPException: refuse,
            Exception: refuse,
        },
        lifespan=lifespan,
    )
    inner.router.default = Negotiated(page=gateway.otherwise(gate("/docs", request_response(pages.lost))), data=gateway)
    return Application(
        Measure(Guard(_shared(inner, origins), hosts=hosts, origins=origins, addresses=not local), metrics=metrics, timer=timer),
        tail,
    )


class _Plain:
    """An ASGI application that Starlette does not take for an endpoint function, which it would wrap."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        await self._app(scope, receive, send)


def _shared(inner: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """``inner``, for pages of ``origins`` too, if there are any."""
    if not origins:
        return inner
    return CORSMiddleware(
        inner,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=[
            "Authorization",
            "Content-Type",
            "Content-Encoding",
            "Findstream-Fresh",
            "Idempotency-Key",
            "Last-Event-ID",
        ],
        expose_headers=["Retry-After", "Allow", "Location", "WWW-Authenticate", VERSION_HEADER],
    )


def _refusal(error: Exception) -> RequestRefused:
    """The answer to an error, those of Starlette's own routing included."""
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.NOT_FOUND:
        return NothingHere("there is nothing at this path")
    if isinstance(error, HTTPException) and error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        return MethodUnknown("this path has other methods; see Allow", headers=error.headers)
    return refusal_for(error)


def _kept(content: bytes | str, media_type: str) -> Response:
    """An answer that does not change while the process lives."""
    return Response(content, media_type=media_type, headers={"Cache-Control": "no-cache"})
