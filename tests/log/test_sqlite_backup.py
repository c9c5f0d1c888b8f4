"""A backup: one moment's log, whole or not at all, while others append."""

import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.errors import BackupFailed
from pipeline.log.sqlite import SqliteLog
from tests.log.made_up import Clock, event, events


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(path, clock=Clock())) as opened:
        opened.append(events(0, 50))
        yield opened


def test_a_backup_is_a_log_like_any_other(log: SqliteLog, tmp_path: Path) -> None:
    target = tmp_path / "backups" / "monday.db"

    log.backup(target)

    with closing(SqliteLog(target, clock=Clock())) as copy:
        assert log.heads() == copy.heads()
        assert copy.check() == []
        assert [receipt.outcome.value for receipt in copy.append(events(49, 2))] == ["duplicate", "accepted"]
    assert log.behind({}) == 50


def test_a_backup_replaces_an_earlier_one_and_its_leftovers(log: SqliteLog, tmp_path: Path) -> None:
    target = tmp_path / "copy.db"
    log.backup(target)
    (tmp_path / "copy.db-wal").write_bytes(b"of the earlier one")
    log.append([event(50)])

    log.backup(target)

    assert sorted(one.name for one in tmp_path.glob("copy*")) == ["copy.db"]
    with closing(SqliteLog(target, clock=Clock())) as copy:
        assert log.heads() == copy.heads()


def test_a_backup_taken_while_others_append_is_one_moments_log(log: SqliteLog, tmp_path: Path) -> None:
    done = Event()

    def append() -> None:
        number = 50
        while not done.is_set():
            log.append(events(number, 5))
            number += 5

    appender = Thread(target=append, daemon=True)
    appender.start()
    for moment in range(5):
        before = log.heads()
        log.backup(tmp_path / f"{moment}.db")
        after = log.heads()
        with closing(SqliteLog(tmp_path / f"{moment}.db", clock=Clock())) as copy:
            assert copy.check() == []
            assert all(before[shard] <= head <= after[shard] for shard, head in copy.heads().items())
            held = {one for shard in copy.shards() for one in copy.read(shard.id, None, 10**6).columns.id}
        assert {one.id for one in events(0, len(held))} == held
    done.set()
    appender.join(30)


def test_the_log_is_not_overwritten_by_its_own_backup(log: SqliteLog, path: Path) -> None:
    with pytest.raises(BackupFailed, match="is the file itself"):
        log.backup(path.parent / "x" / ".." / "log.db")


def test_a_backup_that_fails_leaves_the_earlier_one(log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    target = tmp_path / "copy.db"
    log.backup(target)
    before = target.read_bytes()
    log.append([event(50)])

    def no_space(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", no_space)
    with pytest.raises(BackupFailed, match="No space left"):
        log.backup(target)

    assert before == target.read_bytes()
    assert sorted(one.name for one in tmp_path.glob("copy*")) == ["copy.db"]


def test_a_place_that_cannot_be_written_is_named(log: SqliteLog, tmp_path: Path) -> None:
    (tmp_path / "occupied.db.partial").mkdir()

    with pytest.raises(BackupFailed, match="occupied"):
        log.backup(tmp_path / "occupied.db")


def test_a_log_that_sqlite_cannot_copy_is_named(log: SqliteLog, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot(*_: object) -> None:
        message = "disk I/O error"
        raise sqlite3.OperationalError(message)

    monkeypatch.setattr(sqlite3, "connect", cannot)
    with pytest.raises(BackupFailed, match="disk I/O error"):
        log.backup(tmp_path / "copy.db")
