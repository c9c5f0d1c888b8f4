"""The port of the bodies: whole events by position, kept beside a log that is slow to search and forgets.

Who writes: the projector of the event index, each batch before it commits what it folds of it. So what the index shows is here.
Identity:   an object is named by shard, last and first position of a batch, and holds the same bytes whenever it is written: a
            batch that is delivered again overwrites itself. One that is cut otherwise makes another object; both are right.
Durability: ``keep`` returns after the batch is durable.
Errors:     ``BodiesUnavailable`` from every method; calling again is safe.
"""

from collections.abc import Sequence
from typing import Protocol

from pipeline.log.port import Batch, Position, Record


class Bodies(Protocol):
    """What every backend offers, to several threads and processes at once."""

    def keep(self, batch: Batch) -> None:
        """Keep the events of a batch, which are consecutive, of one shard; an empty one is nothing to keep."""
        ...

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions, in the order asked; None for one that is not kept."""
        ...
