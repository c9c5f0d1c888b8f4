"""How routes are declared: in groups, each route telling OpenAPI its own model, and the one error shape for each refusal.

Routes take what they use as keyword arguments; nothing is global, so that a test, a laptop and Lambda build them alike.
"""

from collections.abc import Mapping
from typing import Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.api_gateway import Router
from aws_lambda_powertools.event_handler.openapi.types import OpenAPIResponse
from pydantic import BaseModel

from consumers.api.models import ErrorAnswer

_MEANINGS: Final[Mapping[int, str]] = {
    400: "The cursor is unknown here, or goes with other filters.",
    401: "Nobody knows who asks, or no longer: sign in.",
    403: "Who asks may not, or a page of another origin may not write here.",
    404: "No such thing.",
    409: "What is there does not allow it; of a stale edit, `Findstream-Version` tells which version there is by now.",
    413: "The body is too large.",
    415: "The content type or encoding is not read here.",
    422: "A value is not accepted; the details name the field.",
    429: "Too many attempts failed. `Retry-After` says when to try again.",
    500: "A defect of the server.",
    502: "A function behind this server could not be asked, or failed; its log tells why.",
    503: "Not now: lag, a locked log, a full disk. `Retry-After` says when to ask again.",
    504: "A function behind this server did not answer in time; what was asked may have been done.",
}


class Routes(Router):
    """A group of routes."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]  # Powertools left it untyped


def answers(
    model: type[BaseModel] | None, description: str, *refusals: int, also: int | None = None, status: int = 200
) -> dict[int, OpenAPIResponse]:
    """The responses of a route: ``status`` (and ``also``) with ``model``; ``refusals``, and those any route may meet, as errors.

    Those that depend on who asks (401, 403) are added by the table of permissions.
    """
    documented: dict[int, OpenAPIResponse] = {status: _response(model, description) if model else {"description": description}}
    if also is not None and model is not None:
        documented[also] = _response(model, description)
    for refusal in sorted({*refusals, 422, 500, 503}):
        documented[refusal] = _response(ErrorAnswer, _MEANINGS[refusal])
    return documented


def meaning(status: int) -> str:
    """What a refusal of this status tells."""
    return _MEANINGS[status]


def nothing() -> Response[None]:
    """The answer of 204: done, and nothing to tell."""
    return Response(204)


def _response(model: type[BaseModel], description: str) -> OpenAPIResponse:
    content: dict[str, Any] = {"application/json": {"model": model}}
    return {"description": description, "content": content}
