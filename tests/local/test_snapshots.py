"""Copies of several SQLite files as of one instant, while others write to them."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.backup.snapshots import pinned
from pipeline.errors import BackupFailed


@contextmanager
def store(path: Path) -> Iterator[sqlite3.Connection]:
    """A file in WAL mode with a table of numbers."""
    with closing(sqlite3.connect(path, isolation_level=None, timeout=20, check_same_thread=False)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("CREATE TABLE IF NOT EXISTS number (value INTEGER)")
        yield connection


def highest(path: Path) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (found,) = connection.execute("SELECT coalesce(max(value), 0) FROM number").fetchone()
    return int(found)


def test_a_copy_shows_the_moment_of_pinning_not_of_copying(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as a:
        a.execute("INSERT INTO number VALUES (1)")
        with pinned({"a": tmp_path / "a.db"}) as state:
            a.execute("INSERT INTO number VALUES (2)")
            state.copy("a", tmp_path / "copy.db")

    assert highest(tmp_path / "copy.db") == 1
    assert highest(tmp_path / "a.db") == 2


def test_a_copy_is_one_whole_file(tmp_path: Path) -> None:
    with store(tmp_path / "a.db") as a:
        a.executemany("INSERT INTO number VALUES (?)", [(value,) for value in range(20_000)])
        with pinned({"a": tmp_path / "a.db"}) as state:
            state.copy("a", tmp_path / "copy.db")

    assert sorted(path.name for path in tmp_path.glob("copy*")) == ["copy.db"]
    with closing(sqlite3.connect(tmp_path / "copy.db")) as copy:
        assert copy.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copy.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600


def test_what_does_not_exist_is_left_out(tmp_path: Path) -> None:
    with store(tmp_path / "a.db"), pinned({"a": tmp_path / "a.db", "b": tmp_path / "b.db"}) as state:
        assert state.names == ["a"]

    assert not (tmp_path / "b.db").exists()


def test_a_frozen_file_never_knows_more_than_what_it_follows(tmp_path: Path) -> None:
    """A follower notes how far it has read another file; in no copy is its note ahead of that file."""
    stop = Event()
    with store(tmp_path / "log.db") as log, store(tmp_path / "ledger.db") as ledger:

        def write() -> None:
            value = 0
            while not stop.is_set():
                value += 1
                log.execute("INSERT INTO number VALUES (?)", (value,))
                ledger.execute("INSERT INTO number VALUES (?)", (value,))

        writer = Thread(target=write)
        writer.start()
        try:
            for number in range(30):
                files = {"log": tmp_path / "log.db", "ledger": tmp_path / "ledger.db"}
                with pinned(files, frozen=frozenset({"ledger"})) as state:
                    for name in state.names:
                        state.copy(name, tmp_path / f"{number}-{name}.db")
        finally:
            stop.set()
            writer.join()

    pairs = [(highest(tmp_path / f"{n}-log.db"), highest(tmp_path / f"{n}-ledger.db")) for n in range(30)]
    assert not [pair for pair in pairs if not pair[0] - 1 <= pair[1] <= pair[0]]
    assert pairs[0] != pairs[-1]


def test_progress_is_told_in_bytes(tmp_path: Path) -> None:
    told: list[tuple[str, int, int]] = []
    with store(tmp_path / "a.db") as a:
        a.execute("INSERT INTO number VALUES (1)")
        with pinned({"a": tmp_path / "a.db"}) as state:
            state.copy("a", tmp_path / "copy.db", lambda *step: told.append(step))

    size = (tmp_path / "copy.db").stat().st_size
    assert told[-1] == ("a", size, size)


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_bytes(b"this is a text, and not a short one at that" * 100)

    with pytest.raises(BackupFailed, match=r"a \(.*a\.db\) cannot be read"), pinned({"a": tmp_path / "a.db"}):
        pass


def test_a_copy_never_overwrites(tmp_path: Path) -> None:
    (tmp_path / "copy.db").write_bytes(b"precious")
    with (
        store(tmp_path / "a.db"),
        pinned({"a": tmp_path / "a.db"}) as state,
        pytest.raises(BackupFailed, match="cannot be copied"),
    ):
        state.copy("a", tmp_path / "copy.db")

    assert (tmp_path / "copy.db").read_bytes() == b"precious"
