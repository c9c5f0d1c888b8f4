"""One SQLite file that many threads and processes read and write at once.

Connections: borrowed from a pool, so no two threads ever share one.
Reads:       see one committed state each, block nobody and are blocked by nobody.
Writes:      one at a time over all threads and processes, all or nothing; on disk before the block ends, unless asked otherwise.
Errors:      SQLite's are translated to those named in ``Errors``; the connection that met one is thrown away.
Forks:       refused. SQLite's bookkeeping of locks does not survive one, not even for connections opened after it ("How To
             Corrupt An SQLite Database File", section "Carrying an open database connection across a fork()").
Crash:       a killed process leaves nothing behind: its locks go with it, its unfinished write was never visible.
"""

import os
import sqlite3
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.errors import OpenedBeforeFork, PipelineError, UnknownFormat
from pipeline.writer_lock import WriterLock

Connect = Callable[[Path], sqlite3.Connection]
"""Opens a connection. Tests hand in one that fails, or that forgets to sync."""

BUSY_SECONDS: Final = 10.0
"""How long a writer waits for its turn before it gives up."""

_FULL_BELOW_BYTES: Final = 1 << 20
_NORMAL: Final = 1
_TRANSIENT: Final = frozenset(
    {
        sqlite3.SQLITE_BUSY,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_LOCKED,
        sqlite3.SQLITE_NOMEM,
        sqlite3.SQLITE_PERM,
        sqlite3.SQLITE_PROTOCOL,
        sqlite3.SQLITE_READONLY,
    }
)


@dataclass(frozen=True, slots=True)
class Errors:
    """What to raise when the file cannot be reached or written just now, has no space, or cannot be read back."""

    unavailable: type[PipelineError]
    full: type[PipelineError]
    corrupted: type[PipelineError]


@dataclass(frozen=True, slots=True)
class Schema:
    """What makes a file ours. ``application_id`` and ``version`` stand in SQLite's header; ``statements`` make a new one."""

    application_id: int
    version: int
    statements: Sequence[str]


def connect(path: Path) -> sqlite3.Connection:
    """A connection whose commits are on disk when they return; transactions begin and end explicitly."""
    connection = sqlite3.connect(path, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)
    try:
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute("PRAGMA secure_delete = OFF")  # freed pages are reused, not wiped
        connection.execute("PRAGMA journal_size_limit = 16777216")  # bytes: a WAL that a long read let grow shrinks again
    except sqlite3.Error:
        connection.close()
        raise
    return connection


def sync(path: Path) -> None:
    """Bring a file, or the names in a folder, to disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, unless it is there; what was made outlives a power cut."""
    made = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in made:
        sync(one.parent)


class SqliteFile:
    """The file at ``path``, made by ``schema`` if there is none. Raises ``UnknownFormat`` if it is something else."""

    def __init__(self, path: Path, schema: Schema, errors: Errors, *, connect: Connect = connect) -> None:
        self.path = path
        self._schema = schema
        self._errors = errors
        self._connect = connect
        self._closed = False
        self._process = os.getpid()
        self._idle: deque[sqlite3.Connection] = deque()
        try:
            make_folder(path.parent)
            self._lock = WriterLock(path.with_name(f"{path.name}-lock"))
        except OSError as broken:
            message = f"{path}: {broken.strerror}"
            raise errors.unavailable(message) from broken
        try:
            with self._turn(), self.reading() as connection:
                self._recognise(connection)
        except BaseException:
            self.close()
            raise

    @contextmanager
    def reading(self) -> Iterator[sqlite3.Connection]:
        """A connection of one's own; each statement sees the newest committed state. Finish cursors before leaving."""
        self._refuse_fork()
        try:
            connection = self._idle.pop()
        except IndexError:
            connection = self._opened()
        try:
            yield connection
        except sqlite3.Error as broken:
            connection.close()
            self._translate(broken)
            raise
        except BaseException:
            connection.close()
            raise
        self._idle.append(connection)
        if self._closed:  # asked last: whoever closed the file meanwhile may have looked at the idle ones before
            self._close_idle()

    @contextmanager
    def snapshot(self) -> Iterator[sqlite3.Connection]:
        """A connection whose statements all see one committed state. Keep it short: the WAL cannot shrink meanwhile."""
        with self.reading() as connection:
            connection.execute("BEGIN")
            yield connection
            connection.execute("COMMIT")

    @contextmanager
    def writing(self, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        """The one write transaction: committed and on disk when the block ends, undone if it raises.

        If not ``synced``, it outlives a kill at once, but a power cut only from the next write on that is: syncing the WAL brings
        all that stands in it to disk (SQLite's page "Pragma statements", on ``synchronous = NORMAL``).
        """
        with self._turn(), self.reading() as connection, _unsynced(connection) if not synced else nullcontext():
            connection.execute("BEGIN IMMEDIATE")
            yield connection
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close idle connections now, borrowed ones when they come back. Later calls raise ``Errors.unavailable``."""
        self._refuse_fork()
        self._closed = True
        self._lock.close()
        self._close_idle()

    def _close_idle(self) -> None:
        with suppress(IndexError):
            while True:
                self._idle.pop().close()

    def _recognise(self, connection: sqlite3.Connection) -> None:
        (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        (found,) = connection.execute("PRAGMA application_id").fetchone()
        if not tables and not found:
            connection.execute("PRAGMA journal_mode = WAL").fetchone()
            connection.execute("BEGIN IMMEDIATE")
            connection.execute(f"PRAGMA application_id = {self._schema.application_id}")
            connection.execute(f"PRAGMA user_version = {self._schema.version}")
            for statement in self._schema.statements:
                connection.execute(statement)
            connection.execute("COMMIT")
            found = self._schema.application_id
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        if (found, version) != (self._schema.application_id, self._schema.version):
            message = (
                f"{self.path} is of kind {found:#x}, format {version}; "
                f"expected is kind {self._schema.application_id:#x}, format {self._schema.version}"
            )
            raise UnknownFormat(message)

    def _refuse_fork(self) -> None:
        if self._process != os.getpid():
            message = f"{self.path} was opened by process {self._process}, and is used by {os.getpid()}"
            raise OpenedBeforeFork(message)

    def _opened(self) -> sqlite3.Connection:
        if self._closed:
            message = f"{self.path} was closed"
            raise self._errors.unavailable(message)
        try:
            return self._connect(self.path)
        except sqlite3.Error as broken:
            self._translate(broken)
            raise

    @contextmanager
    def _turn(self) -> Iterator[None]:
        self._refuse_fork()
        if not self._lock.acquire(BUSY_SECONDS):
            why = "was closed" if self._closed else f"has been locked by another writer for {BUSY_SECONDS:g} s"
            message = f"{self.path} {why}"
            raise self._errors.unavailable(message)
        try:
            yield
        finally:
            self._lock.release()

    def _translate(self, broken: sqlite3.Error) -> None:
        """Raise our error for one of SQLite's; return if it is a mistake in our own SQL."""
        code = getattr(broken, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        message = f"{self.path}: {broken}"
        if code == sqlite3.SQLITE_FULL or (code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and self._no_space()):
            raise self._errors.full(message) from broken
        if code in {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}:
            raise self._errors.corrupted(message) from broken
        if code in _TRANSIENT:
            raise self._errors.unavailable(message) from broken

    def _no_space(self) -> bool:
        disk = os.statvfs(self.path.parent)
        return disk.f_bavail * disk.f_frsize < _FULL_BELOW_BYTES


@contextmanager
def _unsynced(connection: sqlite3.Connection) -> Iterator[None]:
    """Commits do not wait for the disk meanwhile. A connection on which one fails is thrown away."""
    [(usual,)] = connection.execute("PRAGMA synchronous").fetchall()
    connection.execute(f"PRAGMA synchronous = {min(usual, _NORMAL)}")
    yield
    connection.execute(f"PRAGMA synchronous = {usual}")
