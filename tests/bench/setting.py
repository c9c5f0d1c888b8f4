"""Where a benchmark runs: folders that go away, and our parts opened in them as the roles open them."""

import shutil
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from itertools import islice
from pathlib import Path
from time import perf_counter

from consumers.garbage import collect_seldom
from pipeline.log.sqlite import SqliteLog
from projections.projector import Projector
from projections.stores.sqlite import SqliteStore
from tests.bench import naive
from tests.bench.material import Told, told
from tests.bench.naive import Variant

VARIANTS: tuple[Variant, ...] = ("plain", "equal")


@dataclass
class Clock:
    """A clock that stands where it is set."""

    now_us: int = 0

    def __call__(self) -> int:
        """Microseconds since the epoch."""
        return self.now_us


@dataclass
class Ours:
    """A log and a store in one folder."""

    folder: Path
    clock: Clock

    @cached_property
    def log(self) -> SqliteLog:
        """The log."""
        return SqliteLog(self.folder / "log.db", clock=self.clock)

    @cached_property
    def store(self) -> SqliteStore:
        """The store."""
        return SqliteStore(self.folder / "projections", clock=self.clock)

    def append(self, material: Sequence[Told], size: int) -> None:
        """Append in batches of ``size``; the clock follows the events."""
        events = [told.event for told in material]
        for begin in range(0, len(events), size):
            batch = events[begin : begin + size]
            self.clock.now_us = material[begin + len(batch) - 1].at_us
            self.log.append(batch)

    def projector(self) -> Projector:
        """A projector of all four."""
        return Projector(self.log, self.store, token="bench")  # a writer's name, no secret

    def close(self) -> None:
        """Close the log."""
        self.log.close()


@contextmanager
def folder() -> Iterator[Path]:
    """A folder on disk, for as long as it is needed."""
    path = Path(tempfile.mkdtemp(prefix="findstream-bench-"))
    try:
        yield path
    finally:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def ours(at: Path | None = None) -> Iterator[Ours]:
    """Our parts in a folder of their own, or in an existing one."""
    if at is not None:
        parts = Ours(at, Clock())
        yield parts
        parts.close()
        return
    with folder() as path, ours(path) as parts:
        yield parts


def as_a_role(run: Callable[..., None], *arguments: object) -> None:
    """Run in this process as ``consumers.role`` runs one."""
    collect_seldom()
    run(*arguments)


def fill(at: Path, count: int, *, size: int = 1000) -> int:
    """A log of ``count`` events under ``at``, appended as they come; returns the bytes of their lines."""
    material = told()
    raw = 0
    with ours(at) as parts:
        for _ in range(0, count, size):
            batch = list(islice(material, size))
            raw += sum(len(item.line) for item in batch)
            parts.append(batch, size)
    return raw


def seconds(begin: float) -> float:
    """Since ``begin``, by the performance counter."""
    return perf_counter() - begin


def naive_texts(material: Sequence[Told]) -> list[tuple[str, str]]:
    """The same events as the naive log holds them: (id, JSON)."""
    return [(item.event.id, naive.encoded(naive.copied(item.event))) for item in material]
