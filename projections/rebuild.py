"""Fold the log again from its first event: into a new generation that then serves, or into a scratch one to compare.

Beside:  the serving generation is read and written all the while; the switch is atomic, and readers never go back in time.
Broken:  a rebuild that is cancelled, killed, or fails leaves the serving generation untouched; it begins anew.
Silent:  nothing here can send: a fold has no sender.
"""

from bisect import bisect_right
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, TypeVar

from pipeline.log.port import Batch, Log, Position
from projections.compare import Difference, compare
from projections.errors import GenerationGone, GenesisLost, ParkedEvents, ProjectionError, RebuildCancelled, StoreUnavailable
from projections.projection import Projection
from projections.projector import Reads
from projections.stores.port import Generation, GenerationInfo, Status, Store
from projections.writer import Writer

BATCH_EVENTS: Final = 10_000
_COMPARISONS: Final = 5
"""Attempts at comparing rows that a store does not hold still."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a rebuild is. ``total`` grows while events are appended."""

    projection: str
    folded: int
    total: int
    parked: int


class Outcome(StrEnum):
    """How a rebuild ended."""

    SWITCHED = "switched"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True)
class Rebuilt:
    """The end of a rebuild. ``difference`` is between the former generation and the new one, where it was asked for."""

    outcome: Outcome
    generation: int
    folded: int
    parked: int
    difference: Difference | None = None


_End = TypeVar("_End")
_Run = Generator[Mapping[str, Position], Sequence[Batch], _End]
"""A rebuild on its way: it asks for what stands behind some checkpoints, and is sent it."""


@dataclass(slots=True)
class Rebuilder:
    """Builds generations. ``cancelled`` is asked before each batch, ``on_progress`` told after it."""

    log: Log
    store: Store
    token: str
    on_progress: Callable[[Progress], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False
    batch_events: int = BATCH_EVENTS

    def rebuild(self, projection: Projection, *, accept_parked: bool = False, diff: bool = False) -> Rebuilt:
        """Build a new generation and let it serve.

        Raises ``GenesisLost``, ``RebuildRunning``, or ``ParkedEvents`` if events were parked and that was not accepted.
        """
        return self._alone(self._rebuild(projection, accept_parked=accept_parked, diff=diff))

    def rebuild_together(
        self, projections: Sequence[Projection], *, accept_parked: bool = False, diff: bool = False
    ) -> dict[str, Rebuilt | ProjectionError]:
        """Rebuild several from one reading of the log; returns by name how each ended.

        Each switches, is cancelled, or fails as it would alone, and the others go on. An error of the log ends them all.
        """
        ends: dict[str, Rebuilt | ProjectionError] = {}
        with ExitStack() as stack:
            runs = {p.name: self._rebuild(p, accept_parked=accept_parked, diff=diff) for p in projections}
            for run in runs.values():
                stack.enter_context(closing(run))
            asked: dict[str, Mapping[str, Position]] = {}
            while runs:
                reads = Reads(self.log, self.batch_events)
                for name, run in list(runs.items()):
                    try:
                        asked[name] = run.send(reads.behind(asked[name])) if name in asked else next(run)
                    except StopIteration as end:
                        ends[name] = end.value
                    except ProjectionError as failure:
                        ends[name] = failure
                    if name in ends:
                        del runs[name]
        return ends

    def verify(self, projection: Projection) -> Difference:
        """Fold the log into a scratch generation up to where the serving one is, and compare their rows.

        Raises ``GenesisLost``, ``RebuildRunning``, ``RebuildCancelled``; ``LookupError`` if nothing serves yet.
        """
        self._ask_for_genesis()
        serving = self.store.serving()[projection.name]
        with self.store.building(projection.name):
            info = self.store.create(projection.name, projection.version, serving=False)
            writer = Writer(projection, self.store.open(info), self.token)
            try:
                return self._alone(self._difference(writer, info, serving))
            finally:
                writer.generation.close()
                self.store.drop(info)

    def _alone(self, run: _Run[_End]) -> _End:
        """Drive a run to its end."""
        with closing(run):
            try:
                asked = next(run)
                while True:
                    asked = run.send(Reads(self.log, self.batch_events).behind(asked))
            except StopIteration as end:
                value: _End = end.value
                return value

    def _rebuild(self, projection: Projection, *, accept_parked: bool, diff: bool) -> _Run[Rebuilt]:
        self._ask_for_genesis()
        with self.store.building(projection.name):
            info = self.store.create(projection.name, projection.version, serving=False)
            try:
                return (yield from self._build(projection, info, accept_parked=accept_parked, diff=diff))
            except (RebuildCancelled, GenerationGone):
                self.store.drop(info)
                return Rebuilt(Outcome.CANCELLED, info.number, 0, 0)
            except BaseException:
                self.store.drop(info)
                raise

    def _build(self, projection: Projection, info: GenerationInfo, *, accept_parked: bool, diff: bool) -> _Run[Rebuilt]:
        former = self.store.serving().get(projection.name)
        writer = Writer(projection, self.store.open(info), self.token)
        try:
            difference = (yield from self._difference(writer, info, former)) if diff and former else None
            yield from self._approach(writer, info)
            _ask_about_parked(writer, accept_parked=accept_parked)

            def catch_up() -> None:
                self._alone(self._fold(writer, info, self.log.heads()))
                _ask_about_parked(writer, accept_parked=accept_parked)
                writer.generation.close()

            self.store.switch(info, catch_up)
        finally:
            writer.generation.close()
        self._drop_older_than(former, projection.name)
        return Rebuilt(Outcome.SWITCHED, info.number, self._folded(writer), writer.parked, difference)

    def _difference(self, writer: Writer, info: GenerationInfo, former: GenerationInfo) -> _Run[Difference]:
        """Bring the new rows exactly to where the former ones stand at one moment, and compare."""
        generation: Generation = self.store.open(former)
        try:
            yield from self._fold(writer, info, generation.checkpoints())  # the long way, while nobody's snapshot is held
            with generation.reading() as rows:
                for _ in range(_COMPARISONS):
                    moment = rows.checkpoints()
                    self._alone(self._fold(writer, info, moment))
                    difference = compare(rows, writer.generation)
                    if rows.checkpoints() == moment:
                        return difference
        finally:
            generation.close()
        message = f"the rows of {former.projection} moved while they were compared; ask again, or stop the projector first"
        raise StoreUnavailable(message)

    def _approach(self, writer: Writer, info: GenerationInfo) -> _Run[None]:
        """Fold until a batch is left, or it gets no less. Waiting for an end would never end where events come all the time."""
        left = self.log.behind(writer.checkpoints)
        while True:
            yield from self._fold(writer, info, self.log.heads())
            before, left = left, self.log.behind(writer.checkpoints)
            if left <= self.batch_events or left >= before:
                return

    def _fold(self, writer: Writer, info: GenerationInfo, until: Mapping[str, Position]) -> _Run[None]:
        """Fold on up to these positions."""
        while True:
            if self.cancelled() or info not in self.store.generations(info.projection):
                message = f"the rebuild of {info.projection} was cancelled"
                raise RebuildCancelled(message)
            writer.claim(shard.id for shard in self.log.shards())
            batches = yield writer.checkpoints
            if not writer.fold([_up_to(until[batch.shard], batch) for batch in batches if batch.shard in until]):
                return
            left = self.log.behind(writer.checkpoints)
            folded = self._folded(writer)
            self.on_progress(Progress(info.projection, folded, folded + left, writer.parked))

    def _folded(self, writer: Writer) -> int:
        return self.log.behind({}) - self.log.behind(writer.checkpoints)

    def _ask_for_genesis(self) -> None:
        lost = [shard.id for shard in self.log.shards() if not shard.complete]
        if lost:
            message = f"the log no longer holds the first events of {', '.join(lost)}: a rebuild would miss them"
            raise GenesisLost(message)

    def _drop_older_than(self, former: GenerationInfo | None, projection: str) -> None:
        """Keep one retired generation, to look at; readers may still have it open."""
        for info in self.store.generations(projection):
            if info.status is Status.RETIRED and former and info.number < former.number:
                self.store.drop(info)


def _up_to(position: Position, batch: Batch) -> Batch:
    """The batch, or what of it does not stand behind ``position``."""
    count = bisect_right(batch.positions, position)
    return batch if count == len(batch) else batch.select(range(count))


def _ask_about_parked(writer: Writer, *, accept_parked: bool) -> None:
    """Raise ``ParkedEvents`` if some were parked and that was not accepted."""
    if writer.parked and not accept_parked:
        message = (
            f"{writer.projection.name}: {writer.parked} events are parked in the new generation; the former one goes on serving."
            " Look at them with `findstream parked`, or rebuild with --accept-parked"
        )
        raise ParkedEvents(message)


def cancel(store: Store, projection: str) -> bool:
    """Cancel a rebuild, also another process's: it ends before its next batch. False if there is none."""
    building = [info for info in store.generations(projection) if info.status is Status.BUILDING]
    for info in building:
        store.drop(info)
    return bool(building)
