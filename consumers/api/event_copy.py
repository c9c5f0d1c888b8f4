"""What a task made from an event says of it: title, description, priority, and a copy of the event's details."""

from typing import Any, Final

import orjson

from consumers.api.models import EventDetail
from consumers.api.task_models import TaskFromEvent
from pipeline.desks.task import MOST_COPIED_BYTES, CreateTask

_PRIORITIES: Final = ("low", "low", "medium", "high", "critical")
"""By severity."""
_TITLE: Final = (3, 200)
_MOST_RESOURCES: Final = 50
_COPIED: Final = ("id", "type", "time", "source", "account", "region", "severity", "severity_name", "summary", "source_id")


def task_from(event: EventDetail, asked: TaskFromEvent) -> CreateTask:
    """The command that opens a task about this event."""
    return CreateTask(
        title=asked.title if asked.title is not None else _title(event),
        description=asked.description if asked.description is not None else _description(event),
        priority=asked.priority or _PRIORITIES[event.severity],
        assignee_id=asked.assignee_id or "",
        due_us=None if asked.due is None else round(asked.due * 1_000_000),
        event_id=event.id,
        event=copy_of(event),
    )


def copy_of(event: EventDetail) -> dict[str, Any]:
    """The details that a task keeps: header and facts; without the facts, if they are too large. The log has the whole."""
    copy: dict[str, Any] = {name: getattr(event, name) for name in _COPIED} | {"resources": event.resources[:_MOST_RESOURCES]}
    whole = copy | {"kind": event.data.get("kind", ""), "facts": event.data.get("facts", {})}
    return whole if len(orjson.dumps(whole)) <= MOST_COPIED_BYTES else copy


def _title(event: EventDetail) -> str:
    shortest, longest = _TITLE
    title = event.summary.strip()
    return title[:longest].strip() if len(title) >= shortest else f"{event.source}: {event.type}"[:longest]


def _description(event: EventDetail) -> str:
    where = ", ".join(part for part in (event.account, event.region) if part)
    lines = [
        event.summary.strip() or event.type,
        f"Seen by {event.source}{f' in {where}' if where else ''}, severity {event.severity_name}.",
        *(f"Resource: {resource}" for resource in event.resources[:10]),
        f"Event: {event.id}",
    ]
    return "\n".join(lines)[:5000]
