"""One projection's writer: folds batches into one generation, each commit whole, in order, once.

A poison event parks its key (law 7): it and the key's later events wait in order, others go on. A fold's own exception parks, and
so does a row that outgrows the store; any other error of the store or the log is the caller's to retry. A newer version of a
folded type stops the projection (law 5).
"""

import traceback
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import replace
from typing import Final

import orjson

from pipeline.errors import PipelineError
from pipeline.log.port import Batch, Position
from projections import parking
from projections.errors import CommitTooLarge, NewerVersion, ProjectionError
from projections.guard import REMEMBERED_IDS, WINDOW_DAYS, Guard, Intake, joined
from projections.projection import Changes, Document, Parked, Projection, Rows
from projections.stores.port import Commit, Generation, Marker

REDRIVEN_AT_ONCE: Final = 250
_TRACEBACK_CHARACTERS: Final = 10_000


class Writer:
    """Folds the shards that it claimed; whoever wrote them before is fenced."""

    def __init__(
        self, projection: Projection, generation: Generation, token: str, *, remembered_ids: int = REMEMBERED_IDS
    ) -> None:
        self.projection = projection
        self.generation = generation
        self.checkpoints: dict[str, Position] = {}
        self.parked = 0
        """How many events wait, in all shards, as of the last claim and what was folded since."""
        self._token = token
        self._claimed: set[str] = set()
        self._guard = Guard(generation, remembered_ids=remembered_ids)
        self._parked_keys: set[str] = set()
        self._tidied_day = 0

    @property
    def remembered(self) -> int:
        """How many ids it has in memory, to know repeats by; who drops it has them read again."""
        return len(self._guard)

    def claim(self, shards: Iterable[str]) -> None:
        """Become the writer of these shards too. Only then do their checkpoints say where to go on. Claiming twice is harmless.

        What other writers of this generation have committed meanwhile is read anew: a shard's parents were theirs, perhaps.
        """
        new = set(shards) - self._claimed
        if new:
            self.generation.claim(self._token, new)
            self.checkpoints = self.generation.checkpoints()
            waiting = self.generation.waiting()
            self.parked, self._parked_keys = sum(waiting.values()), set(waiting)
            self._guard.reset()
            self._claimed |= new

    def fold(self, batches: Sequence[Batch]) -> int:
        """Fold batches, one a claimed shard, each beginning behind the shard's checkpoint; returns how many events they had.

        In one commit, or, if that is more than the store can keep at once, by halves, each of which commits its own position.
        Raises ``Fenced``, ``NewerVersion`` (what came before it is committed), or the store's or log's error; then fold again.
        """
        newer: list[str] = []
        batches = [kept for kept in (self._up_to_newer(batch, newer) for batch in batches) if len(kept)]
        if batches:
            self._fold_by_halves(batches)
        if newer:
            raise NewerVersion(newer[0])
        return sum(map(len, batches))

    def begin(self, at: Position) -> None:
        """Leave out all of a claimed shard up to a position, if nothing of it was folded yet. Raises as ``amend``."""
        if at.shard not in self.checkpoints:
            self.generation.commit(self._token, Commit({at.shard: None}, {at.shard: at}))
            self.checkpoints[at.shard] = at

    def amend(self, changing: Callable[[Rows], Changes]) -> None:
        """Commit what ``changing`` makes of the rows, in the shards claimed, without moving a checkpoint.

        It is pure, and may be asked again. Raises ``Fenced``, ``CommitTooLarge`` (change less at a time), or the store's error;
        then nothing of it is kept.
        """
        commit = self._standing([], [], self._claimed)
        commit.changes = changing(self.generation)
        self.generation.commit(self._token, commit)

    def redrive(self, chosen: Callable[[Parked], bool] = lambda _: True, *, at_once: int = REDRIVEN_AT_ONCE) -> tuple[int, int]:
        """Fold the parked events of the keys that ``chosen`` names again, in order; returns (folded, still parked).

        A key of which an event still cannot be folded keeps waiting from there on, with the new traceback. Each commit takes
        ``at_once`` events at most, for who is fenced meanwhile soon takes over again. If this is fenced in turn, or the store
        fails, what was committed stays so: redrive the rest.
        """
        self.claim(self.generation.checkpoints())
        waiting = self.generation.parked()
        keys = {parked.key for parked in waiting if chosen(parked)}
        left = [parked for parked in waiting if parked.key in keys]
        folded = 0
        while left:
            part, behind = left[:at_once], left[at_once:]
            try:
                still = self._redrive(part, behind)
            except CommitTooLarge as too_large:
                if len(part) > 1:
                    at_once = len(part) // 2
                    continue
                still = self._leave(part[0], too_large)
            folded += len(part) - len(still)
            stuck = {parked.key for parked in still}
            left = [parked for parked in behind if parked.key not in stuck]
        return folded, self.parked

    def _redrive(self, part: Sequence[Parked], behind: Sequence[Parked]) -> list[Parked]:
        """Fold parked events, behind which others wait; returns those of them that go on waiting, in their places."""
        folding = _Folding(self.projection, self.generation, self._parked_keys.difference(parked.key for parked in part))
        for parked in part:
            folding.fold(parking.unpark(parked))
        still, folding.parked = folding.parked, []
        folding.parked_keys.update(parked.key for parked in behind)
        waiting = {parked.position for parked in still}
        unparked = [parked.position for parked in part if parked.position not in waiting]
        self._keep(folding, self._standing(unparked, [parked for parked in still if parked.error]))
        return still

    def _leave(self, parked: Parked, why: CommitTooLarge) -> list[Parked]:
        """Let an event wait whose rows the store cannot keep."""
        folding = _Folding(self.projection, self.generation, self._parked_keys)
        self._keep(folding, self._standing([], [replace(parked, error=_told(why))]))
        return [parked]

    def _standing(self, unparked: Sequence[Position], retraced: Sequence[Parked], shards: Collection[str] = ()) -> Commit:
        """A commit that moves no checkpoint: of ``shards``, or of all that have one."""
        reached = {shard: at for shard, at in self.checkpoints.items() if not shards or shard in shards}
        expected = dict.fromkeys(shards) | reached
        return Commit(expected, reached, unparked=unparked, retraced=retraced)

    def tidy(self) -> None:
        """Forget markers that can decide nothing any more. Call it only where nothing of the log is left to fold.

        What comes later is then recorded later; while one shard is read ahead of another, it need not be.
        """
        newest = self._guard.newest_day
        if newest > self._tidied_day:
            self.generation.forget_markers(newest - WINDOW_DAYS - 1)
            self._tidied_day = newest

    def _fold_by_halves(self, batches: Sequence[Batch]) -> None:
        """Fold batches in one commit, or in as many as it takes. An event whose rows are too much by themselves is parked."""
        try:
            self._fold(batches)
        except CommitTooLarge as too_large:
            self._guard.reset()
            if sum(map(len, batches)) == 1:
                self._fold(batches, _told(too_large))
                return
            for half in _halves(batches):
                self._fold_by_halves(half)
        except BaseException:
            self._guard.reset()
            raise

    def _fold(self, batches: Sequence[Batch], refused: str = "") -> None:
        """Fold batches in one commit; or park them, if it is told why they cannot be folded."""
        folding = _Folding(self.projection, self.generation, self._parked_keys)
        markers: list[Marker] = []
        for batch in batches:
            fresh, marked = self._fresh(batch)
            markers += marked
            if refused:
                folding.park(fresh, refused)
            else:
                folding.fold(fresh)
        expected = {batch.shard: self.checkpoints.get(batch.shard) for batch in batches}
        reached = {batch.shard: batch.positions[-1] for batch in batches}
        self._keep(folding, Commit(expected, reached, markers=joined(markers)))

    def _keep(self, folding: "_Folding", commit: Commit) -> None:
        commit.changes, commit.parked = folding.changes, folding.parked
        self.generation.commit(self._token, commit)
        self.checkpoints |= commit.reached
        self.parked += len(commit.parked) - len(commit.unparked)
        self._parked_keys = folding.parked_keys
        self._guard.kept()

    def _up_to_newer(self, batch: Batch, newer: list[str]) -> Batch:
        """The batch, or what stands before its first event of a version that this build does not know."""
        folds, c = self.projection.folds, batch.columns
        for kind, version in Intake.of(batch).versions:
            if version > folds.get(kind, version):
                break
        else:
            return batch
        index = next(i for i, kind in enumerate(c.type) if c.version[i] > folds.get(kind, c.version[i]))
        kind = c.type[index]
        newer.append(
            f"{self.projection.name} folds {kind} up to version {folds[kind]};"
            f" {batch.positions[index]} has version {c.version[index]}: deploy a build that knows it"
        )
        return batch.select(range(index))

    def _fresh(self, batch: Batch) -> tuple[Batch, list[Marker]]:
        fresh, markers = self._guard.sift(batch, self.projection.folds)
        return (batch if len(fresh) == len(batch) else batch.select(fresh)), markers


class _Folding:
    """What folding towards one commit comes to: changes, and parked events with the keys that wait behind them."""

    def __init__(self, projection: Projection, rows: Rows, parked_keys: Collection[str]) -> None:
        self.changes = Changes()
        self.parked: list[Parked] = []
        self.parked_keys = set(parked_keys)
        self._projection = projection
        self._rows = _Overlay(self.changes, rows)

    def fold(self, batch: Batch) -> None:
        """Fold events of one shard, in order; what cannot be folded is parked."""
        self.parked += sorted(self._fold(batch), key=lambda parked: parked.position)

    def park(self, batch: Batch, error: str) -> None:
        """Let events wait that were not folded: the store's rows could not take them."""
        keys = [self._projection.parking_key(batch, index) for index in range(len(batch))]
        self.parked += [_parked(key, batch, index, error) for index, key in enumerate(keys)]
        self.parked_keys.update(keys)

    def _fold(self, batch: Batch) -> list[Parked]:
        """Fold a batch whole if it can be, else by halves; returns what was parked, a key's events in order."""
        parked, free = self._waiting(batch)
        error = self._try(free) if len(free) else ""
        if error and len(free) == 1:
            key = self._projection.parking_key(free, 0)
            self.parked_keys.add(key)
            parked.append(_parked(key, free, 0, error))
        elif error:
            middle = len(free) // 2
            parked += self._fold(free.select(range(middle)))
            parked += self._fold(free.select(range(middle, len(free))))
        return parked

    def _waiting(self, batch: Batch) -> tuple[list[Parked], Batch]:
        """The events that wait behind a parked one, parked too, and the others."""
        if not self.parked_keys:
            return [], batch
        keys = [self._projection.parking_key(batch, index) for index in range(len(batch))]
        waiting = [_parked(key, batch, index, "") for index, key in enumerate(keys) if key in self.parked_keys]
        free = [index for index, key in enumerate(keys) if key not in self.parked_keys]
        return waiting, batch.select(free) if waiting else batch

    def _try(self, batch: Batch) -> str:
        """Fold a batch whole or not at all; returns the traceback of the fold's own exception, if it raised one."""
        try:
            changes = self._projection.fold(self._rows, batch)
        except (PipelineError, ProjectionError):
            raise  # log or store cannot be read just now: no fault of the event
        except Exception as exc:  # noqa: BLE001  # law 7: a fold's own exception parks the event
            return _told(exc)
        self.changes.absorb(changes)
        return ""


def _told(error: Exception) -> str:
    """A traceback, with lone surrogates spelled out: no store could keep them, and what cannot be parked would stop the shard."""
    text = "".join(traceback.format_exception(error))[-_TRACEBACK_CHARACTERS:]
    return text.encode(errors="backslashreplace").decode()


def _halves(batches: Sequence[Batch]) -> list[list[Batch]]:
    """The first half of each batch, then the second: a shard's order is kept."""
    halves = [(b.select(range((len(b) + 1) // 2)), b.select(range((len(b) + 1) // 2, len(b)))) for b in batches]
    return [[half for half in side if len(half)] for side in zip(*halves, strict=True) if any(map(len, side))]


def _parked(key: str, batch: Batch, index: int, error: str) -> Parked:
    record = batch.record(index)
    return Parked(key, record.position, record.recorded_us, parking.encode(record.event), error)


class _Overlay:
    """The rows with changes that are not committed yet. Documents are copies: a fold that fails halfway spoils nothing."""

    def __init__(self, changes: Changes, rows: Rows) -> None:
        self._changes = changes
        self._rows = rows

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        changed = self._changes.documents
        found = self._rows.documents([key for key in keys if key not in changed])
        return found | {key: orjson.loads(orjson.dumps(changed[key])) for key in keys if key in changed}
