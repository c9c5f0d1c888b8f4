"""The application: the API, the pages, the live feed and the metrics, from the ports that it is given.

Measure ─► Guard ─► CORS ─► / /state /docs /static /palette.css           pages for people
                            /events /events/{id} /quarantine /agents      a page for browsers, the API for the rest
                            /feed                                         the live feed
                            /metrics /openapi.json
                            everything else                               the API (Gateway ─► Resolver), where it has a route;
                                                                          else a page for browsers, an error for the rest
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
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
from consumers.api.commands import Desks
from consumers.api.errors import VERSION_HEADER, MethodUnknown, NothingHere, RequestRefused, refusal_for
from consumers.api.freshness import WAIT_SECONDS
from consumers.api.gateway import MAX_BODY_BYTES, THREADS, Gateway
from consumers.api.guard import Guard
from consumers.api.intake import Intake
from consumers.api.measure import Measure
from consumers.api.metrics import CONTENT_TYPE, Metrics, StateCollector
from consumers.api.operations import LAG_LIMIT_SECONDS
from consumers.api.overview import Overviews
from consumers.api.parameters import check_names
from consumers.assuming import Assume
from consumers.console.negotiation import Negotiated, wants_page
from consumers.console.pages import HERE, Pages, palette_css
from consumers.feed import vector
from consumers.feed.endpoint import endpoint
from consumers.feed.errors import FeedError
from consumers.feed.metrics import FeedCollector
from consumers.feed.stream import HEARTBEAT_SECONDS, SEND_SECONDS
from consumers.feed.tail import CAPACITY, MOST_CLIENTS, Tail
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
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
    ingest: Intake,
    log: Log,
    quarantine: Quarantine,
    desks: Desks,
    assume: Assume,
    clock: Callable[[], int],
    version: str,
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

    ``origins`` may read and write from a browser; ``hosts`` are names of this server besides those of loopback. ``notices``
    answers how many notices have each state. Reads of ``fresh`` positions wait ``fresh_seconds`` at most. A follower of the
    feed has at most ``feed_capacity`` messages waiting, and is disconnected if it takes nothing for ``send_seconds``.
    """
    tail = Tail(log, clock=clock, capacity=feed_capacity, most_clients=most_clients)
    overviews = Overviews(reading, quarantine, rate=tail.per_second)
    metrics = Metrics()
    metrics.add(StateCollector(reading, log, quarantine, clock=clock, version=version))
    metrics.add(FeedCollector(tail))
    resolver = service.resolver(
        reading,
        ingest,
        log,
        quarantine,
        desks,
        assume=assume,
        clock=clock,
        version=version,
        overviews=overviews,
        taken=metrics.taken,
        fresh_seconds=fresh_seconds,
        lag_limit_seconds=lag_limit_seconds,
    )
    pages = Pages(
        reading,
        log,
        quarantine,
        overviews,
        clock=clock,
        version=version,
        feed_at=lambda: vector.encode(tail.vector),
        notices=notices,
    )
    gateway = Gateway(resolver, max_body_bytes=max_body_bytes, threads=threads)
    described = cache(lambda: openapi.document(resolver, version=version))
    palette = palette_css()

    def read_metrics(request: Request) -> Response:
        check_names(request.query_params, ())
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    def refuse(request: Request, error: Exception) -> Response:
        refusal = _refusal(error)
        if wants_page(request):
            return pages.refused(refusal)
        return JSONResponse(refusal.body(), refusal.status, refusal.headers)

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        tail.start()
        yield
        tail.close()

    inner = Starlette(
        routes=[
            Route("/", pages.home),
            Route("/state", pages.state),
            Route("/docs", pages.docs),
            Route("/palette.css", lambda _: _kept(palette, "text/css")),
            Route("/events", Negotiated(page=request_response(pages.events), data=gateway)),
            Route("/events/{event_id:path}", Negotiated(page=request_response(pages.event), data=gateway)),
            Route("/quarantine", Negotiated(page=request_response(pages.quarantine), data=gateway)),
            Route("/agents", Negotiated(page=request_response(pages.agents), data=gateway)),
            Route("/feed", endpoint(tail, heartbeat_seconds=heartbeat_seconds, send_seconds=send_seconds)),
            Route("/metrics", read_metrics),
            Route("/openapi.json", lambda _: _kept(described(), "application/json")),
            Mount("/static/swagger", StaticFiles(directory=SWAGGER)),
            Mount("/static", StaticFiles(directory=HERE / "static")),
        ],
        exception_handlers={RequestRefused: refuse, FeedError: refuse, HTTPException: refuse, Exception: refuse},
        lifespan=lifespan,
    )
    inner.router.default = Negotiated(page=gateway.otherwise(request_response(pages.lost)), data=gateway)
    return Application(Measure(Guard(_shared(inner, origins), hosts=hosts, origins=origins), metrics=metrics, timer=timer), tail)


def _shared(inner: ASGIApp, origins: Sequence[str]) -> ASGIApp:
    """``inner``, for pages of ``origins`` too, if there are any."""
    if not origins:
        return inner
    return CORSMiddleware(
        inner,
        allow_origins=list(origins),
        allow_methods=["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"],
        allow_headers=["Content-Type", "Content-Encoding", "Findstream-Fresh", "Idempotency-Key", "Last-Event-ID"],
        expose_headers=["Retry-After", "Allow", VERSION_HEADER],
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
