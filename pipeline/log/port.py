"""The port of the event log: append in order, read in order, by shard.

Order:      append order per subject (a subject has one shard at a time). Nothing is promised across subjects.
Delivery:   readers see a position at least once, and an event (id) at least once; a log may refuse repeats, none must.
Durability: ``append`` returns after the accepted events are durable.
Positions:  opaque to all but the log; comparable within a shard, as numbers.
Genesis:    a log may forget its beginning (Kinesis does); ``Shard.complete`` tells.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import md5
from operator import itemgetter
from typing import NamedTuple, Protocol, Self, overload

from schemas.envelope import Envelope


class Position(NamedTuple):
    """Where an event stands: shard, sequence number in it, number of the event within one record (0 unless aggregated)."""

    shard: str
    sequence: int
    sub: int = 0

    def __str__(self) -> str:
        """``shard:sequence:sub``, the form in which people and programs pass a position on."""
        return f"{self.shard}:{self.sequence}:{self.sub}"

    @classmethod
    def parse(cls, text: str) -> Self:
        """The inverse of ``str``. Raises ``ValueError`` naming the accepted form."""
        shard, _, rest = text.partition(":")
        sequence, _, sub = rest.partition(":")
        if not (shard and sequence.isascii() and sequence.isdigit() and sub.isascii() and sub.isdigit()):
            message = f"position {text!r} is not of the form shard:sequence:sub, for example shard-0:42:0"
            raise ValueError(message)
        return cls(shard, int(sequence), int(sub))


@dataclass(frozen=True, slots=True)
class Shard:
    """One ordered part of the log. ``parents`` are read to their end first; a ``closed`` shard gets no more events.

    ``complete`` is true if the shard still holds its first event.
    """

    id: str
    parents: tuple[str, ...] = ()
    closed: bool = False
    complete: bool = True


@dataclass(frozen=True, slots=True)
class Record:
    """An event as the log holds it: where it stands and when it was recorded (microseconds since the epoch, UTC)."""

    position: Position
    recorded_us: int
    event: Envelope


class Outcome(StrEnum):
    """What became of one event of an append."""

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    """Its id was known already; the receipt's position is the first one's."""
    FAILED = "failed"
    """Not stored, or not known to be; retrying is safe."""
    REFUSED = "refused"
    """Too large for this log, now and ever: the receipt's reason says how large it may be."""


class Receipt(NamedTuple):
    """The answer to the append of one event. ``position`` is None if it failed or was refused; ``reason`` is then set."""

    id: str
    outcome: Outcome
    position: Position | None
    reason: str = ""


@dataclass(slots=True)
class Columns:
    """The headers of some events, a list a field, all of one length and in one order: what folds read without touching bodies."""

    id: list[str] = field(default_factory=list)
    type: list[str] = field(default_factory=list)
    version: list[int] = field(default_factory=list)
    time_us: list[int] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    account: list[str] = field(default_factory=list)
    region: list[str] = field(default_factory=list)
    subject: list[str] = field(default_factory=list)
    severity: list[int] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    resources: list[list[str]] = field(default_factory=list)
    source_id: list[str] = field(default_factory=list)
    correlation_id: list[str] = field(default_factory=list)
    causation_id: list[str] = field(default_factory=list)

    def select(self, indices: Sequence[int]) -> "Columns":
        """The rows at ``indices``, in that order."""
        if len(indices) < 2:  # noqa: PLR2004  # itemgetter returns a tuple from two on
            return Columns(*([getattr(self, name)[i] for i in indices] for name in Columns.__slots__))
        pick = itemgetter(*indices)
        return Columns(*(list(pick(getattr(self, name))) for name in Columns.__slots__))


class _Picked(Sequence[bytes]):
    """Some elements of another sequence, looked up only when asked for."""

    def __init__(self, whole: Sequence[bytes], indices: Sequence[int]) -> None:
        self._whole = whole
        self._indices = indices

    def __len__(self) -> int:
        return len(self._indices)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(index, slice):
            return _Picked(self._whole, self._indices[index])
        return self._whole[self._indices[index]]


class Numbered(Sequence[Position]):
    """The positions of a shard with these sequence numbers, sub-sequence 0, each made when it is asked for."""

    def __init__(self, shard: str, sequences: Sequence[int]) -> None:
        self.shard = shard
        self.sequences = sequences

    def __len__(self) -> int:
        """How many."""
        return len(self.sequences)

    @overload
    def __getitem__(self, index: int) -> Position: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Position]: ...
    def __getitem__(self, index: int | slice) -> Position | Sequence[Position]:
        """One of them, or some."""
        if isinstance(index, slice):
            return Numbered(self.shard, self.sequences[index])
        return Position(self.shard, self.sequences[index])

    def __eq__(self, other: object) -> bool:
        """Whether ``other`` is a sequence of the same positions."""
        return isinstance(other, Sequence) and list(self) == list(other)

    def __hash__(self) -> int:
        """Equal sequences have equal hashes."""
        return hash(tuple(self))

    def select(self, indices: Sequence[int]) -> "Numbered":
        """Those at ``indices``, in that order."""
        return Numbered(self.shard, [self.sequences[i] for i in indices])


@dataclass(slots=True)
class Batch:
    """Consecutive events of one shard, in order, as columns. Bodies may be fetched lazily.

    ``positions``, ``recorded_us``, ``columns`` and ``bodies`` have one length. ``bodies[i]`` may decompress on access.
    """

    shard: str
    positions: Sequence[Position]
    recorded_us: list[int]
    columns: Columns
    bodies: Sequence[bytes]

    def __len__(self) -> int:
        """The number of events."""
        return len(self.positions)

    def sequences(self) -> tuple[list[int], list[int]]:
        """The sequence numbers of all positions, and their sub-sequence numbers."""
        if isinstance(self.positions, Numbered):
            return list(self.positions.sequences), [0] * len(self)
        return [position.sequence for position in self.positions], [position.sub for position in self.positions]

    def envelope(self, index: int) -> Envelope:
        """The event at ``index``, whole."""
        c = self.columns
        return Envelope(
            id=c.id[index],
            type=c.type[index],
            version=c.version[index],
            time_us=c.time_us[index],
            source=c.source[index],
            account=c.account[index],
            region=c.region[index],
            subject=c.subject[index],
            severity=c.severity[index],
            summary=c.summary[index],
            resources=tuple(c.resources[index]),
            source_id=c.source_id[index],
            correlation_id=c.correlation_id[index],
            causation_id=c.causation_id[index],
            body=self.bodies[index],
        )

    def select(self, indices: Sequence[int]) -> "Batch":
        """The events at ``indices``, in that order; bodies stay lazy."""
        positions = self.positions
        return Batch(
            self.shard,
            positions.select(indices) if isinstance(positions, Numbered) else [positions[i] for i in indices],
            [self.recorded_us[i] for i in indices],
            self.columns.select(indices),
            _Picked(self.bodies, indices),
        )

    def record(self, index: int) -> Record:
        """The event at ``index`` with its position and recorded time."""
        return Record(self.positions[index], self.recorded_us[index], self.envelope(index))

    def records(self) -> Iterator[Record]:
        """All events, in order."""
        return map(self.record, range(len(self)))


class Log(Protocol):
    """What every log offers. Methods may be called from several threads and processes at once."""

    def shards(self) -> Sequence[Shard]:
        """All shards that hold or may get events, parents before children."""
        ...

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """Append events, each to its subject's shard; the receipts stand in the order of ``events``.

        Per subject, the order of ``events`` is kept, also over several calls of one caller. Accepted events are durable
        on return. At least once: after a failure an event may be stored all the same; append it again, readers drop
        repeated ids. Raises ``LogUnavailable`` (or ``LogFull``) if nothing of the call was accepted.
        """
        ...

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        """At most ``limit`` events of ``shard`` behind ``after`` (None: from its first), in order; empty at the end."""
        ...

    def since(self, shard: str, recorded_us: int) -> Position | None:
        """Behind which (None: from the first event of ``shard`` on) stands all that was recorded then or later.

        For ``read``; it need not be an event's. Some of what was recorded a little before may stand behind it, too: a reader
        leaves that out. Nothing else need be read for the answer, however much the shard holds.
        """
        ...

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions, in the order asked; None for a position that the log does not hold."""
        ...

    def heads(self) -> Mapping[str, Position]:
        """The last position of every shard that holds events."""
        ...

    def behind(self, positions: Mapping[str, Position]) -> int:
        """How many events stand behind these positions, over all shards; an estimate where the log cannot count."""
        ...

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        """Wait until the log holds something behind ``seen``, at most ``timeout_seconds``. True if it does."""
        ...


def shard_for(subject: str, shards: int) -> str:
    """The embedded log's shard for a subject: an even split of the MD5 key space, as Kinesis does for a partition key.

    Source: Amazon Kinesis Data Streams Developer Guide, "Terminology and concepts", partition key.
    """
    return f"shard-{int.from_bytes(md5(subject.encode(), usedforsecurity=False).digest()[:4]) * shards >> 32}"
