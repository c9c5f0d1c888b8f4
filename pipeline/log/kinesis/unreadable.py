"""What stands on the stream and is no event of ours: never passed in silence.

A reader hands it to a sink before it gives out anything behind it; the sink keeps it durably, or raises, and then the reader
stays before it. It may be handed over again after a restart, so a sink counts a repeat and keeps one.
"""

from collections.abc import Callable, Sequence
from enum import StrEnum
from typing import Final, NamedTuple

from pipeline.log.port import Position
from pipeline.quarantine.port import Quarantine, Reject


class Kind(StrEnum):
    """Why something was not read as an event."""

    DAMAGED = "damaged"
    """An aggregate, or a user record in it, that cannot be taken apart."""
    FOREIGN = "foreign"
    """A whole user record or plain record that is no event in its interchange form. One door may re-publish such as events."""
    STRAY = "stray"
    """A user record in a shard that does not own its hash key. Its producer appends it again, as KPL producers do."""
    TRIMMED = "trimmed"
    """No record: the one that was read last is no longer on the stream, so what came behind it may be gone too."""


class Unreadable(NamedTuple):
    """One such thing, with its bytes, where it stands, and a reason for people."""

    position: Position
    kind: Kind
    payload: bytes
    reason: str


Sink = Callable[[Sequence[Unreadable]], None]
"""Takes what could not be read. Returns after it is durable; raises otherwise."""

EVERY_KIND: Final = frozenset(Kind)


def quarantining(quarantine: Quarantine, *, kinds: frozenset[Kind] = EVERY_KIND) -> Sink:
    """A sink that keeps what is of these kinds in the quarantine, which knows the same bytes again.

    A reader beside the door that re-publishes foreign records leaves those to it.
    """

    def keep(found: Sequence[Unreadable]) -> None:
        rejects = [
            Reject(one.payload, f"{one.kind}: {one.reason}", origin=f"log {one.position}") for one in found if one.kind in kinds
        ]
        if rejects:
            quarantine.put(rejects)

    return keep
