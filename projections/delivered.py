"""Folds batches that are handed over, as an event source mapping does, instead of read from the log.

Delivery:  at least once, in order within a shard. What a projection has folded already is left out.
Laggards:  a projection that stands behind the others (a new one, or one that was stopped for a while) first reads what it lacks
           from the log, up to what was delivered, parents of the shard included: nobody would give it that again.
Takeovers: who wrote a shard before is fenced. Who is fenced in the middle claims the shard again, once, and goes on behind its
           checkpoint: another instance of this code may have been given the shard for a while.
Source:    AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from typing import Final, NoReturn

from pipeline.log.port import Batch, Log, Position
from projections.errors import Fenced, GenesisLost, NewerVersion, NotFolded
from projections.guard import Intake
from projections.projection import Projection
from projections.projector import ALL
from projections.stores.port import Store
from projections.writer import Writer
from projections.writers import Writers

_READ_EVENTS: Final = 5_000


class Delivered:
    """Folds into every projection. One of many that may be at work, on other shards or, by mistake, on the same."""

    def __init__(
        self,
        log: Log,
        store: Store,
        *,
        token: str,
        projections: Sequence[Projection] = ALL,
        on_stop: Callable[[NewerVersion], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._writers = Writers(store, projections, token)
        self._on_stop = on_stop

    def fold(self, batch: Batch) -> None:
        """Fold what was delivered of one shard. Whatever it raises, deliver the batch again: what was committed is left out then.

        Raises the store's or log's error, ``Fenced``, ``GenesisLost``, or ``NotFolded`` if no projection could fold it. A
        projection that meets a newer version of a type stops, and ``on_stop`` is told; the others go on.
        """
        batch = Intake.of(batch)
        writers = self._writers.current()
        for writer in writers:
            writer.claim([batch.shard])
        checkpoints = [at for writer in writers if (at := writer.checkpoints.get(batch.shard))]
        reached = max((at for at in checkpoints if at < batch.positions[0]), default=None)
        folded = [self._fold_or_stop(writer, batch, reached) for writer in writers]
        if not any(folded):
            message = (
                f"no projection could fold {batch.positions[0]} to {batch.positions[-1]}: all wait for a rebuild or a newer build"
            )
            raise NotFolded(message)

    @property
    def parked(self) -> int:
        """How many events wait, over all projections, as far as known here."""
        return sum(writer.parked for writer in self._writers.current())

    def close(self) -> None:
        """Close all generations."""
        self._writers.close()

    def _fold_or_stop(self, writer: Writer, batch: Batch, reached: Position | None) -> bool:
        try:
            self._fold_again(writer, batch, reached)
        except NewerVersion as newer:
            self._writers.stop(writer)
            self._on_stop(newer)
            return False
        return True

    def _fold_again(self, writer: Writer, batch: Batch, reached: Position | None) -> None:
        try:
            self._fold(writer, batch, reached)
        except Fenced:
            writer = self._writers.renew(writer)
            writer.claim([batch.shard])
            self._fold(writer, batch, reached)

    def _fold(self, writer: Writer, batch: Batch, reached: Position | None) -> None:
        at = writer.checkpoints.get(batch.shard)
        if at is None:
            self._finish_parents(writer, batch.shard)
        if at is None or (reached is not None and at < reached):
            self._catch_up(writer, batch.shard, batch.positions[0])
        at = writer.checkpoints.get(batch.shard)
        folded = bisect_right(batch.positions, at) if at else 0
        if folded < len(batch):
            writer.fold([batch.select(range(folded, len(batch))) if folded else batch])

    def _finish_parents(self, writer: Writer, shard: str) -> None:
        """Before the first event of a shard: fold what a laggard lacks of those it came from, which are delivered no more."""
        shards = {known.id: known for known in self._log.shards()}
        for parent in shards[shard].parents if shard in shards else ():
            if parent in shards:
                writer.claim([parent])
                if parent not in writer.checkpoints:
                    self._finish_parents(writer, parent)
                self._catch_up(writer, parent, None)
            elif parent not in writer.checkpoints:
                _genesis_lost(writer, parent)

    def _catch_up(self, writer: Writer, shard: str, until: Position | None) -> None:
        """Read and fold what stands between the checkpoint and ``until`` (None: the end)."""
        if shard not in writer.checkpoints and not all(known.complete for known in self._log.shards() if known.id == shard):
            _genesis_lost(writer, shard)
        while True:
            batch = self._log.read(shard, writer.checkpoints.get(shard), _READ_EVENTS)
            missed = len(batch) if until is None else bisect_left(batch.positions, until)
            if missed:
                writer.fold([batch.select(range(missed))])
            if missed < len(batch) or not len(batch):
                return


def _genesis_lost(writer: Writer, shard: str) -> NoReturn:
    message = f"{writer.projection.name} has folded nothing of {shard}, and the log no longer holds its first event: rebuild it"
    raise GenesisLost(message)
