"""All generations in one folder: ``catalog.db`` says which serves, ``<projection>-<number>.db`` are the generations.

The switch is one transaction of the catalogue, made while the serving generation takes no commits, so that readers
never see rows go back in time. A reader that holds the former file open goes on with it: deleting a file leaves open ones whole.
"""

import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from typing import Final

from projections.errors import GenerationGone, RebuildRunning
from projections.stores.port import GenerationInfo, Status
from projections.stores.sqlite.connections import Connections, connect, translated
from projections.stores.sqlite.generation import SqliteGeneration, create, make_crash_safe

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS generation(
  projection TEXT, number INTEGER, version INTEGER NOT NULL, status TEXT NOT NULL, created_us INTEGER NOT NULL,
  PRIMARY KEY (projection, number)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS one_serves ON generation(projection) WHERE status = 'serving';
"""


class SqliteStore:
    """Generations in ``folder``, which is made if it is absent. Any thread may use it."""

    def __init__(self, folder: Path, *, clock: Callable[[], int]) -> None:
        self._folder = folder
        self._clock = clock
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / "catalog.db"
        # SQLite does not wait while another process changes a new file to WAL; the lock does.
        with (folder / "catalog.lock").open("w") as lock, translated(path):
            flock(lock, LOCK_EX)
            with closing(sqlite3.connect(path, isolation_level=None)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                connection.executescript(_SCHEMA)
        self._catalogue = Connections(path, _connect_catalogue)

    def _path(self, info: GenerationInfo) -> Path:
        return self._folder / f"{info.projection}-{info.number}.db"

    def generations(self, projection: str) -> list[GenerationInfo]:
        """All builds of a projection, by number."""
        with self._catalogue.lent() as catalogue:
            return _generations(catalogue, projection)

    def serving(self) -> dict[str, GenerationInfo]:
        """The build of each projection that readers get."""
        with self._catalogue.lent() as catalogue:
            rows = catalogue.execute("SELECT * FROM generation WHERE status = 'serving'").fetchall()
        return {info.projection: info for info in map(_info, rows)}

    def create(self, projection: str, version: int, *, serving: bool) -> GenerationInfo:
        """A new, empty generation; with ``serving``, the one that serves already if there is one."""
        with self._catalogue.changing() as catalogue:
            known = _generations(catalogue, projection)
            if serving and (there := next((info for info in known if info.status is Status.SERVING), None)):
                return there
            number = max((info.number for info in known), default=0) + 1
            status = Status.SERVING if serving else Status.BUILDING
            info = GenerationInfo(projection, number, version, status, self._clock())
            self._delete_files(info)
            create(self._path(info), serving=serving)
            if serving:  # on disk before the catalogue says so: readers cannot do without it
                for path in (self._path(info), self._folder):
                    _sync(path)
            catalogue.execute(
                "INSERT INTO generation VALUES (?, ?, ?, ?, ?)", (projection, number, version, status, info.created_us)
            )
            return info

    def open(self, info: GenerationInfo) -> SqliteGeneration:
        """A generation, to write or to read. Raises ``GenerationGone``."""
        return SqliteGeneration(self._path(info), info, building=info.status is Status.BUILDING)

    def switch(self, info: GenerationInfo, catch_up: Callable[[], None]) -> None:
        """Catch up while the serving one takes no commits, make the built file crash-safe, and let it serve."""
        _sync(self._path(info))  # most of the file, before anybody waits for it
        with self._kept_from_committing(self.serving().get(info.projection)):
            catch_up()
            with self._catalogue.changing() as catalogue:
                catalogue.execute(
                    "UPDATE generation SET status = 'retired' WHERE projection = ? AND status = 'serving'", (info.projection,)
                )
                served = catalogue.execute(
                    "UPDATE generation SET status = 'serving' WHERE projection = ? AND number = ?", (info.projection, info.number)
                )
                if not served.rowcount:
                    message = f"generation {info.number} of {info.projection} was dropped before it could serve"
                    raise GenerationGone(message)
                make_crash_safe(self._path(info))
                for path in (self._path(info), self._folder):
                    _sync(path)

    @contextmanager
    def _kept_from_committing(self, serving: GenerationInfo | None) -> Iterator[None]:
        if serving is None:
            yield
            return
        path = self._path(serving)
        with translated(path), ExitStack() as held:
            if not _is_lost(path):  # into one that is lost nobody commits, and it must be possible to replace it
                held.enter_context(closing(connect(path))).execute("BEGIN IMMEDIATE")
            yield

    def drop(self, info: GenerationInfo) -> None:
        """Delete a generation that does not serve. Within one transaction, lest the number be given anew before the files go."""
        with self._catalogue.changing() as catalogue:
            dropped = catalogue.execute(
                "DELETE FROM generation WHERE projection = ? AND number = ? AND status <> 'serving'",
                (info.projection, info.number),
            )
            if dropped.rowcount:
                self._delete_files(info)

    def close(self) -> None:
        """Close the catalogue. Closing twice is harmless."""
        self._catalogue.close()

    def _delete_files(self, info: GenerationInfo) -> None:
        for suffix in ("", "-wal", "-shm", "-journal"):
            Path(f"{self._path(info)}{suffix}").unlink(missing_ok=True)

    @contextmanager
    def building(self, projection: str) -> Iterator[None]:
        """Hold the right to build a projection. The lock ends with its process, so a killed build blocks nobody."""
        with (self._folder / f"{projection}.lock").open("w") as lock:
            try:
                flock(lock, LOCK_EX | LOCK_NB)
            except BlockingIOError:
                message = f"{projection} is being rebuilt by another process"
                raise RebuildRunning(message) from None
            for info in self.generations(projection):
                if info.status is Status.BUILDING:
                    self.drop(info)
            yield


def _connect_catalogue(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA synchronous = FULL")
    return connection


def _generations(catalogue: sqlite3.Connection, projection: str) -> list[GenerationInfo]:
    rows = catalogue.execute("SELECT * FROM generation WHERE projection = ? ORDER BY number", (projection,))
    return [_info(row) for row in rows]


def _is_lost(path: Path) -> bool:
    """Whether there is no file, or what there is cannot be opened as one of SQLite's by anybody."""
    if not path.exists():
        return True
    try:
        with closing(connect(path)) as connection:
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.DatabaseError as broken:
        if broken.sqlite_errorcode & 0xFF not in {sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_CORRUPT}:
            raise
        return True
    return False


def _sync(path: Path) -> None:
    """Have a file, or a folder's names, on disk. What is gone needs none."""
    with suppress(FileNotFoundError):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _info(row: tuple[str, int, int, str, int]) -> GenerationInfo:
    projection, number, version, status, created_us = row
    return GenerationInfo(projection, number, version, Status(status), created_us)
