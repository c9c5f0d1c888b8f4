"""What an agent puts on the bus: error lines, heartbeats, and what it could not collect. Pure; the same input, the same events.

Id:     ``detail.eventId`` derives from what is told, never from the run that tells it, so that whoever is told twice can see it
        (``pipeline.sources.restated``). Of a line: account, region, group, stream, time, message, and the how-manieth of its
        equals it is, since a stream may hold one line several times in a millisecond.
Time:   ``detail.timestamp`` in epoch milliseconds, for EventBridge keeps whole seconds.
Size:   a message that would make an entry larger than ``LARGEST`` is cut; ``detail.cutFrom`` is its length before, in characters.
        The id is that of the whole message.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, Final

from pipeline.collectors.place import Place

LARGEST_CALL: Final = 262_144
"""Bytes that the entries of one ``PutEvents`` stay below: 256 KB (Amazon EventBridge User Guide, "Calculating PutEvents event
entry size"). Since January 2026 some regions take 1 MB; queues and targets on the way may still be set to 256 KB."""

LARGEST: Final = LARGEST_CALL - 4096
"""Most bytes of an entry. The event that leaves the bus has its header and JSON around it, and must fit a queue of 256 KiB."""

_TIME_BYTES: Final = 14
_SHORTER: Final = 0.95
_LISTED: Final = 50
_ID: Final = 32


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a log. ``time_ms`` is epoch milliseconds."""

    group: str
    stream: str
    time_ms: int
    message: str


@dataclass(frozen=True, slots=True)
class BusEvent:
    """An event for the bus."""

    source: str
    detail_type: str
    time_ms: int
    resources: tuple[str, ...]
    detail: dict[str, Any]

    @property
    def id(self) -> str:
        """The id that the agent gave it."""
        return str(self.detail["eventId"])

    @property
    def size(self) -> int:
        """Its bytes, as EventBridge counts those of an entry."""
        texts = (self.source, self.detail_type, _json(self.detail), *self.resources)
        return _TIME_BYTES + sum(len(text.encode()) for text in texts)

    def entry(self, bus_arn: str) -> dict[str, Any]:
        """Its entry in a ``PutEvents`` call."""
        return {
            "EventBusName": bus_arn,
            "Source": self.source,
            "DetailType": self.detail_type,
            "Time": datetime.fromtimestamp(self.time_ms // 1000, UTC),
            "Resources": list(self.resources),
            "Detail": _json(self.detail),
        }


def of_lines(place: Place, lines: Iterable[Line]) -> Iterator[BusEvent]:
    """An event a line. ``lines`` holds all of a group and millisecond, or the first: equal lines are told apart by counting."""
    seen: Counter[Line] = Counter()
    for line in lines:
        seen[line] += 1
        yield _of_line(place, line, seen[line])


def _of_line(place: Place, line: Line, nth: int) -> BusEvent:
    told = [place.account, place.region, line.group, line.stream, line.time_ms, line.message, nth]
    detail = {
        "eventId": _id(told),
        "region": place.region,
        "timestamp": line.time_ms,
        "logGroup": line.group,
        "logStream": line.stream,
        "message": _text(line.message),
    }
    resources = (place.log_group(line.group), place.log_stream(line.group, line.stream))
    return _fitted(BusEvent("monitoring.agent.logs", "Error Log Line", line.time_ms, resources, detail))


def heartbeat(place: Place, version: str, time_ms: int) -> BusEvent:
    """The agent lives, at ``time_ms``."""
    detail = {"eventId": _id([place.account, place.region, "heartbeat", time_ms]), "region": place.region, "timestamp": time_ms}
    return BusEvent(
        "monitoring.agent", "Agent Heartbeat", time_ms, (place.arn,), detail | ({"version": version} if version else {})
    )


def shortfall(place: Place, title: str, description: str, groups: Iterable[str], time_ms: int) -> BusEvent:
    """A finding: of these log groups not all was collected."""
    names = sorted(groups)
    detail = {
        "eventId": _id([place.account, place.region, title, description, names, time_ms]),
        "region": place.region,
        "timestamp": time_ms,
        "severity": "MEDIUM",
        "title": title,
        "description": description,
        "logGroups": names[:_LISTED],
        "logGroupCount": len(names),
    }
    resources = tuple(place.log_group(name) for name in names[:_LISTED])
    return BusEvent("monitoring.agent", "Log Collection Incomplete", time_ms, (place.arn, *resources), detail)


def _fitted(event: BusEvent) -> BusEvent:
    message = event.detail["message"]
    while (size := event.size) > LARGEST:
        shorter = event.detail["message"]
        kept = shorter[: int(len(shorter) * LARGEST / size * _SHORTER)]
        event = replace(event, detail=event.detail | {"message": kept, "cutFrom": len(message)})
    return event


def _text(message: str) -> str:
    """The message as text that has UTF-8: halves of surrogate pairs become question marks."""
    return message.encode(errors="replace").decode()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _id(told: list[Any]) -> str:
    return sha256(json.dumps(told, separators=(",", ":")).encode()).hexdigest()[:_ID]
