"""A shard takes up the versions that it has not judged by yet: what it folded meanwhile is read again, and judged by them alone.

Exact:   a version judges each finding once: by this, up to the shard's checkpoint, or by the fold, behind it. That it has been
         taken up is one commit with the last of what it counted. So it does not matter when a lane learns of a version.
Repeats: a finding that stands there twice counts where it stands first.
Parked:  what waits for a redrive is left out: that asks all versions of it (``redriving``).
Poison:  a finding that cannot be judged, or is too much for a commit, is left out, and the log of this process says so: the shard
         goes on, as it does where the fold parks one.
Crash:   a piece that was committed says how far it went; the next attempt goes on there.
"""

import logging
from collections.abc import Collection, Iterator, Sequence
from typing import Any, Final

from consumers.rules.engine import state
from consumers.rules.engine.errors import BookBehind
from consumers.rules.engine.judging import judged
from consumers.rules.engine.rule_set import FINDING, RuleSet, VersionKey
from consumers.rules.rule import AHEAD_US
from pipeline.errors import PipelineError
from pipeline.log.port import Batch, Log, Position
from projections.errors import CommitTooLarge, ProjectionError
from projections.projection import Changes, Document, Rows
from projections.writer import Writer

_READ_EVENTS: Final = 5_000

_logger = logging.getLogger(__name__)


class TakingUp:
    """For any number of shards, each claimed by the writer that is given with it."""

    def __init__(self, log: Log) -> None:
        self._log = log

    def prepare(self, writer: Writer, shard: str, rules: RuleSet) -> None:
        """Take up all versions of ``rules`` that the shard lacks, but those that cannot be judged by here.

        Raises ``BookBehind``, or the log's or store's error. Whatever it raises, prepare again: what was committed stays so.
        """
        while True:
            taken = _Taken(writer.generation.documents([state.taken(shard)]).get(state.taken(shard), {}))
            taken.ask_of(rules)
            wanted = taken.under_way or [key for key in rules.judging if key not in taken.versions]
            if not wanted:
                return
            self._take_up(writer, shard, rules.some(wanted), taken)

    def _take_up(self, writer: Writer, shard: str, rules: RuleSet, taken: "_Taken") -> None:
        until = writer.checkpoints.get(shard)
        if until is not None:
            parked = {one.position for one in writer.generation.parked()} if writer.parked else set()
            for batch in self._folded(shard, until, rules, taken.reached, parked):
                self._judge(writer, batch, rules, taken)
        writer.amend(lambda _: Changes(documents={state.taken(shard): taken.done(rules.versions)}))

    def _folded(
        self, shard: str, until: Position, rules: RuleSet, reached: Position | None, parked: Collection[Position]
    ) -> Iterator[Batch]:
        """What the fold has passed that may be of interest, without repeats and what is parked, behind ``reached``."""
        begin_us = min(version.since_us for version in rules.versions.values()) - AHEAD_US
        after = self._log.since(shard, begin_us)
        seen: set[str] = set()
        while batch := self._log.read(shard, after, _READ_EVENTS):
            here = [i for i in _fresh(batch, rules, seen) if batch.positions[i] <= until]
            here = [i for i in here if reached is None or batch.positions[i] > reached]
            here = [i for i in here if batch.positions[i] not in parked]
            if here:
                yield batch.select(here)
            after = batch.positions[-1]
            if after >= until:
                return

    def _judge(self, writer: Writer, batch: Batch, rules: RuleSet, taken: "_Taken") -> None:
        """Commit what a batch comes to, by halves if it is too much at once, or holds what cannot be judged."""
        broken = self._broken(writer, batch, rules, taken)
        if broken is None:
            return
        if len(batch) == 1:
            _logger.error(
                "%s, at %s, is not judged by %s", batch.columns.id[0], batch.positions[0], _names(rules), exc_info=broken
            )
            return
        middle = len(batch) // 2
        self._judge(writer, batch.select(range(middle)), rules, taken)
        self._judge(writer, batch.select(range(middle, len(batch))), rules, taken)

    def _broken(self, writer: Writer, batch: Batch, rules: RuleSet, taken: "_Taken") -> Exception | None:
        """Commit what a batch comes to; or why that cannot be done, whenever it is tried."""
        try:
            self._commit(writer, batch, rules, taken)
        except CommitTooLarge as too_large:
            return too_large
        except (PipelineError, ProjectionError):
            raise  # log or store cannot be read just now: no fault of the finding
        except Exception as exc:  # noqa: BLE001 -- law 7: what the fold would park must not stop the shard here
            return exc
        return None

    def _commit(self, writer: Writer, batch: Batch, rules: RuleSet, taken: "_Taken") -> None:
        hits = list(rules.hits(batch))
        facts = [i for i, kind in enumerate(batch.columns.type) if kind != FINDING]
        if not (hits or facts):
            return

        def changing(rows: Rows) -> Changes:
            changes = judged(rows, batch, rules, hits, facts)
            changes.documents[state.taken(batch.shard)] = taken.on_the_way(rules.versions, batch.positions[-1])
            return changes

        writer.amend(changing)


def _names(rules: RuleSet) -> str:
    return ", ".join(f"version {number} of rule {rule}" for rule, number in rules.versions)


def _fresh(batch: Batch, rules: RuleSet, seen: set[str]) -> Iterator[int]:
    """The findings that happened since the first of the versions, no repeats, and the alerts that were raised."""
    c = batch.columns
    since_us = min(version.since_us for version in rules.versions.values())
    for index, kind in enumerate(c.type):
        wanted = kind == "alert.raised" or (kind == FINDING and c.time_us[index] >= since_us)
        if wanted and c.id[index] not in seen:
            seen.add(c.id[index])
            yield index


class _Taken:
    """The document ``taken``."""

    def __init__(self, document: Document) -> None:
        self.versions: set[VersionKey] = {(rule, number) for rule, number in document.get("versions", ())}
        way: dict[str, Any] = document.get("way") or {}
        self.under_way: list[VersionKey] = [(rule, number) for rule, number in way.get("versions", ())]
        self.reached = Position.parse(way["reached"]) if way else None

    def ask_of(self, rules: RuleSet) -> None:
        missing = sorted({*self.versions, *self.under_way} - rules.versions.keys())
        if missing:
            rule, number = missing[0]
            message = f"version {number} of rule {rule} has been judged by, but is not among the rules that were read"
            raise BookBehind(message)

    def on_the_way(self, versions: Collection[VersionKey], reached: Position) -> Document:
        way = {"versions": list(versions), "reached": str(reached)}
        return {"versions": self._sorted(self.versions), "way": way}

    def done(self, versions: Collection[VersionKey]) -> Document:
        return {"versions": self._sorted({*self.versions, *versions}), "way": None}

    @staticmethod
    def _sorted(versions: Collection[VersionKey]) -> Sequence[VersionKey]:
        return sorted(versions)
