"""The file below log and quarantine: whose it is, who may use it, and what its errors are called."""

import os
import sqlite3
from collections import deque
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from pipeline import sqlite_file
from pipeline.errors import LogCorrupted, LogFull, LogUnavailable, OpenedBeforeFork, UnknownFormat
from pipeline.sqlite_file import Errors, Schema, SqliteFile, connect, make_folder
from pipeline.writer_lock import WriterLock

ERRORS = Errors(LogUnavailable, LogFull, LogCorrupted)
SCHEMA = Schema(0x74657374, 3, ["CREATE TABLE word (word TEXT)", "INSERT INTO word VALUES ('first')"])


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "a" / "file.db"


@pytest.fixture
def file(path: Path) -> Iterator[SqliteFile]:
    with closing(SqliteFile(path, SCHEMA, ERRORS)) as opened:
        yield opened


def words(file: SqliteFile) -> list[str]:
    with file.reading() as connection:
        return [word for (word,) in connection.execute("SELECT word FROM word")]


def add(file: SqliteFile, word: str) -> None:
    with file.writing() as connection:
        connection.execute("INSERT INTO word VALUES (?)", (word,))


def test_a_new_file_is_made_by_its_schema_and_found_again(file: SqliteFile, path: Path) -> None:
    add(file, "second")

    with closing(SqliteFile(path, SCHEMA, ERRORS)) as again:
        assert words(again) == ["first", "second"]


def test_a_write_that_need_not_be_on_disk_leaves_the_next_one_as_it_was(file: SqliteFile) -> None:
    def waiting(*, synced: bool) -> int:
        with file.writing(synced=synced) as connection:
            connection.execute("INSERT INTO word VALUES ('x')")
            [(level,)] = connection.execute("PRAGMA synchronous").fetchall()
        return int(level)

    full, normal = 2, 1
    assert [waiting(synced=synced) for synced in (True, False, True)] == [full, normal, full]
    assert len(words(file)) == 4


def test_a_connection_that_never_waits_for_the_disk_stays_so(path: Path) -> None:
    def carelessly(at: Path) -> sqlite3.Connection:
        connection = connect(at)
        connection.execute("PRAGMA synchronous = OFF")
        return connection

    with closing(SqliteFile(path, SCHEMA, ERRORS, connect=carelessly)) as file:
        with file.writing(synced=False) as connection:
            assert connection.execute("PRAGMA synchronous").fetchall() == [(0,)]
        with file.reading() as connection:
            assert connection.execute("PRAGMA synchronous").fetchall() == [(0,)]


def test_a_write_that_raises_is_undone(file: SqliteFile) -> None:
    def add_two() -> None:
        with file.writing() as connection:
            connection.execute("INSERT INTO word VALUES ('lost')")
            connection.execute("INSERT INTO word (rowid) VALUES (1)")

    with pytest.raises(sqlite3.IntegrityError):
        add_two()

    assert words(file) == ["first"]


def test_a_snapshot_sees_one_state(file: SqliteFile) -> None:
    with file.snapshot() as connection:
        before = connection.execute("SELECT count(*) FROM word").fetchone()
        add(file, "second")
        assert before == connection.execute("SELECT count(*) FROM word").fetchone()

    assert words(file) == ["first", "second"]


@pytest.mark.parametrize("schema", [Schema(0x74657374, 4, []), Schema(0x6F746872, 3, [])], ids=["newer", "other"])
def test_a_file_of_another_kind_is_refused(file: SqliteFile, path: Path, schema: Schema) -> None:
    assert words(file)
    with pytest.raises(UnknownFormat, match="is of kind 0x74657374, format 3; expected"):
        SqliteFile(path, schema, ERRORS)


def test_somebody_elses_database_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "theirs.db"
    with closing(sqlite3.connect(path)) as theirs:
        theirs.execute("CREATE TABLE theirs (x)")

    with pytest.raises(UnknownFormat):
        SqliteFile(path, SCHEMA, ERRORS)

    with closing(sqlite3.connect(path)) as theirs:
        assert theirs.execute("SELECT name FROM sqlite_master").fetchall() == [("theirs",)]


def test_what_is_no_database_is_corrupted(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database at all, " * 100)

    with pytest.raises(LogCorrupted, match="not a database"):
        SqliteFile(path, SCHEMA, ERRORS)


def test_new_folders_outlive_a_power_cut(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[Path] = []
    monkeypatch.setattr(sqlite_file, "sync", synced.append)

    make_folder(tmp_path / "a" / "b")
    make_folder(tmp_path / "a" / "b")

    assert (tmp_path / "a" / "b").is_dir()
    assert {tmp_path, tmp_path / "a"} == set(synced)


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")

    with pytest.raises(LogUnavailable, match="file"):
        SqliteFile(tmp_path / "file" / "log.db", SCHEMA, ERRORS)


def test_a_path_that_cannot_be_opened_is_named(tmp_path: Path) -> None:
    (tmp_path / "folder.db").mkdir()

    with pytest.raises(LogUnavailable, match=r"folder\.db: unable to open"):
        SqliteFile(tmp_path / "folder.db", SCHEMA, ERRORS)


def test_a_closed_file_is_unavailable(file: SqliteFile) -> None:
    with file.reading() as borrowed:
        file.close()
        assert borrowed.execute("SELECT 1").fetchone() == (1,)

    file.close()
    with pytest.raises(LogUnavailable, match="was closed"):
        words(file)
    with pytest.raises(LogUnavailable, match="was closed"):
        add(file, "late")


def test_connections_are_used_again(path: Path) -> None:
    opened: list[sqlite3.Connection] = []

    def counting(path: Path) -> sqlite3.Connection:
        opened.append(connect(path))
        return opened[-1]

    with closing(SqliteFile(path, SCHEMA, ERRORS, connect=counting)) as file:
        for _ in range(5):
            add(file, "word")
            assert words(file)

    assert len(opened) == 1


def test_a_writer_whose_turn_does_not_come_gives_up(file: SqliteFile, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sqlite_file, "BUSY_SECONDS", 0.01)
    other = WriterLock(path.with_name("file.db-lock"))
    assert other.acquire(0)

    with pytest.raises(LogUnavailable, match=r"locked by another writer for 0\.01 s"):
        add(file, "word")

    other.release()
    other.close()
    add(file, "second")
    assert words(file) == ["first", "second"]


class Failing(sqlite3.Connection):
    """A connection that fails at one statement, with one of SQLite's codes."""

    at = ""
    code = 0

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
        if Failing.at and sql.startswith(Failing.at):
            broken = sqlite3.OperationalError(f"injected at {Failing.at}")
            broken.sqlite_errorcode = Failing.code
            raise broken
        return super().execute(sql, parameters)


@pytest.fixture
def failing(path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SqliteFile]:
    def connect_failing(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)

    monkeypatch.setattr(Failing, "at", "")
    with closing(SqliteFile(path, SCHEMA, ERRORS, connect=connect_failing)) as file:
        yield file


@pytest.mark.parametrize("at", ["BEGIN", "INSERT", "COMMIT"])
@pytest.mark.parametrize(
    ("code", "error"),
    [
        (sqlite3.SQLITE_FULL, LogFull),
        (sqlite3.SQLITE_BUSY, LogUnavailable),
        (sqlite3.SQLITE_IOERR_WRITE, LogUnavailable),
        (sqlite3.SQLITE_READONLY_DBMOVED, LogUnavailable),
        (sqlite3.SQLITE_CORRUPT, LogCorrupted),
    ],
)
def test_a_write_that_sqlite_refuses_is_undone_and_named(
    failing: SqliteFile, monkeypatch: pytest.MonkeyPatch, at: str, code: int, error: type[Exception]
) -> None:
    monkeypatch.setattr(Failing, "at", at)
    monkeypatch.setattr(Failing, "code", code)
    with pytest.raises(error, match=f"injected at {at}"):
        add(failing, "lost")

    monkeypatch.setattr(Failing, "at", "")
    add(failing, "second")
    assert words(failing) == ["first", "second"]


def test_an_io_error_on_a_full_disk_is_a_full_disk(failing: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Failing, "at", "COMMIT")
    monkeypatch.setattr(Failing, "code", sqlite3.SQLITE_IOERR_SHMSIZE)
    monkeypatch.setattr(sqlite_file, "_FULL_BELOW_BYTES", 1 << 62)

    with pytest.raises(LogFull):
        add(failing, "lost")


def test_a_mistake_of_ours_is_not_taken_for_the_disks(file: SqliteFile) -> None:
    with pytest.raises(sqlite3.OperationalError, match="syntax error"), file.reading() as connection:
        connection.execute("SELEKT")


def test_a_connection_that_cannot_be_set_up_is_closed(tmp_path: Path) -> None:
    path = tmp_path / "notes.txt"
    path.write_bytes(b"not a database at all, " * 100)

    with pytest.raises(sqlite3.DatabaseError):
        connect(path)


def test_a_mistake_in_connecting_is_not_taken_for_the_disks(file: SqliteFile, path: Path) -> None:
    def mistaken(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        with closing(connection):
            return connection.execute("SELEKT").connection

    assert words(file)
    with pytest.raises(sqlite3.OperationalError, match="syntax error"):
        SqliteFile(path, SCHEMA, ERRORS, connect=mistaken)


def test_what_was_opened_before_a_fork_is_not_used_after_it(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as child:
        child.setattr(os, "getpid", lambda: -1)
        for use in (lambda: words(file), lambda: add(file, "child"), file.close):
            with pytest.raises(OpenedBeforeFork, match="is used by -1"):
                use()

    assert words(file) == ["first"]


def test_a_connection_that_comes_back_while_the_file_is_closed_is_closed_too(file: SqliteFile) -> None:
    class ClosedJustBefore(deque[sqlite3.Connection]):
        def append(self, connection: sqlite3.Connection) -> None:
            file.close()
            super().append(connection)

    file._idle = ClosedJustBefore(file._idle)
    with file.reading() as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)

    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        connection.execute("SELECT 1")
