"""Folds batches that are handed over, as an event source mapping does, instead of read from the log.

Delivery:  at least once, in order within a shard. What a projection has folded already is left out.
Laggards:  a projection that stands behind the others (a new one, or one that was stopped for a while) first reads what it lacks
           from the log, up to what was delivered, parents of the shard included, when something is delivered of that shard again.
Memory:    what other shards' writers remember is dropped where it gets much, those first that were given nothing for longest.
Takeovers: who wrote a shard before is fenced. Who is fenced in the middle claims the shard again, once, and goes on behind its
           checkpoint: another instance of this code may have been given the shard for a while.
Source:    AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from pipeline.log.port import Batch, Log, Position
from projections.errors import Fenced, GenesisLost, NewerVersion, NotFolded, ProjectionError
from projections.guard import Intake
from projections.projection import Projection
from projections.projector import ALL
from projections.stores.port import Store
from projections.writer import Writer
from projections.writers import Writers

_READ_EVENTS: Final = 5_000
IDS_OF_OTHERS: Final = 1_000_000
"""Ids in memory of all shards but the one that is folded, some 85 bytes each at most."""


class Folded(NamedTuple):
    """What a delivery came to, over all projections: events folded, and those of them that were parked."""

    events: int
    parked: int


class Delivered:
    """Folds into every projection. One of many that may be at work, on other shards or, by mistake, on the same.

    ``store_of`` gives the store through which a shard's writers work; it may be one for all. ``token`` is no other process's.
    ``prepare`` is called with a writer that claimed a shard, each time before it folds.
    """

    def __init__(
        self,
        log: Log,
        store_of: Callable[[str], Store],
        *,
        token: str,
        projections: Sequence[Projection] = ALL,
        ids_of_others: int = IDS_OF_OTHERS,
        on_stop: Callable[[ProjectionError], None] = lambda _: None,
        prepare: Callable[[Writer, str], None] = lambda *_: None,
    ) -> None:
        self._log = log
        self._store_of = store_of
        self._token = token
        self._projections = projections
        self._ids_of_others = ids_of_others
        self._on_stop = on_stop
        self._prepare = prepare
        self._shards: dict[str, Writers] = {}

    def fold(self, batch: Batch) -> Folded:
        """Fold what was delivered of one shard. Whatever it raises, deliver the batch again: what was committed is left out then.

        Raises the store's or log's error, ``Fenced``, or, if no projection could fold it, ``GenesisLost`` or ``NotFolded``. A
        projection that meets a newer version of a type, or that cannot know its beginning, stops, and ``on_stop`` is told; the
        others go on.
        """
        batch = Intake.of(batch)
        lost: list[GenesisLost] = []
        self._make_room(batch.shard)
        writers = self._claimed(batch.shard)
        checkpoints = [at for writer in writers if (at := writer.checkpoints.get(batch.shard))]
        reached = max((at for at in checkpoints if at < batch.positions[0]), default=None)
        told = [self._fold_or_stop(writer, batch, reached, lost) for writer in writers]
        if not any(told):
            if lost:
                raise lost[0]
            message = f"nobody could fold {batch.positions[0]} to {batch.positions[-1]}: all wait for a rebuild or a newer build"
            raise NotFolded(message)
        return Folded(sum(one.events for one in told if one), sum(one.parked for one in told if one))

    def close(self) -> None:
        """Close all generations."""
        for writers in self._shards.values():
            writers.close()

    def _make_room(self, shard: str) -> None:
        """Let go of other shards as long as they remember too much; this one becomes the last that was given something."""
        if shard in self._shards:
            self._shards[shard] = self._shards.pop(shard)
        others = [known for known in self._shards if known != shard]
        while others and sum(self._shards[known].remembered() for known in others) > self._ids_of_others:
            self._shards.pop(others.pop(0)).close()

    def _claimed(self, shard: str) -> list[Writer]:
        """A writer of this shard for each projection."""
        if shard not in self._shards:
            self._shards[shard] = Writers(self._store_of(shard), self._projections, self._token)
        return [self._fresh(writer, shard) for writer in self._shards[shard].current()]

    def _fresh(self, writer: Writer, shard: str) -> Writer:
        """A writer that knows where the shard stands now: another instance may have been given it since this one was."""
        writer.claim([shard])
        if writer.generation.checkpoints().get(shard) == writer.checkpoints.get(shard):
            self._prepare(writer, shard)
            return writer
        return self._renewed(writer, shard)

    def _renewed(self, writer: Writer, shard: str) -> Writer:
        writer = self._shards[shard].renew(writer)
        writer.claim([shard])
        self._prepare(writer, shard)
        return writer

    def _fold_or_stop(self, writer: Writer, batch: Batch, reached: Position | None, lost: list[GenesisLost]) -> Folded | None:
        try:
            return self._fold_again(writer, batch, reached)
        except NewerVersion as newer:
            self._shards[batch.shard].stop(writer)
            self._on_stop(newer)
        except GenesisLost as unknown:
            lost.append(unknown)
            self._on_stop(unknown)
        return None

    def _fold_again(self, writer: Writer, batch: Batch, reached: Position | None) -> Folded:
        try:
            return self._fold(writer, batch, reached)
        except Fenced:
            return self._fold(self._renewed(writer, batch.shard), batch, reached)

    def _fold(self, writer: Writer, batch: Batch, reached: Position | None) -> Folded:
        parked = writer.parked
        at = writer.checkpoints.get(batch.shard)
        events = 0
        if at is None:
            self._ask_for_genesis(writer, batch.shard, folded_by_others=reached is not None)
            self._finish_parents(writer.projection, batch.shard)
        if at is None or (reached is not None and at < reached):
            events += self._catch_up(writer, batch.shard, batch.positions[0])
        at = writer.checkpoints.get(batch.shard)
        known = bisect_right(batch.positions, at) if at else 0
        if known < len(batch):
            events += writer.fold([batch.select(range(known, len(batch))) if known else batch])
        return Folded(events, max(writer.parked - parked, 0))

    def _finish_parents(self, projection: Projection, shard: str) -> None:
        """Before the first event of a shard: fold what a laggard lacks of those it came from, which are delivered no more."""
        listed = {known.id: known for known in self._log.shards()}
        for parent in listed[shard].parents if shard in listed else ():
            [known] = [writer for writer in self._claimed(parent) if writer.projection.name == projection.name]
            writer = self._renewed(known, parent)  # another instance may have been given the parent's last batches
            if parent not in writer.checkpoints:
                others = any(parent in other.checkpoints for other in self._claimed(parent))
                self._ask_for_genesis(writer, parent, folded_by_others=others)
                self._finish_parents(projection, parent)
            if parent in listed:
                self._catch_up(writer, parent, None)

    def _catch_up(self, writer: Writer, shard: str, until: Position | None) -> int:
        """Read and fold what stands between the checkpoint and ``until`` (None: the end); returns how many events that were."""
        events = 0
        while True:
            batch = self._log.read(shard, writer.checkpoints.get(shard), _READ_EVENTS)
            missed = len(batch) if until is None else bisect_left(batch.positions, until)
            if missed:
                events += writer.fold([batch.select(range(missed))])
            if missed < len(batch) or not len(batch):
                return events

    def _ask_for_genesis(self, writer: Writer, shard: str, *, folded_by_others: bool) -> None:
        """Raise ``GenesisLost`` if events of a shard may be gone of which this projection has folded none.

        A log may tell of every shard that it is incomplete once it is older than what it keeps. A shard of which nobody has
        folded anything, in a generation that has been folded into elsewhere, is new, or was empty: all of it is delivered.
        """
        if any(known.complete for known in self._log.shards() if known.id == shard):
            return
        if folded_by_others or not writer.checkpoints:
            message = (
                f"{writer.projection.name} has folded nothing of {shard}, and the log no longer holds its first event: rebuild it"
            )
            raise GenesisLost(message)
