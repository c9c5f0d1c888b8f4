"""The engine on one machine: follows the log and judges all shards, one step at a time.

Start:   with nothing judged yet, at the log's heads: what stands there is for reprocessing (``begin``; a supervisor calls it
         before producers start). Versions that were in force before are caught up with all the same (``taking_up``).
Restart: goes on behind the checkpoints, and tells first what a commit owes.
Outages: while log, store or the rules cannot be read, it waits, and nothing is passed over.
"""

import logging
from collections.abc import Callable, Sequence
from threading import Event
from typing import Final

from consumers.rules.engine.book import Book
from consumers.rules.engine.errors import BookBehind
from consumers.rules.engine.judging import Judging
from consumers.rules.engine.news import News
from consumers.rules.engine.rule_set import RuleSet
from consumers.rules.engine.settling import SettlingStore
from consumers.rules.engine.state import HOUR_US, WINDOWS
from consumers.rules.engine.taking_up import TakingUp
from consumers.rules.engine.telling import tell_faults
from pipeline.errors import PipelineError
from pipeline.log.port import Batch, Log
from projections.errors import NewerVersion, StoreUnavailable
from projections.projector import BATCH_EVENTS, Reads
from projections.stores.port import Store
from projections.writer import Writer
from projections.writers import Writers

_PATIENCE_SECONDS: Final = 1.0
_BEHIND_SECONDS: Final = 0.05

_logger = logging.getLogger(__name__)


def begin(log: Log, store: Store, *, token: str) -> None:
    """Set the marks to where the log ends, unless something was judged before. ``token`` is no other process's."""
    writers = Writers(store, [Judging(RuleSet.empty)], token)
    try:
        for writer in writers.current():
            if not writer.generation.checkpoints():
                heads = log.heads()
                writer.claim(heads)
                for at in heads.values():
                    writer.begin(at)
    finally:
        writers.close()


class Engine:
    """Judges into ``store``, by ``book``. ``clock`` gives microseconds since the epoch.

    A second one that starts fences the first, whose ``step`` then raises ``Fenced``.
    """

    def __init__(
        self,
        log: Log,
        store: Store,
        book: Book,
        *,
        token: str,
        clock: Callable[[], int],
        batch_events: int = BATCH_EVENTS,
        on_stop: Callable[[NewerVersion], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._store = SettlingStore(store, log)
        self._book = book
        self._batch_events = batch_events
        self._on_stop = on_stop
        self._writers = Writers(self._store, [Judging(lambda: book.rules)], token)
        self._taking_up = TakingUp(log)
        self._news = News(book, clock=clock)
        self._prepared: set[str] = set()
        self._prepared_for = book.rules
        self._newest_us = 0
        self._forgotten = 0

    def step(self) -> int:
        """Judge at most one batch a shard; returns how many events that were.

        Raises ``BookBehind``, or the log's or store's error: step again. ``Fenced``: another engine has taken over.
        """
        reads = Reads(self._log, self._batch_events)
        self._book.refresh()
        folded = 0
        for writer in self._writers.current():
            writer.claim(reads.shards)
            batches = reads.behind(writer.checkpoints)
            self._news.wait_for(batches)
            self._prepare(writer, reads.shards)
            self._store.settle()
            try:
                folded = self._fold(writer, batches)
            except NewerVersion as newer:
                self._writers.stop(writer)
                self._on_stop(newer)
        tell_faults(self._log, self._book.faults)
        return folded

    def run(self, stop: Event, *, wait_seconds: float = 0.5) -> None:
        """Step until ``stop`` is set, waiting for the log where there is nothing to do, and for what is unavailable."""
        while not stop.is_set():
            try:
                if not self.step():
                    self._wait(stop, wait_seconds)
            except BookBehind as behind:
                _logger.debug("waiting: %s", behind)
                stop.wait(_BEHIND_SECONDS)
            except (PipelineError, StoreUnavailable) as broken:
                _logger.warning("waiting: %s", broken)
                stop.wait(_PATIENCE_SECONDS)

    def close(self) -> None:
        """Close all generations."""
        self._writers.close()

    def _prepare(self, writer: Writer, shards: list[str]) -> None:
        if self._prepared_for is not self._book.rules:
            self._prepared.clear()
            self._prepared_for = self._book.rules
        for shard in shards:
            if shard not in self._prepared:
                self._taking_up.prepare(writer, shard, self._book.rules)
                self._prepared.add(shard)

    def _fold(self, writer: Writer, batches: Sequence[Batch]) -> int:
        folded = writer.fold(batches)
        for batch in batches:
            self._newest_us = max(self._newest_us, batch.recorded_us[-1])
        if not folded:
            writer.tidy()
            self._forget(writer)
        return folded

    def _forget(self, writer: Writer) -> None:
        """Forget windows in which nothing counts any more, once all that was recorded until then was judged."""
        hour = self._newest_us // HOUR_US
        if hour > self._forgotten:
            writer.generation.forget_documents(WINDOWS, f"{hour:08}")
            self._forgotten = hour

    def _wait(self, stop: Event, wait_seconds: float) -> None:
        seen = [writer.checkpoints for writer in self._writers.current()]
        if seen:
            self._log.wait(seen[0], wait_seconds)
        else:
            stop.wait(wait_seconds)
