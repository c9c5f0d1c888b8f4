"""Judges batches that are handed over, as an event source mapping does (``projections.delivered``), one lane a shard.

Settled: a delivery that returns is judged and told. If it raises, deliver the batch again: what is owed is told then.
"""

from collections.abc import Callable

from consumers.rules.engine.book import Book
from consumers.rules.engine.judging import Judging
from consumers.rules.engine.news import News
from consumers.rules.engine.settling import SettlingStore, Told
from consumers.rules.engine.taking_up import TakingUp
from consumers.rules.engine.telling import tell_faults
from pipeline.log.port import Batch, Log, Position
from projections.delivered import Delivered, Folded
from projections.errors import ProjectionError
from projections.stores.port import Store
from projections.writer import Writer


class DeliveredRules:
    """One of many that may be at work, on other shards or, by mistake, on the same.

    Arguments as of ``Delivered``; ``clock`` gives microseconds since the epoch.
    """

    def __init__(
        self,
        log: Log,
        store_of: Callable[[str], Store],
        book: Book,
        *,
        token: str,
        clock: Callable[[], int],
        on_stop: Callable[[ProjectionError], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._store_of = store_of
        self._book = book
        self._news = News(book, clock=clock, patience_us=0)  # other shards would not wait
        self._told = Told()
        self._taking_up = TakingUp(log)
        self._stores: dict[str, SettlingStore] = {}
        self._first: Position | None = None
        self._delivered = Delivered(
            log,
            self._settling,
            token=token,
            projections=[Judging(lambda: book.rules)],
            on_stop=on_stop,
            prepare=self._prepare,
        )

    def judge(self, batch: Batch) -> Folded:
        """Judge what was delivered of one shard. Raises as ``Delivered.fold``, and ``BookBehind``."""
        self._book.refresh()
        self._news.wait_for([batch])
        self._first = batch.positions[0]
        folded = self._delivered.fold(batch)
        for store in self._stores.values():
            store.settle()
        tell_faults(self._log, self._book.faults)
        return folded

    def close(self) -> None:
        """Close all generations."""
        self._delivered.close()

    def _settling(self, shard: str) -> Store:
        self._stores[shard] = SettlingStore(self._store_of(shard), self._log, self._told)
        return self._stores[shard]

    def _prepare(self, writer: Writer, shard: str) -> None:
        """Before a lane folds: begin where nothing was judged yet, and take up what the shard lacks."""
        if not writer.checkpoints and self._first is not None and self._first.shard == shard:
            first = self._first
            writer.begin(first._replace(sub=first.sub - 1))
        self._taking_up.prepare(writer, shard, self._book.rules)
