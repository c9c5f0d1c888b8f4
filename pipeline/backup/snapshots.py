"""Several SQLite files, copied as they were at one instant, while others read and write them.

Instant:  all files are pinned before any is copied: a read transaction holds each one's state (in WAL mode it hinders no writer).
          Files named ``frozen`` take no write from before the first pin until after the last; that lasts milliseconds. So what a
          frozen file says of the others is true of their copies.
Order:    files are pinned in the order given: what is pinned later may know more, never less.
Copies:   complete, in one file each, on disk when ``copy`` returns. Copying disturbs nobody, but a WAL cannot shrink meanwhile.
Sources:  SQLite's pages "Isolation In SQLite", "SQLite Backup API", "Write-Ahead Logging".
"""

import os
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from pipeline.errors import BackupFailed

Progress = Callable[[str, int, int], None]
"""Told the name of the file, the bytes copied of it, and its bytes in all."""

_PAGES_A_STEP: Final = 2048
_BUSY_SECONDS: Final = 20.0


class Pinned:
    """Files as they were when they were pinned, by name; a file that does not exist is left out."""

    def __init__(self, connections: Mapping[str, sqlite3.Connection]) -> None:
        self._connections = connections

    @property
    def names(self) -> list[str]:
        """What is there to be copied, in the order of pinning."""
        return list(self._connections)

    def copy(self, name: str, target: Path, progress: Progress = lambda *_: None) -> None:
        """Write the file ``name`` to ``target``, which must not exist. Raises ``BackupFailed``."""
        source = self._connections[name]
        (page_bytes,) = source.execute("PRAGMA page_size").fetchone()

        def tell(_status: int, left: int, pages: int) -> None:
            progress(name, (pages - left) * page_bytes, pages * page_bytes)

        with _translated(f"{name} cannot be copied to {target}"):
            os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            copy = sqlite3.connect(target, isolation_level=None)
            try:
                copy.execute("PRAGMA synchronous = FULL")
                source.backup(copy, pages=_PAGES_A_STEP, progress=tell)
            finally:
                copy.close()


@contextmanager
def pinned(files: Mapping[str, Path], *, frozen: frozenset[str] = frozenset()) -> Iterator[Pinned]:
    """Hold the present state of these SQLite files. Raises ``BackupFailed`` if one cannot be read or stays locked."""
    present = {name: path for name, path in files.items() if path.exists()}
    with ExitStack() as held:
        connections = {}
        with ExitStack() as still:
            for name in present.keys() & frozen:
                _freeze(still, name, present[name])
            for name, path in present.items():
                connections[name] = _pin(held, name, path)
        yield Pinned(connections)


def _freeze(stack: ExitStack, name: str, path: Path) -> None:
    with _translated(f"{name} ({path}) cannot be held still"):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=rw", uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        stack.callback(connection.close)
        connection.execute("BEGIN IMMEDIATE")
        stack.callback(connection.execute, "ROLLBACK")


def _pin(stack: ExitStack, name: str, path: Path) -> sqlite3.Connection:
    with _translated(f"{name} ({path}) cannot be read"):
        connection = sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True, isolation_level=None, timeout=_BUSY_SECONDS)
        stack.callback(connection.close)
        connection.execute("BEGIN")
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
        return connection


@contextmanager
def _translated(what: str) -> Iterator[None]:
    try:
        yield
    except (sqlite3.Error, OSError) as broken:
        message = f"{what}: {broken}"
        raise BackupFailed(message) from broken
