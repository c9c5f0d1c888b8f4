"""The OpenAPI 3.1 document: what Powertools derives from the routes, with our error shape put where its own would stand."""

from collections.abc import Mapping
from typing import Any, Final

import orjson
from aws_lambda_powertools.event_handler.openapi.models import License, Tag

from consumers.api.authentication import COOKIE
from consumers.api.resolver import TAKE_YAML, YAML, Resolver
from consumers.api.routing import meaning
from consumers.people.permissions import Access, access_to

_TAGS: Final = {
    "events": "Findings and other events: list, read, take in, follow.",
    "agents": "The agents that watch accounts.",
    "tasks": "What people do about findings.",
    "rules": "What is concluded from findings: texts, versions, publishing.",
    "alerts": "What rules concluded.",
    "routing": "Who is told of what: the routes of notifications.",
    "silences": "What is told to nobody, for a while.",
    "notifications": "Who was told of what, who was not, and why; the channels.",
    "config": "How accounts are reached, and what is watched there.",
    "dashboard": "Figures.",
    "people": "Signing in, users, and the keys of producers.",
    "operation": "The state of the system itself.",
}
_SCHEMES: Final[dict[str, Any]] = {
    "accessToken": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT", "description": "From `POST /auth/login`."},
    "ingestKey": {"type": "http", "scheme": "bearer", "description": "A producer's key, `fsk_…`, from `POST /keys`."},
    "page": {"type": "apiKey", "in": "cookie", "name": COOKIE, "description": "Of a browser that signed in on the page."},
}
_SECURITY: Final[Mapping[Access, tuple[str, ...]]] = {
    Access.ANYONE: (),
    Access.PRODUCERS: ("accessToken", "page", "ingestKey"),
    **dict.fromkeys((Access.LOCAL, Access.USERS, Access.OWN, Access.ADMINS, Access.NOBODY), ("accessToken", "page")),
}
_FOREIGN: Final = ("HTTPValidationError", "ValidationError", "ResponseValidationError")
_ERROR_REF: Final = {"$ref": "#/components/schemas/ErrorAnswer"}


def document(resolver: Resolver, *, version: str) -> bytes:
    """The document as JSON, the routes outside of the resolver (feed, metrics) included."""
    described: dict[str, Any] = orjson.loads(
        resolver.get_openapi_json_schema(
            title="findstream",
            version=version,
            summary="All findings of the monitoring agents in many AWS accounts, as one replayable stream of events.",
            description="Times are Unix seconds, UTC. Every error has one shape, `ErrorAnswer`. `POST /auth/login` answers "
            "the token that goes into `Authorization: Bearer …`; what each route asks for stands under its security.",
            tags=[Tag(name=name, description=text) for name, text in _TAGS.items()],
            license_info=License(name="Apache-2.0", identifier="Apache-2.0"),
        )
    )
    described["paths"] |= _outside()
    described["components"]["securitySchemes"] = _SCHEMES
    for method, path in TAKE_YAML:
        taken = described["paths"][path][method.lower()]["requestBody"]["content"]
        taken[YAML] = {"schema": {"type": "string", "description": "The document, as it is."}}
    for path, operations in described["paths"].items():
        for method, operation in operations.items():
            _secure(operation, access_to(method.upper(), path))
            operation["responses"].get("204", {}).pop("content", None)  # Powertools writes "null"
            for status, response in operation["responses"].items():
                if int(status) >= 400:  # noqa: PLR2004 - where errors begin
                    response["content"] = {"application/json": {"schema": _ERROR_REF}}
    for name in _FOREIGN:
        described["components"]["schemas"].pop(name, None)
    return orjson.dumps(described, option=orjson.OPT_SORT_KEYS)


def _secure(operation: dict[str, Any], access: Access) -> None:
    """Tell what the table of permissions asks for, and the refusals that follow from it."""
    schemes = _SECURITY[access]
    operation["security"] = [{scheme: []} for scheme in schemes]
    operation["description"] = f"{operation.get('description', '')}\n\nWho may: {access}.".strip()
    for status in (401, 403) if schemes else (403,):
        operation["responses"].setdefault(str(status), {"description": meaning(status)})


def _outside() -> dict[str, Any]:
    """The routes that no Lambda serves: a long answer, and a text format of its own."""
    wrong = {"description": "A value is not accepted.", "content": {"application/json": {"schema": _ERROR_REF}}}
    return {
        "/feed": {
            "get": {
                "tags": ["events"],
                "operationId": "follow_events",
                "summary": "Follow events as they are appended",
                "description": "Server-sent events. Each `data` is an `Event`, each `id` resumes behind it: clients send it back "
                "as `Last-Event-ID`. `event: dropped` tells a client that it was too slow; it reconnects and misses nothing.",
                "parameters": [
                    _parameter("query", "after", "Begin behind this `id`; `genesis` is the beginning of the log."),
                    _parameter("query", "source", "Exactly this source."),
                    _parameter("query", "severity", "At least this grave: 0-5 or a word."),
                    _parameter("query", "type", "Exactly this type, for example `finding.observed`."),
                    _parameter("query", "account", "Exactly this AWS account, 12 digits."),
                    _parameter("query", "resource", "Exactly this resource, for example an ARN."),
                    _parameter("query", "text", "Words that the summary contains, all of them, in any case and order."),
                    _parameter("header", "Last-Event-ID", "The same as `after`; wins over it."),
                ],
                "responses": {
                    "200": {
                        "description": "A stream without end.",
                        "content": {"text/event-stream": {"schema": {"type": "string"}}},
                    },
                    "422": wrong,
                    "503": wrong | {"description": "Too many clients follow already, or the server is stopping."},
                },
            }
        },
        "/metrics": {
            "get": {
                "tags": ["operation"],
                "operationId": "read_metrics",
                "summary": "Read metrics",
                "description": "Prometheus text format.",
                "responses": {
                    "200": {"description": "All metrics.", "content": {"text/plain": {"schema": {"type": "string"}}}},
                    "422": wrong,
                },
            }
        },
    }


def _parameter(place: str, name: str, description: str) -> dict[str, Any]:
    return {"in": place, "name": name, "description": description, "required": False, "schema": {"type": "string"}}
