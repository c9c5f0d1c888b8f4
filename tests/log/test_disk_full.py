"""A full disk: appends stop with a clear error, nothing acknowledged is lost, and they resume when there is space again."""

import os
import sqlite3
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipeline.errors import LogFull
from pipeline.log.sqlite import SqliteLog
from pipeline.sqlite_file import connect
from schemas.envelope import Envelope
from tests.log.made_up import Clock, event


@dataclass
class Disk:
    """A disk that can be filled and emptied."""

    log: SqliteLog
    fill: Callable[[], object]
    empty: Callable[[], object]


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Disk]:
    """A file system of two megabytes of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", folder], capture_output=True, check=False)
    if mounted.returncode:
        pytest.skip(f"file systems cannot be mounted here: {mounted.stderr.decode().strip()}")
    ballast = folder / "ballast"

    def fill() -> None:
        free = os.statvfs(folder)
        ballast.write_bytes(bytes(free.f_bavail * free.f_frsize))

    try:
        with closing(SqliteLog(folder / "log.db", clock=Clock())) as log:
            yield Disk(log, fill, ballast.unlink)
    finally:
        subprocess.run(["umount", folder], check=True)


@pytest.fixture
def limited_file(tmp_path: Path) -> Iterator[Disk]:
    """A database that may not grow: what SQLite says of a full disk, without one."""
    pages = {"most": 1_000_000}

    def connect_limited(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.execute(f"PRAGMA max_page_count = {pages['most']}")
        return connection

    with closing(SqliteLog(tmp_path / "log.db", clock=Clock(), connect=connect_limited)) as log:

        def limit(most: int) -> None:
            pages["most"] = most
            while log._file._idle:
                log._file._idle.pop().close()

        yield Disk(log, lambda: limit(1), lambda: limit(1_000_000))


@pytest.fixture(params=["small_disk", "limited_file"])
def disk(request: pytest.FixtureRequest) -> Disk:
    found: Disk = request.getfixturevalue(request.param)
    return found


def batch(number: int) -> list[Envelope]:
    """Five events of about ten kilobytes that do not compress."""
    return [event(n, subject="one", body=os.urandom(10_000)) for n in range(5 * number, 5 * number + 5)]


def append_until_full(log: SqliteLog, first: int) -> list[Envelope]:
    """What was acknowledged before the log said that the disk is full."""
    acknowledged: list[Envelope] = []
    try:
        for number in range(first, first + 1000):
            told = batch(number)
            log.append(told)
            acknowledged += told
    except LogFull:
        return acknowledged
    pytest.fail("the disk never was full")


def held(log: SqliteLog) -> list[Envelope]:
    return [record.event for shard in log.heads() for record in log.read(shard, None, 10**6).records()]


def test_appends_stop_and_nothing_acknowledged_is_lost(small_disk: Disk) -> None:
    acknowledged = append_until_full(small_disk.log, 0)

    assert len(acknowledged) > 20
    assert acknowledged == held(small_disk.log)
    assert small_disk.log.check() == []


def test_appends_resume_when_there_is_space_again(disk: Disk) -> None:
    acknowledged = batch(0)
    disk.log.append(acknowledged)

    for number in (1, 2):
        disk.fill()
        acknowledged += append_until_full(disk.log, 100 * number)
        assert acknowledged == held(disk.log)

        disk.empty()
        told = batch(number)
        assert {"accepted"} == {receipt.outcome.value for receipt in disk.log.append(told)}
        acknowledged += told

    assert acknowledged == held(disk.log)
    assert disk.log.check() == []


def test_a_new_log_on_a_full_disk_says_so(small_disk: Disk, tmp_path: Path) -> None:
    small_disk.fill()

    with pytest.raises(LogFull):
        SqliteLog(tmp_path / "disk" / "other.db", clock=Clock())
