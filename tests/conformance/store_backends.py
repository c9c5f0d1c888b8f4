"""The stores that must keep the port's promises, and what a legitimate difference between them is called."""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from projections.stores.port import Generation, Store
from projections.stores.sqlite import SqliteStore
from projections.stores.sqlite.generation import SqliteGeneration
from tests.aws.clients import Server
from tests.support.dynamo import dynamo_store, failing_dynamodb, table_at
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
    """False: segments are given whatever terms are sought."""
    stands_still: bool = True
    """False: a reader's rows may show later commits; each is at least as fresh as the checkpoints it read."""
    fences_by_shard: bool = True
    """False: a claim takes all shards, whichever it names (a lane does so one by one: see its own tests)."""
    operations: int = 6
    """On the storage, that a commit with something of everything takes at least."""
    concurrent: bool = True
    """False: transactions that are made at once may be lost."""
    dear: int = 1
    """How many times dearer an example is than with SQLite, about."""
    most_documents: int = 10_000
    """That a commit of nothing else can change, at least."""

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


def sqlite(_: pytest.FixtureRequest) -> StoreBackend:
    return StoreBackend(
        "sqlite",
        at=lambda folder: SqliteStore(folder, clock=frozen_clock),
        failing=_failing_sqlite,
        builds_atomically=False,
    )


def on_ministack(request: pytest.FixtureRequest) -> StoreBackend:
    return _dynamodb(request.getfixturevalue("ministack"))


def on_moto(request: pytest.FixtureRequest) -> StoreBackend:
    return replace(_dynamodb(request.getfixturevalue("moto")), concurrent=False)


def _dynamodb(server: Server) -> StoreBackend:
    return StoreBackend(
        server.name,
        at=lambda folder: dynamo_store(server, table_at(server, folder)),
        failing=failing_dynamodb,
        narrows=False,
        stands_still=False,
        fences_by_shard=False,
        operations=3,
        dear=3,
        most_documents=90,
    )


STORES = (sqlite, on_ministack)
"""Each makes the backend of a test that asks for it."""
SLOW_STORES = (on_moto,)
"""For some tests only: they copy the whole table for each transaction."""
