"""The port of the quarantine: input that could not become an event, with its bytes, origin and reason.

Identity:   the id derives from bytes and origin kind, so the same bad item told twice is one entry with a count.
Durability: ``put`` returns after the items are durable.
Lifecycle:  ``held`` until re-ingested (``released``) or given up by a person (``discarded``); never deleted.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


class Status(StrEnum):
    """Where a quarantined item is in its life."""

    HELD = "held"
    RELEASED = "released"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True)
class Reject:
    """Bytes that could not become an event. ``field`` is a dotted path ("": the whole), ``reason`` is for people."""

    payload: bytes
    reason: str
    field: str = ""
    origin: str = ""
    """Where it came from: ``file:line``, ``http``, ``log shard-0:42:0``."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A reject as kept. Times in microseconds since the epoch, UTC."""

    id: str
    reject: Reject
    status: Status
    first_us: int
    last_us: int
    times: int


class Quarantine(Protocol):
    """Keeps rejects. Safe for several processes."""

    def put(self, rejects: Sequence[Reject]) -> list[str]:
        """Keep each reject; returns their ids in order. A known one is counted again, and held again if it was released."""
        ...

    def list(self, *, status: Status | None = Status.HELD, after: str = "", limit: int = 50) -> list[Quarantined]:
        """Items, newest first, behind the item ``after``."""
        ...

    def get(self, item_id: str) -> Quarantined | None:
        """One item, or None."""
        ...

    def mark(self, item_id: str, status: Status) -> bool:
        """Set an item's status; False if there is no such item."""
        ...

    def count(self) -> dict[Status, int]:
        """How many items have each status."""
        ...
