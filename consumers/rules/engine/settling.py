"""After each commit: all shards' state of what it touched is read, and what follows from it is told to the log.

Exact:   the commit is kept before the others' state is read, and every shard does so. So whoever commits last sees all that
         counts, and somebody sees the threshold reached; several may, which is why an alert's id derives from what it is about.
Owed:    what a commit owes stands in it (``debt``). It is told before the next commit is kept, and, after a crash, by whoever
         claims the shard next. Nobody settles what was not kept: a writer that is fenced in a commit owes nothing for it.
Twice:   telling again changes nothing: the log, or those who fold it, know the facts' ids.
Outages: a commit that cannot be settled just now is kept all the same: ``settle`` again, or commit, which does so first.
"""

import logging
from collections import OrderedDict, defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Final

from consumers.rules import alerting
from consumers.rules.engine import state
from consumers.rules.engine.debt import Debt, Touched
from consumers.rules.engine.state import Tally, summed
from consumers.rules.engine.telling import tell
from pipeline.errors import PipelineError
from pipeline.log.port import Log, Position
from projections.errors import ProjectionError
from projections.event_index import Direction, PackedSegment, Sought
from projections.projection import CountKey, Document, Parked
from projections.stores.port import Commit, Generation, GenerationInfo, GenerationRows, Marker, Store
from schemas.envelope import Envelope

REMEMBERED: Final = 100_000
"""Facts of which it is known here that they were told, so that a storm costs no reading."""

_logger = logging.getLogger(__name__)


class Told:
    """What was told of late, the last ones only."""

    def __init__(self, most: int = REMEMBERED) -> None:
        self._most = most
        self._known: OrderedDict[Hashable, None] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        """Whether it is known to have been told."""
        return key in self._known

    def add(self, keys: Iterable[Hashable]) -> None:
        """These were."""
        self._known.update(dict.fromkeys(keys))
        while len(self._known) > self._most:
            self._known.popitem(last=False)


class SettlingGeneration:
    """A generation of ``judging`` whose commits are settled. Its methods raise what the generation's do.

    ``commit``, ``claim`` and ``settle`` raise ``LogUnavailable`` too: then nothing is committed, and what is owed is owed still.
    """

    def __init__(self, generation: Generation, log: Log, told: Told) -> None:
        self._generation = generation
        self._log = log
        self._told = told
        self._owed: dict[str, Debt] = {}
        self._written: set[str] = set()
        """Shards whose stored debt is not empty."""

    @property
    def owes(self) -> bool:
        """Whether a commit is not settled yet."""
        return bool(self._owed)

    @property
    def info(self) -> GenerationInfo:
        """Which one it is."""
        return self._generation.info

    def claim(self, token: str, shards: Collection[str]) -> None:
        """Become the writer of these shards, and owe what former writers did not settle."""
        self._generation.claim(token, shards)
        self.owe(shards)

    def owe(self, shards: Collection[str]) -> None:
        """Owe what the last commits of these shards owed, told or not. Telling it needs no claim."""
        keys = {state.pending(shard): shard for shard in shards}
        for key, document in self._generation.documents(keys).items():
            if debt := Debt.read(document):
                self._owed.setdefault(keys[key], Debt()).absorb(debt)
                self._written.add(keys[key])

    def commit(self, token: str, commit: Commit) -> None:
        """Settle what is owed, keep the commit, and settle it, if that can be done now."""
        self.settle()
        debts = _debts(commit)
        for shard in {*debts, *(self._written & commit.expected.keys())}:
            commit.changes.documents[state.pending(shard)] = debts.get(shard, Debt()).written()
        self._generation.commit(token, commit)
        self._written = (self._written - commit.expected.keys()) | debts.keys()
        self._owed = debts
        try:
            self.settle()
        except (PipelineError, ProjectionError) as broken:
            _logger.warning("judged, but not told yet: %s", broken)

    def settle(self) -> int:
        """Tell what is owed; returns how many facts that were. Harmless where nothing is."""
        told = 0
        for shard, debt in list(self._owed.items()):
            told += self._settle(debt)
            del self._owed[shard]
        return told

    def _settle(self, debt: Debt) -> int:
        facts = [fact for fact in debt.facts.values() if fact.id not in self._told]
        windows = [window for window in debt.windows.values() if window.key not in self._told]
        shards = sorted(self._generation.checkpoints()) if windows or debt.groups else []
        concluded = dict(self._concluded(windows, shards))
        over = dict(self._over(debt.groups, shards))
        facts += concluded.values()
        facts += over.values()
        tell(self._log, facts)
        self._told.add([fact.id for fact in facts])
        self._told.add([*concluded, *over])
        return len(facts)

    def _concluded(self, windows: Sequence[Touched], shards: Sequence[str]) -> Iterator[tuple[Hashable, Envelope]]:
        """The alerts of windows in which the findings of all shards reach the threshold."""
        found = self._pages({window.page for window in windows}, shards)
        for window in windows:
            told = [page[window.entry] for page in found[window.page] if window.entry in page]
            tallies = [Tally.read(entry[str(window.start_us)]) for entry in told if str(window.start_us) in entry]
            if tallies and (alert := window.concluded(summed(tallies, distinct=window.distinct))):
                yield window.key, alerting.raised(alert)

    def _over(self, groups: Collection[str], shards: Sequence[str]) -> Iterator[tuple[Hashable, Envelope]]:
        """The ends of alerts after whose threshold was reached a finding happened that closes them."""
        found = self._pages({state.open_page(group) for group in groups}, shards)
        over: dict[str, tuple[int, str]] = {}
        for group in groups:
            told = [page[group] for page in found[state.open_page(group)] if group in page]
            closing = max((tuple(one["closing"]) for one in told if one["closing"]), default=(0, ""))
            for alert_id, reached_us in ((alert, at) for one in told for alert, at in one["open"].items()):
                if closing[0] - state.CLOSABLE_US <= reached_us < closing[0] and (alert_id, closing) not in self._told:
                    over[alert_id] = closing
        ends = self._pages({state.closed_page(alert_id) for alert_id in over}, shards)
        for alert_id, closing in over.items():
            last = max((page[alert_id] for page in ends[state.closed_page(alert_id)] if alert_id in page), default=[0, False])
            if not last[1] and last[0] < closing[0]:
                yield (alert_id, closing), alerting.resolved(alert_id, *closing)

    def _pages(self, pages: Collection[str], shards: Sequence[str]) -> Mapping[str, list[Document]]:
        """The documents of all shards, by page."""
        keys = {page + shard: page for page in pages for shard in shards}
        found: defaultdict[str, list[Document]] = defaultdict(list)
        for key, document in (self._generation.documents(keys) if keys else {}).items():
            found[keys[key]].append(document)
        return found

    # What follows only passes on.

    def checkpoints(self) -> dict[str, Position]:
        """As the generation says."""
        return self._generation.checkpoints()

    def segments(self, sought: Sought, direction: Direction) -> Iterator[PackedSegment]:
        """As the generation says."""
        return self._generation.segments(sought, direction)

    def counts(self, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
        """As the generation says."""
        return self._generation.counts(since_hour, until_hour)

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        """As the generation says."""
        return self._generation.documents(keys)

    def all_documents(self, kind: str = "") -> Iterator[tuple[str, Document]]:
        """As the generation says."""
        return self._generation.all_documents(kind)

    def documents_from(self, kind: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """As the generation says."""
        return self._generation.documents_from(kind, after, limit)

    def parked(self) -> Sequence[Parked]:
        """As the generation says."""
        return self._generation.parked()

    def waiting(self) -> Mapping[str, int]:
        """As the generation says."""
        return self._generation.waiting()

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        """As the generation says."""
        return self._generation.markers(hours, since_day)

    def forget_markers(self, before_day: int) -> None:
        """As the generation does."""
        self._generation.forget_markers(before_day)

    def forget_documents(self, kind: str, before: str) -> None:
        """As the generation does."""
        self._generation.forget_documents(kind, before)

    def reading(self) -> AbstractContextManager[GenerationRows]:
        """As the generation does."""
        return self._generation.reading()

    def close(self) -> None:
        """As the generation does. What is owed stands in the store: who claims next tells it."""
        self._owed = {}
        self._generation.close()


class SettlingStore:
    """A store whose generations settle what is committed to them; ``store`` is closed by who opened it."""

    def __init__(self, store: Store, log: Log, told: Told | None = None) -> None:
        self._store = store
        self._log = log
        self._told = told or Told()
        self._opened: list[SettlingGeneration] = []

    def open(self, info: GenerationInfo) -> SettlingGeneration:
        """A generation, to write or to read. Raises ``GenerationGone``."""
        opened = SettlingGeneration(self._store.open(info), self._log, self._told)
        self._opened = [opened]
        return opened

    def settle(self) -> int:
        """Settle what is owed by the generation opened last; those before were given up, and their debts read by it."""
        return sum(generation.settle() for generation in self._opened)

    def generations(self, projection: str) -> Sequence[GenerationInfo]:
        """As the store says."""
        return self._store.generations(projection)

    def serving(self) -> Mapping[str, GenerationInfo]:
        """As the store says."""
        return self._store.serving()

    def create(self, projection: str, version: int, *, serving: bool) -> GenerationInfo:
        """As the store does."""
        return self._store.create(projection, version, serving=serving)

    def switch(self, info: GenerationInfo, catch_up: Callable[[], None]) -> None:
        """As the store does."""
        self._store.switch(info, catch_up)

    def drop(self, info: GenerationInfo) -> None:
        """As the store does."""
        self._store.drop(info)

    def building(self, projection: str) -> AbstractContextManager[None]:
        """As the store does."""
        return self._store.building(projection)

    def close(self) -> None:
        """As the store does."""
        self._store.close()


def _debts(commit: Commit) -> dict[str, Debt]:
    """What a commit owes, by shard: taken out of its parts, one for each batch that was folded towards it."""
    debts: dict[str, Debt] = {}
    documents = commit.changes.documents
    for key in [key for key in documents if key.startswith(f"{state.PENDING}//")]:
        shard = key.removeprefix(f"{state.PENDING}//").partition("/")[0]
        debts.setdefault(shard, Debt()).absorb(Debt.read(documents.pop(key)))
    return debts
