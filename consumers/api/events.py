"""The routes of events: list them, read one whole, take new ones in."""

from base64 import b64decode
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal
from urllib.parse import unquote

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Path, Query
from aws_lambda_powertools.event_handler.request import Request

from consumers.api import task_views, views
from consumers.api.body import check_readable
from consumers.api.commands import Desks
from consumers.api.errors import NothingHere
from consumers.api.freshness import Freshness
from consumers.api.intake import Intake
from consumers.api.models import EventDetail, EventList, Taken
from consumers.api.parameters import (
    Account,
    Fresh,
    FreshHeader,
    Limit,
    Resource,
    Severity,
    Since,
    Source,
    Text,
    Until,
    check_range,
    micros,
)
from consumers.api.routing import Routes, answers
from pipeline.ingest import Tally
from pipeline.log.port import Log
from projections.event_index import EventQuery
from projections.reading import Reading

INDEX: Final = "event_index"

_BODY: Final[dict[str, Any]] = {
    "required": True,
    "content": {
        "application/json": {
            "schema": {"anyOf": [{"type": "object"}, {"type": "array", "items": {"type": "object"}}]},
            "examples": {
                "eventbridge": {
                    "summary": "One EventBridge envelope",
                    "value": {
                        "version": "0",
                        "id": "c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
                        "detail-type": "CloudWatch Alarm State Change",
                        "source": "aws.cloudwatch",
                        "account": "111122223333",
                        "time": "2026-01-02T03:04:05Z",
                        "region": "eu-central-1",
                        "resources": ["arn:aws:cloudwatch:eu-central-1:111122223333:alarm:ApiLatency"],
                        "detail": {
                            "alarmName": "ApiLatency",
                            "state": {"value": "ALARM", "reason": "Threshold crossed", "timestamp": "2026-01-02T03:04:05Z"},
                            "previousState": {"value": "OK"},
                        },
                    },
                }
            },
        },
        "application/x-ndjson": {"schema": {"type": "string", "description": "One item a line."}},
        "application/cloudevents+json": {"schema": {"type": "object"}},
    },
}


def routes(
    reading: Reading,
    log: Log,
    ingest: Intake,
    desks: Desks,
    *,
    clock: Callable[[], int],
    freshness: Freshness,
    taken: Callable[[Tally], None],
) -> Routes:
    """The routes. ``taken`` is told what became of each request's items, for the metrics."""
    router = Routes()

    @router.get(
        "/events",
        tags=["events"],
        summary="List events",
        description="Filters must all hold. Pages follow `next` and `previous` with the same filters and direction.",
        responses=answers(EventList, "A page of events, in the asked direction of (time, id).", 400),
    )
    def list_events(
        *,
        since: Since = None,
        until: Until = None,
        source: Source = "",
        severity: Severity = 0,
        account: Account = "",
        resource: Resource = "",
        text: Text = "",
        limit: Limit = 50,
        direction: Annotated[Literal["asc", "desc"], Query(description="Oldest or newest first.")] = "desc",
        cursor: Annotated[str, Query(description="`next` or `previous` of a page.")] = "",
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> EventList:
        check_range(since, until)
        freshness.ensure(INDEX, fresh, fresh_header)
        query = EventQuery(
            since_us=None if since is None else micros(since),
            until_us=None if until is None else micros(until),
            source=source,
            account=account,
            resource=resource,
            min_severity=severity,
            text=text,
            limit=limit,
            direction=direction,
            cursor=cursor,
        )
        page = reading.events(query, now_us=clock())
        return EventList(
            items=[views.event(entry) for entry in page.entries], next=page.next or None, previous=page.previous or None
        )

    @router.get(
        "/events/<event_id>",
        tags=["events"],
        summary="Read one event, whole",
        description="By our id, or by the id that its source gave it. Where several share a source's id, the newest is "
        "answered whole and `shared_by` lists the others.",
        responses=answers(EventDetail, "The event with its body.", 404),
    )
    def read_event(
        *,
        event_id: Annotated[str, Path(description="Ours or the source's, percent-encoded.")],
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> EventDetail:
        freshness.ensure(INDEX, fresh, fresh_header)
        found = find(reading, log, unquote(event_id), now_us=clock())
        made = [task for task in reading.tasks_from(found.id, now_us=clock()) if desks.may_see(task)]
        return found.model_copy(update={"tasks": task_views.refs(made)})

    @router.post(
        "/events",
        tags=["events"],
        summary="Take events in",
        description="Any form that ingest reads: EventBridge, CloudEvents, SNS, SQS, bare findings; one, an array, or NDJSON; "
        "plain or gzip. Answers once the events are durable: 202 if any is new, 200 if all were known.",
        responses=answers(Taken, "What became of the items.", 403, 413, 415, also=202),
        openapi_extensions={"requestBody": _BODY},
    )
    def take_events(request: Request) -> Response[Taken]:
        event = request.resolved_event
        body = b64decode(event.body or "") if event.is_base64_encoded else (event.body or "").encode()
        check_readable(body, event.headers.get("content-type", ""), event.headers.get("content-encoding", ""))
        accepted = ingest.accept(body, origin="http")
        taken(accepted.tally)
        answer = views.taken(accepted)
        return Response(202 if answer.accepted else 200, "application/json", answer)

    return router


def find(reading: Reading, log: Log, event_id: str, *, now_us: int) -> EventDetail:
    """The event with this id, whole. Raises ``NothingHere``."""
    entries = reading.event(event_id, now_us=now_us)
    record = log.fetch([entries[0].position])[0] if entries else None
    if record is None:
        message = "there is no such event here (any more, or not yet)"
        raise NothingHere(message)
    return views.event_detail(record, entries[1:])
