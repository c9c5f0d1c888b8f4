"""The desks in one SQLite file, by ``eventsourcing``'s own recorders.

Durability: WAL and ``synchronous=FULL``: on disk when an insert returns.
Order:      SQLite has one writer at a time, and rows are never deleted: row ids, which are the notification ids, follow commits
            without a gap. So the file must not be vacuumed, which could number them anew; a backup copies pages.
Waiting:    as readers of the log do, by a look at the file that takes microseconds.
"""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Condition, Lock
from typing import Any, Final

from eventsourcing.persistence import OperationalError
from eventsourcing.sqlite import (
    SQLiteAggregateRecorder,
    SQLiteConnection,
    SQLiteConnectionPool,
    SQLiteDatastore,
    SQLiteProcessRecorder,
)

from pipeline.desks.entity import SNAPSHOTS
from pipeline.desks.recorder.port import Recorders
from pipeline.log.sqlite.tailing import Tail
from pipeline.sqlite_file import connect, make_folder

_MODE: Final = 0o600
"""External ids are secrets, and are kept here."""
_LOCK_SECONDS: Final = 20
_IDLE: Final = 8
_MORE: Final = 128
"""Connections that are kept, and that may be open beside these while many threads ask at once."""


class _DurablePool(SQLiteConnectionPool):
    """Connections whose commits are on disk when they return, and that are not closed while somebody uses them.

    The library's pool closes lent connections, too; SQLite then reads freed memory in the thread that has one.
    """

    def __init__(self, **options: Any) -> None:
        self._turns = Condition()
        self._lent = 0
        self._refusing = False
        super().__init__(**options)

    def get_connection(self, timeout: float | None = None, *, is_writer: bool | None = None) -> SQLiteConnection:
        """A connection of one's own. Raises ``OperationalError`` once the pool is being closed."""
        with self._turns:
            if self._refusing:
                message = f"{self.db_name} was closed"
                raise OperationalError(message)
            self._lent += 1
        try:
            return super().get_connection(timeout=timeout, is_writer=is_writer)
        except BaseException:
            self._given_back()
            raise

    def put_connection(self, conn: SQLiteConnection) -> None:
        """Take a connection back."""
        try:
            super().put_connection(conn)
        finally:
            self._given_back()

    def close(self) -> None:
        """Lend no more, wait for what is lent, then close all. What does not come back in time is left to the process's end."""
        with self._turns:
            self._refusing = True
            if not self._turns.wait_for(lambda: not self._lent, _LOCK_SECONDS):
                self._in_use.clear()
        super().close()

    def _given_back(self) -> None:
        with self._turns:
            self._lent -= 1
            self._turns.notify_all()

    def _create_connection(self) -> SQLiteConnection:
        try:
            connection = super()._create_connection()
            cursor = connection.cursor()
            cursor.execute("PRAGMA synchronous = FULL")
            cursor.execute("PRAGMA journal_size_limit = 16777216")
        except sqlite3.Error as broken:  # the library translates those of transactions only
            raise OperationalError(broken) from broken
        return connection


class _Datastore(SQLiteDatastore):
    """The library's, over durable connections."""

    def __init__(self, path: Path) -> None:
        super().__init__(str(path), lock_timeout=_LOCK_SECONDS)
        self.pool.close()
        self.pool = _DurablePool(db_name=str(path), lock_timeout=_LOCK_SECONDS, pool_size=_IDLE, max_overflow=_MORE)


class _Watched:
    """One connection that only looks whether the file changed."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = Lock()
        self._connection: sqlite3.Connection | None = None

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """The connection, for one thread at a time."""
        with self._lock:
            if self._connection is None:
                self._connection = connect(self._path)
            yield self._connection

    def close(self) -> None:
        """Close it."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


@contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process or thread at a time: the library's recorder fails if another makes the same tables at once."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def open_sqlite(path: Path) -> Recorders:
    """The desks in the file at ``path``, made if it is absent, for its owner only. Whoever opens it closes it."""
    make_folder(path.parent)
    if not path.exists():
        path.touch(mode=_MODE)
    path.chmod(_MODE)  # what SQLite puts beside it gets the same
    datastore = _Datastore(path)
    events = SQLiteProcessRecorder(datastore)
    snapshots = SQLiteAggregateRecorder(datastore, events_table_name=f"snapshots_{SNAPSHOTS}")
    with _alone_in(path.parent):
        events.create_table()
        snapshots.create_table()
    watched = _Watched(path)
    tail = Tail(watched)

    def wait(seen: int, timeout_seconds: float) -> None:
        tail.wait(lambda: (events.max_notification_id() or 0) > seen, timeout_seconds)

    def close() -> None:
        watched.close()
        datastore.close()

    return Recorders(events, snapshots, wait, close)
