"""The port of a store: generations of projections, each with rows, checkpoints, id markers and parked events.

Atomicity: a commit is kept whole or not at all: rows, checkpoints, markers and parked events together.
Fencing:   a commit is refused unless its writer's token stands on the checkpoints of its shards and these are those it read.
Reading:   from any process, in short transactions; a reader never waits for the writer.
Errors:    any call may raise ``StoreUnavailable``; what it was to change is then unchanged, and calling again is safe.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Protocol

from pipeline.log.port import Position
from projections.event_index import SegmentRows
from projections.projection import Changes, CountKey, Document, Parked, Rows


class Status(StrEnum):
    """Where a generation is in its life."""

    BUILDING = "building"
    SERVING = "serving"
    RETIRED = "retired"


@dataclass(frozen=True, slots=True)
class GenerationInfo:
    """One build of a projection. ``version`` is the fold's; ``number`` counts builds from 1."""

    projection: str
    number: int
    version: int
    status: Status
    created_us: int


@dataclass(frozen=True, slots=True)
class Marker:
    """Ids seen: the hour of their events (since the epoch), the UTC day on which they were recorded, and they, packed."""

    hour: int
    day: int
    ids: bytes


@dataclass(slots=True)
class Commit:
    """All that folding one or more batches changes.

    ``expected`` has the checkpoint that was read of each shard (None: none yet), ``reached`` the new one; a shard that is missing
    there keeps what it has.
    ``unparked`` are positions of parked events that were folded after all; ``retraced`` are parked events that keep their places,
    with another error.
    """

    expected: Mapping[str, Position | None]
    reached: Mapping[str, Position]
    changes: Changes = field(default_factory=Changes)
    markers: Sequence[Marker] = ()
    parked: Sequence[Parked] = ()
    unparked: Sequence[Position] = ()
    retraced: Sequence[Parked] = ()


class GenerationRows(SegmentRows, Rows, Protocol):
    """The rows of one generation; as of which moment, ``Generation.reading`` says."""

    def checkpoints(self) -> dict[str, Position]:
        """The last position folded, per shard."""
        ...

    def counts(self, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
        """All counters of the hours in the range, in key order."""
        ...

    def all_documents(self, kind: str = "") -> Iterator[tuple[str, Document]]:
        """All documents, by key; of a ``kind`` those whose key begins with ``<kind>/``, without a look at the others."""
        ...

    def documents_from(self, kind: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """The first ``limit`` documents of a kind whose keys stand behind ``after`` ("": from the first), by key.

        For keys of the form ``<kind>//<rest>``: those are kept in the order of their bytes, so that a page costs as much as it
        holds, however many there are. ``after`` need not be the key of any document.
        """
        ...

    def parked(self) -> Sequence[Parked]:
        """The parked events, whole, in the order in which they were parked."""
        ...

    def waiting(self) -> Mapping[str, int]:
        """How many parked events each key has that has some; payloads are not read."""
        ...


class Generation(GenerationRows, Protocol):
    """One generation, open for its writer."""

    @property
    def info(self) -> GenerationInfo:
        """Which one it is."""
        ...

    def claim(self, token: str, shards: Collection[str]) -> None:
        """Become the writer of these shards: commits of theirs under any other token are refused from now on."""
        ...

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        """The markers of these event hours, recorded on ``since_day`` or later."""
        ...

    def forget_markers(self, before_day: int) -> None:
        """Delete the markers recorded before this day. They need not go at once."""
        ...

    def forget_documents(self, kind: str, before: str) -> None:
        """Delete the passing documents of a kind whose keys, without ``<kind>//``, sort before this. They need not go at once.

        What nobody forgets so may go by itself, but not within thirty days and the log's retention of being written last.
        """
        ...

    def commit(self, token: str, commit: Commit) -> None:
        """Keep a commit, durably as far as the store promises (rows may be folded again).

        Raises ``Fenced``, or ``CommitTooLarge`` where the store cannot keep as much at once: commit less at a time.
        """
        ...

    def reading(self) -> AbstractContextManager[GenerationRows]:
        """The rows, for any thread, at any time. Keep it short.

        As of one moment, unmoved by commits until the context ends; or, from a store that cannot hold them still, each at least
        as fresh as the checkpoints that were read before it. What is read between two readings of equal checkpoints is of one
        moment, whatever the store.
        """
        ...

    def close(self) -> None:
        """Release what is held open; a reader that is under way finishes. Closing twice is harmless."""
        ...


class Store(Protocol):
    """All generations of all projections."""

    def generations(self, projection: str) -> Sequence[GenerationInfo]:
        """All builds of a projection, by number."""
        ...

    def serving(self) -> Mapping[str, GenerationInfo]:
        """The build of each projection that readers get. Cheap: asked at each step and each read."""
        ...

    def create(self, projection: str, version: int, *, serving: bool) -> GenerationInfo:
        """A new, empty generation. With ``serving`` it serves at once, unless another does by now: then that one is returned."""
        ...

    def open(self, info: GenerationInfo) -> Generation:
        """A generation, to write or to read. Raises ``GenerationGone``."""
        ...

    def switch(self, info: GenerationInfo, catch_up: Callable[[], None]) -> None:
        """Let ``info`` serve and retire the one that does, atomically for readers.

        ``catch_up`` is called once while the serving generation takes no commits; it folds what is left into the new one.
        If it raises, or with ``GenerationGone`` if ``info`` was dropped meanwhile, the one that served goes on serving.
        """
        ...

    def drop(self, info: GenerationInfo) -> None:
        """Delete a generation that does not serve. Readers that have it open go on."""
        ...

    def building(self, projection: str) -> AbstractContextManager[None]:
        """Hold the right to build a projection; generations that a dead builder left are dropped. Raises ``RebuildRunning``."""
        ...

    def close(self) -> None:
        """Release what is held open; generations that were opened close by themselves. Closing twice is harmless."""
        ...
