"""The stores that must keep the port's promises, and what a legitimate difference between them is called."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from projections.stores.port import Generation, Store
from projections.stores.sqlite import SqliteStore
from projections.stores.sqlite.generation import SqliteGeneration
from tests.support.spine import frozen_clock


@dataclass(frozen=True)
class StoreBackend:
    """How to get at a store, and what it does not promise though others do."""

    name: str
    at: Callable[[Path], Store]
    """The store that lives at a path: told twice, two programs that share it."""
    failing: Callable[[Generation, int], AbstractContextManager[None]]
    """Within it, the generation's writer fails at its n-th operation on the storage, counted from 0."""
    builds_atomically: bool = True
    """False: a commit that fails may spoil a generation under build, which is thrown away then."""
    narrows: bool = True
    """False: segments are given whatever terms and severity are sought."""

    def __str__(self) -> str:
        return self.name


class _Failing:
    """A connection that fails at one statement."""

    def __init__(self, connection: sqlite3.Connection, at: int) -> None:
        self._connection = connection
        self._left = at

    def execute(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.execute(*arguments)

    def executemany(self, *arguments: Any) -> sqlite3.Cursor:
        self._count()
        return self._connection.executemany(*arguments)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)

    def _count(self) -> None:
        self._left -= 1
        if self._left == -1:
            message = "disk I/O error"
            raise sqlite3.OperationalError(message)


@contextmanager
def _failing_sqlite(generation: Generation, at: int) -> Iterator[None]:
    assert isinstance(generation, SqliteGeneration)
    whole = generation._connection
    generation._connection = _Failing(whole, at)  # type: ignore[assignment]  # it answers what the generation asks
    try:
        yield
    finally:
        generation._connection = whole


STORES = (
    StoreBackend(
        "sqlite",
        at=lambda folder: SqliteStore(folder, clock=frozen_clock),
        failing=_failing_sqlite,
        builds_atomically=False,
    ),
)
