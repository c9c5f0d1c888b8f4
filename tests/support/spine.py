"""A projector over a log and a folder, as a process would have it, to be stopped and started again."""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from pipeline.log.port import Log
from projections.catalog import Catalog
from projections.event_index import Sought
from projections.projection import Projection
from projections.projector import ALL, Projector
from projections.rebuild import Rebuilder
from projections.segments import Entries, unpack
from projections.stores.port import GenerationRows, Store
from projections.stores.sqlite import SqliteStore
from tests.support.answers import FOR_EVER_DAYS
from tests.support.flaky import FlakyStore

NOW_US = 2_000_000_000_000_000


def frozen_clock() -> int:
    return NOW_US


@dataclass
class Spine:
    """A store in ``folder``, a projector that folds ``log`` into it, and a catalogue that reads it. Use it in a ``with``."""

    folder: Path
    log: Log
    projections: Sequence[Projection] = ALL
    batch_events: int = 100
    token: str = "first"  # a writer's token is no secret
    stopped: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._calls_left = -1
        self.store: Store = SqliteStore(self.folder, clock=frozen_clock)
        self.projector = Projector(
            self.log,
            FlakyStore(self.store, self._broken),
            token=self.token,
            projections=self.projections,
            batch_events=self.batch_events,
            on_stop=lambda newer: self.stopped.append(str(newer)),
        )
        self.catalog = Catalog(self.store, self.log, retention_days=FOR_EVER_DAYS, projections=self.projections)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        self.projector.close()
        self.catalog.close()
        self.store.close()

    def fail_in(self, calls: int) -> None:
        """Let the projector's store fail once, after so many calls; never, if that is negative."""
        self._calls_left = calls

    def _broken(self) -> bool:
        self._calls_left = max(self._calls_left - 1, -2) if self._calls_left >= 0 else -2
        return self._calls_left == -1

    def fold(self) -> int:
        """Fold all there is; returns how many steps did something."""
        steps = 0
        while self.projector.step():
            steps += 1
        return steps

    def rebuilder(self, **options: Any) -> Rebuilder:
        return Rebuilder(self.log, self.store, token="rebuild", **options)  # a writer's token is no secret

    def rows(self) -> dict[str, dict[str, Any]]:
        """Every row of every serving generation, however it is packed."""
        return {name: rows_of(self.store, name) for name in sorted(self.store.serving())}


def rows_of(store: Store, projection: str) -> dict[str, Any]:
    """Every row of a projection's serving generation."""
    with closing(store.open(store.serving()[projection])) as generation, generation.reading() as rows:
        return {
            "checkpoints": rows.checkpoints(),
            "entries": entries_of(rows),
            "counts": dict(rows.counts(0, 1 << 40)),
            "documents": dict(rows.all_documents()),
            "parked": [(p.key, p.position, p.recorded_us, p.event) for p in rows.parked()],
        }


def entries_of(rows: GenerationRows) -> list[dict[str, Any]]:
    """All entries, sorted."""
    whole = Entries()
    for segment in rows.segments(Sought(), "asc"):
        whole.extend(unpack(segment.blob))
    columns = asdict(whole)
    entries = [dict(zip(columns, values, strict=True)) for values in zip(*columns.values(), strict=True)]
    return sorted(entries, key=lambda e: (e["time_us"], e["id"], e["recorded_us"]))
