"""Who is to be told of an event: pure, and the same on every machine and at every time.

An event that no route wants is no notice at all: it leaves no trace here, for there is nothing that could have been sent.
``notice.*`` facts are never of concern: the notifier would talk about itself for ever. Nor are alerts that a run over history
raised, unless whoever ran it asked for notices: what is long past wakes nobody.
"""

from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from typing import Any, Final

import orjson

from consumers.notifier.notice import Key, Reason
from consumers.notifier.routes import ALERT, FINDING, GRADED, Route
from schemas.envelope import Envelope

GENERIC: Final = "generic"


class Verdict(StrEnum):
    """What is to be done."""

    SEND = "send"
    SUPPRESS = "suppress"


@dataclass(frozen=True, slots=True)
class Decision:
    """What is to be done about one event on one route, and why."""

    key: Key
    channel: str
    verdict: Verdict
    reason: Reason


def decide(routes: Sequence[Route], event: Envelope, *, connected: AbstractSet[str]) -> list[Decision]:
    """One decision a route that wants ``event``, in the order of ``routes``. ``connected``: the channels with a webhook."""
    decisions = []
    for route in routes:
        if not wants(route, event):
            continue
        key = Key(route.name, event.id)
        if route.channel in connected:
            decisions.append(Decision(key, route.channel, Verdict.SEND, Reason.ROUTE_MATCHED))
        else:
            decisions.append(Decision(key, route.channel, Verdict.SUPPRESS, Reason.NO_CHANNEL))
        if route.last:
            break
    return decisions


def wants(route: Route, event: Envelope) -> bool:
    """Whether ``event`` is for this route. The body is looked at only where the header leaves the question open."""
    if event.type not in route.types or not any(fnmatchcase(event.source, pattern) for pattern in route.sources):
        return False
    if event.type in GRADED and event.severity < route.min_severity:
        return False
    if event.type == ALERT:
        return _told_of(event, "notify") is not False
    return event.type != FINDING or not route.kinds or kind_of(event) in route.kinds


def kind_of(event: Envelope) -> str:
    """The kind of a finding; ``generic`` if its body does not tell."""
    kind = _told_of(event, "kind")
    return kind if isinstance(kind, str) else GENERIC


def _told_of(event: Envelope, field: str) -> Any:
    """A field of the body; None if it has none."""
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return None
    return body.get(field) if isinstance(body, dict) else None


def floors(routes: Sequence[Route]) -> Mapping[str, int]:
    """Per event type the least severity that any route wants: what is below, or of another type, needs no deciding."""
    least: dict[str, int] = {}
    for route in routes:
        for name in route.types:
            floor = route.min_severity if name in GRADED else 0
            least[name] = min(floor, least.get(name, floor))
    return least
