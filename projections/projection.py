"""What a projection is: a pure fold from batches of events to changes of rows, with a name, a version, and a parking key.

A row is one of three kinds, because these are what a store can commit exactly and cheaply:

- *entries*:   appended, ordered by (time, id), packed into segments (``projections.segments``);
- *counts*:    added to, keyed by hour, source, severity, account, and shard;
- *documents*: JSON objects by key, read, folded, and written back by the shard's only writer.

Whoever changes a fold raises its version, which rebuilds the projection beside the old generation.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, NamedTuple, Protocol

from pipeline.log.port import Batch, Position
from projections.segments import Entries

Document = dict[str, Any]


class CountKey(NamedTuple):
    """The bucket of a counter. ``hour`` is hours since the epoch; ``shard`` keeps shards from contending, readers sum over it."""

    hour: int
    source: str
    severity: int
    account: str
    shard: str


@dataclass(slots=True)
class Changes:
    """What folding some events does to the rows: entries are appended, counts added, documents replaced.

    ``passing`` names those of the documents that a store may forget once nobody can need them (``forget_documents``).
    """

    entries: Entries = field(default_factory=Entries)
    counts: dict[CountKey, int] = field(default_factory=dict)
    documents: dict[str, Document] = field(default_factory=dict)
    passing: set[str] = field(default_factory=set)

    def absorb(self, later: "Changes") -> None:
        """Add what later events changed, folded against rows in which ``self`` already shows."""
        self.entries.extend(later.entries)
        for key, count in later.counts.items():
            self.counts[key] = self.counts.get(key, 0) + count
        self.documents.update(later.documents)
        self.passing |= later.passing


class Rows(Protocol):
    """The rows that a fold may read: those of its own projection, as of the events before."""

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        """The documents that exist under these keys. The caller may change them freely."""
        ...


class Projection(Protocol):
    """A fold. Pure: no clock, no I/O, no randomness; given the same rows and events it returns the same changes."""

    name: ClassVar[str]
    version: ClassVar[int]
    folds: ClassVar[Mapping[str, int]]
    """Event type -> newest schema version understood. Other types pass by."""

    def parking_key(self, batch: Batch, index: int) -> str:
        """What waits, in order, behind an event that cannot be folded: its own id, or its subject."""
        ...

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold events of one shard, in order: only types in ``folds``, no repeats. May raise on a poison event."""
        ...


@dataclass(frozen=True, slots=True)
class Parked:
    """An event that waits: a poison event with its traceback, or (``error`` empty) a later one of the same key."""

    key: str
    position: Position
    recorded_us: int
    event: bytes
    """The envelope as ``projections.parking`` writes it."""
    error: str
