"""The projector: follows the log and folds it into the serving generation of every projection.

Order:    per shard, in log order; a shard's parents first.
Progress: a projection's checkpoints commit with its rows, whatever the others do.
Restart:  goes on behind the checkpoints; what was read but not committed is read again.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Event
from typing import Final

from pipeline.log.port import Batch, Log, Position
from projections.agent_status import AgentStatuses
from projections.alerts import Alerts
from projections.configuration import Configurations
from projections.daily_aggregates import DailyAggregates
from projections.errors import NewerVersion
from projections.event_index import EventIndex
from projections.guard import Intake
from projections.policies import Policies
from projections.projection import Projection
from projections.rules import Rules
from projections.stores.port import Store
from projections.task_board import TaskBoard
from projections.writers import Writers

ALL: Final[Sequence[Projection]] = (
    EventIndex(),
    AgentStatuses(),
    TaskBoard(),
    DailyAggregates(),
    Configurations(),
    Rules(),
    Alerts(),
    Policies(),
)
"""Every projection, in the order in which a step folds them."""

BATCH_EVENTS: Final = 5_000


def named(name: str) -> Projection:
    """The projection of that name. Raises ``KeyError``."""
    return {projection.name: projection for projection in ALL}[name]


class Reads:
    """Reads of the log within one step: projections at the same checkpoint share them."""

    def __init__(self, log: Log, limit: int) -> None:
        self._log = log
        self._limit = limit
        self._shards = log.shards()  # before any read: that a shard is closed must be known before its end is
        self._known: dict[tuple[str, Position | None], Batch] = {}

    @property
    def shards(self) -> list[str]:
        """The ids of all shards, parents before children."""
        return [shard.id for shard in self._shards]

    def behind(self, checkpoints: Mapping[str, Position]) -> list[Batch]:
        """What stands behind these checkpoints: at most one batch a shard, parents before children."""
        batches = []
        unfinished: set[str] = set()
        for shard in self._shards:
            batch = self._read(shard.id, checkpoints.get(shard.id)) if unfinished.isdisjoint(shard.parents) else None
            if batch:
                batches.append(batch)
            if batch is None or batch or not shard.closed:
                unfinished.add(shard.id)
        return batches

    def _read(self, shard: str, after: Position | None) -> Batch:
        if (shard, after) not in self._known:
            self._known[shard, after] = Intake.of(self._log.read(shard, after, self._limit))
        return self._known[shard, after]


class Projector:
    """Folds every projection. A second one that starts fences the first, whose ``step`` then raises ``Fenced``."""

    def __init__(
        self,
        log: Log,
        store: Store,
        *,
        token: str,
        projections: Sequence[Projection] = ALL,
        batch_events: int = BATCH_EVENTS,
        on_stop: Callable[[NewerVersion], None] = lambda _: None,
    ) -> None:
        self._log = log
        self._batch_events = batch_events
        self._on_stop = on_stop
        self._writers = Writers(store, projections, token)

    def outdated(self) -> list[Projection]:
        """Projections whose serving generation was built by another version of the fold: they are not folded, but rebuilt."""
        return self._writers.outdated()

    def step(self) -> int:
        """Fold at most one batch a shard into every projection; returns how many events the busiest had.

        A projection that met a newer version of a type is stopped until the next start; ``on_stop`` is told.
        """
        reads = Reads(self._log, self._batch_events)
        folded = 0
        for writer in self._writers.current():
            writer.claim(reads.shards)
            try:
                if events := writer.fold(reads.behind(writer.checkpoints)):
                    folded = max(folded, events)
                else:
                    writer.tidy()
            except NewerVersion as newer:
                self._writers.stop(writer)
                self._on_stop(newer)
        return folded

    def run(self, stop: Event, *, wait_seconds: float = 0.5) -> None:
        """Step until ``stop`` is set, waiting for the log where there is nothing to do."""
        while not stop.is_set():
            if not self.step():
                seen = [writer.checkpoints for writer in self._writers.current()]
                if seen:
                    self._log.wait(max(seen, key=len), wait_seconds)
                else:
                    stop.wait(wait_seconds)

    def close(self) -> None:
        """Close all generations."""
        self._writers.close()
