"""Connections to one SQLite file, each lent to one thread at a time.

Bounded: there are as many as were ever in use at once, however many threads come and go.
Closing: idle ones close at once, lent ones when they come back, so that nobody loses one while using it.
Errors:  SQLite's are told as ``StoreUnavailable``; the connection that met one is thrown away, and with it what it began.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Final

from projections.errors import StoreUnavailable

_BUSY_MS: Final = 10_000


def connect(path: Path) -> sqlite3.Connection:
    """A connection to an existing file, in autocommit mode: transactions begin and end where the code says so."""
    connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, check_same_thread=False)
    try:
        connection.execute(f"PRAGMA busy_timeout = {_BUSY_MS}")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.Error:
        connection.close()
        raise
    return connection


@contextmanager
def translated(path: Path) -> Iterator[None]:
    """Tell SQLite's errors as ours, naming the file."""
    try:
        yield
    except sqlite3.Error as broken:
        message = f"{path.name}: {broken}"
        raise StoreUnavailable(message) from broken


class Connections:
    """The connections of one process to the file at ``path``, opened by ``make`` as they are needed."""

    def __init__(self, path: Path, make: Callable[[Path], sqlite3.Connection]) -> None:
        self._path = path
        self._make = make
        self._lock = Lock()
        self._idle: list[sqlite3.Connection] = []
        self._closed = False

    @contextmanager
    def lent(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own. Leave no transaction and no cursor open in it, unless by an exception."""
        with translated(self._path):
            connection = self._take()
            try:
                yield connection
            except BaseException:
                connection.close()
                raise
            self._give_back(connection)

    @contextmanager
    def changing(self) -> Iterator[sqlite3.Connection]:
        """The same, within a write transaction: kept if the context ends, undone if it raises."""
        with self.lent() as connection:
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close all connections, those in use when they come back. Closing twice is harmless."""
        with self._lock:
            self._closed = True
            while self._idle:
                self._idle.pop().close()

    def _take(self) -> sqlite3.Connection:
        with self._lock:
            if self._closed:
                message = f"{self._path.name} was closed"
                raise StoreUnavailable(message)
            if self._idle:
                return self._idle.pop()
        return self._make(self._path)

    def _give_back(self, connection: sqlite3.Connection) -> None:
        with self._lock:
            if not self._closed:
                self._idle.append(connection)
                return
        connection.close()
