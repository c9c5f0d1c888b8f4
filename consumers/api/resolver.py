"""The Powertools resolver, made safe for many threads, answering every error in our shape.

One ``resolve(event, context)`` serves both worlds: on Lambda the platform calls it, on a laptop ``consumers.api.gateway`` does,
from as many threads as there are requests. That matters: concurrent ``POST /events`` are committed by the log in groups.

Why not ``HttpResolverLocal`` (Powertools 3.37): it runs plain handlers on the event loop, and each of its two validation
middlewares holds a thread of the default executor while the next one waits for a thread. Six requests at once, on two cores, wait
for ever. Why not ``APIGatewayHttpResolver`` as it is: it keeps the current event in a class attribute.
"""

import logging
from base64 import b64decode
from collections.abc import Callable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any, Final

import orjson
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.api_gateway import MiddlewareFrame, Router
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares.openapi_validation import OpenAPIRequestValidationMiddleware
from aws_lambda_powertools.event_handler.openapi.exceptions import RequestUnsupportedContentType, RequestValidationError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from consumers.api.errors import BodyUnreadable, MethodUnknown, RequestRefused, ValueRefused, refusal_for
from consumers.api.parameters import check_names
from consumers.api.protecting import PROTECTING

JSON: Final = "application/json"
YAML: Final = "application/yaml"
TAKE_YAML: Final = frozenset({("PUT", "/routing"), ("POST", "/routing/lint")})
"""Routes that take a document of YAML as it is, which is then the body's ``text``.

Source: RFC 9512, "YAML Media Type"; the other names are deprecated there, and in use.
"""

_YAMLS: Final = frozenset({YAML, "text/yaml", "application/x-yaml", "text/x-yaml"})
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class _Call:
    """What belongs to one request."""

    event: APIGatewayProxyEventV2 | None = None
    lambda_context: Any = None
    context: dict[str, Any] = field(default_factory=dict)
    frames: list[str] = field(default_factory=list)


Admit = Callable[[str, str, Mapping[str, str]], object]
"""Lets a request to (method, template of the route) with these headers in, or raises the refusal."""


class Resolver(APIGatewayHttpResolver):
    """Answers API Gateway HTTP API events (payload format 2.0). All routes are included at construction; none later.

    ``admit`` is asked before anything else of a request is looked at.
    """

    def __init__(self, *routers: Router, admit: Admit) -> None:
        self._admit = admit
        self._call: ContextVar[_Call] = ContextVar("api_call")
        self._outside = _Call()
        super().__init__(enable_validation=True, response_validation_error_http_code=500, serializer=_json, debug=False)
        for known in (NotFoundError, RequestValidationError, RequestUnsupportedContentType, Exception):
            self.exception_handler(known)(self._refuse)
        self._request_validation_middleware = _StrictBody()  # type: ignore[no-untyped-call]  # Powertools left it untyped
        self.use([_check_parameters])
        for router in routers:
            self.include_router(router)
        for route in (*self._static_routes, *self._dynamic_routes):
            # Powertools builds this at a route's first call, in steps: two first calls at once would wrap it twice.
            route._build_middleware_stack(self._router_middlewares, self)  # noqa: SLF001
            route._middleware_stack = MiddlewareFrame(_admitted, route._middleware_stack)  # noqa: SLF001

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The answer to one request, as API Gateway takes it: statusCode, headers, body, isBase64Encoded. Never raises."""
        token = self._call.set(_Call(APIGatewayProxyEventV2(dict(event)), context))
        try:
            answer = super().resolve(event, context)
            answer["headers"] = {**PROTECTING, **answer["headers"]}
            return answer
        finally:
            self._call.reset(token)

    def template(self, method: str, path: str) -> str | None:
        """The route that serves this, as OpenAPI writes it (``/events/{event_id}``); None if there is none."""
        for route in (*self._static_routes, *self._dynamic_routes):
            if route.method == method and route.rule.match(path):
                return route.openapi_path
        return None

    def methods_at(self, path: str) -> list[str]:
        """The methods that ``path`` has, sorted."""
        return sorted({route.method for route in (*self._static_routes, *self._dynamic_routes) if route.rule.match(path)})

    def _refuse(self, error: Exception) -> Response[dict[str, object]]:
        if isinstance(error, NotFoundError) and (methods := self.methods_at(self.current_event.path)):
            error = MethodUnknown("this path has other methods; see Allow", headers={"Allow": ", ".join(methods)})
        return refused(refusal_for(error), cause=error)

    @property  # type: ignore[override]  # Powertools narrows the attribute's type in the same way, unchecked
    def current_event(self) -> APIGatewayProxyEventV2:
        """The request under way in this thread."""
        event = self._call.get(self._outside).event
        if event is None:
            message = "no request is under way here"
            raise LookupError(message)
        return event

    @current_event.setter
    def current_event(self, value: APIGatewayProxyEventV2) -> None:
        self._call.get(self._outside).event = value

    @property
    def lambda_context(self) -> Any:
        """The Lambda context of that request; None outside of Lambda."""
        return self._call.get(self._outside).lambda_context

    @lambda_context.setter
    def lambda_context(self, value: Any) -> None:
        self._call.get(self._outside).lambda_context = value

    @property
    def context(self) -> dict[str, Any]:
        """What middlewares pass on within that request."""
        return self._call.get(self._outside).context

    @context.setter
    def context(self, value: dict[str, Any]) -> None:
        self._call.get(self._outside).context = value

    @property
    def processed_stack_frames(self) -> list[str]:
        """Powertools' own trace of that request."""
        return self._call.get(self._outside).frames

    @processed_stack_frames.setter
    def processed_stack_frames(self, value: list[str]) -> None:
        self._call.get(self._outside).frames = value


def _admitted(app: Resolver, go_on: Callable[[Resolver], Response[Any]]) -> Response[Any]:
    """The outermost middleware of all routes, since Powertools validates before any middleware that it is given.

    Who may not ask learns nothing of what is right or wrong about the request.
    """
    event, route = app.current_event, app.context["_route"]
    app._admit(route.method, route.openapi_path, {name.lower(): value for name, value in event.headers.items()})  # noqa: SLF001
    return go_on(app)


def _check_parameters(app: Resolver, go_on: Callable[[Resolver], Response[Any]]) -> Response[Any]:
    """A middleware of all routes: a query parameter that the route does not declare is refused."""
    check_names(app.current_event.query_string_parameters, [each.alias for each in app.context["_route"].dependant.query_params])
    return go_on(app)


class _StrictBody(OpenAPIRequestValidationMiddleware):
    """Powertools' validation, with the body of a command read strictly as JSON; as YAML where that is taken.

    Its own parser takes NaN, half characters and forms, and fails on bytes that are no text.
    """

    def _get_body(self, app: Any) -> dict[str, Any]:
        event = app.current_event
        route = app.context["_route"]
        kind = event.headers.get("content-type", JSON).partition(";")[0].strip().lower()
        is_yaml = kind in _YAMLS and (route.method, route.openapi_path) in TAKE_YAML
        if kind != JSON and not is_yaml:
            message = "commands are read as JSON; send Content-Type: application/json"
            raise BodyUnreadable(message, fields=[("Content-Type", f"{kind[:100]} is not read here")])
        raw = b64decode(event.body or "") if event.is_base64_encoded else (event.body or "").encode()
        if is_yaml:
            return {"text": _text(raw)}
        try:
            parsed = orjson.loads(raw) if raw.strip() else {}
        except orjson.JSONDecodeError as broken:
            message = "the body is not JSON"
            raise ValueRefused(message, fields=[("body", str(broken))]) from None
        if not isinstance(parsed, dict):
            message = "the body is not a JSON object"
            raise ValueRefused(message, fields=[("body", "is not a JSON object")])
        return parsed


def _text(raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError as broken:
        message = "the body is no text"
        raise ValueRefused(message, fields=[("text", f"is not UTF-8: {broken.reason} at byte {broken.start}")]) from None


def refused(refusal: RequestRefused, *, cause: Exception) -> Response[dict[str, object]]:
    """A refusal as a response; a defect of ours is logged with its trace, and only there."""
    if refusal.status == 500:  # noqa: PLR2004 - the status is its own name
        _logger.error("a request met a defect", exc_info=cause)
    return Response(refusal.status, JSON, refusal.body(), headers=refusal.headers)


def _json(value: object) -> str:
    return orjson.dumps(value).decode()
