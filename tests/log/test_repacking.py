"""Re-packing: fewer blocks, the same events in the same places, whatever goes on meanwhile."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Event, Thread

import pytest

from pipeline.errors import LogFull
from pipeline.log.port import Record
from pipeline.log.sqlite import Repacked, SqliteLog, repacking
from pipeline.log.sqlite.blocks import BLOCK_EVENTS
from tests.log.made_up import Clock, event


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def log(path: Path, clock: Clock) -> Iterator[SqliteLog]:
    with closing(SqliteLog(path, shards=1, clock=clock)) as opened:
        yield opened


def fill(log: SqliteLog, first: int, blocks: int, events: int) -> None:
    for block in range(blocks):
        start = first + block * events
        log.append([event(number) for number in range(start, start + events)])


def sizes(path: Path) -> list[int]:
    with closing(sqlite3.connect(path)) as connection:
        return [count for (count,) in connection.execute("SELECT count FROM block ORDER BY address")]


def held(log: SqliteLog) -> list[Record]:
    return list(log.read("shard-0", None, 10**6).records())


def test_small_blocks_become_full_ones(log: SqliteLog, path: Path, clock: Clock) -> None:
    for start in range(0, 2100, 70):
        clock.now_us += 1
        fill(log, start, 1, 70)
    before = held(log)

    assert log.repack() == Repacked(events=1960, before=28, after=2)

    assert sizes(path) == [980, 980, 70, 70]
    assert before == held(log)
    assert log.check() == []


def test_what_does_not_fill_a_block_is_left_for_later(log: SqliteLog, path: Path) -> None:
    fill(log, 0, 5, 10)

    assert log.repack() == Repacked()
    assert sizes(path) == [10] * 5

    assert log.repack(tail=True) == Repacked(events=50, before=5, after=1)
    assert log.repack(tail=True) == Repacked()
    assert sizes(path) == [50]


def test_what_was_packed_as_a_tail_is_packed_with_what_follows(log: SqliteLog, path: Path) -> None:
    fill(log, 0, 5, 10)
    log.repack(tail=True)
    fill(log, 50, 10, 100)

    assert log.repack() == Repacked(events=950, before=10, after=1)
    assert sizes(path) == [950, 100]


def test_full_blocks_are_left_alone_and_not_looked_at_again(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    fill(log, 0, 4, BLOCK_EVENTS)

    assert log.repack() == Repacked()

    marked = log._file
    assert repacking._mark(marked, 0) == 3 * BLOCK_EVENTS
    monkeypatch.setattr(repacking, "BLOCK_EVENTS", 10**6)
    assert log.repack() == Repacked()


def test_it_stops_at_the_limit_and_goes_on_from_there(log: SqliteLog, path: Path) -> None:
    fill(log, 0, 45, 100)

    assert log.repack(1) == Repacked(events=1000, before=10, after=1)
    assert log.repack(2) == Repacked(events=2000, before=20, after=2)
    assert log.repack(9) == Repacked(events=1000, before=10, after=1)
    assert sizes(path) == [1000] * 4 + [100] * 5


def test_merged_blocks_are_bounded_in_bytes(log: SqliteLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(repacking, "_MERGED_BYTES", 1)
    fill(log, 0, 3, 1)

    assert log.repack(tail=True) == Repacked()
    assert sizes(path) == [1, 1, 1]


def test_bodies_may_be_fetched_after_their_block_was_merged(log: SqliteLog) -> None:
    fill(log, 0, 5, 10)
    batch = log.read("shard-0", None, 50)
    assert batch.bodies[15] == event(15).body

    log.repack(tail=True)

    assert [event(number) for number in range(50)] == [record.event for record in batch.records()]


def test_space_is_used_again(log: SqliteLog, path: Path) -> None:
    def pages() -> int:
        with closing(sqlite3.connect(path)) as connection:
            return int(connection.execute("PRAGMA page_count").fetchone()[0])

    fill(log, 0, 500, 1)
    log.repack(tail=True)
    before = pages()

    fill(log, 500, 100, 1)

    assert before == pages()


def test_a_run_that_another_process_merged_meanwhile_is_left_alone(
    log: SqliteLog, path: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(log, 0, 5, 10)
    merged = repacking._merged

    with closing(SqliteLog(path, clock=clock)) as other:

        def overtaken(*run: object) -> object:
            monkeypatch.setattr(repacking, "_merged", merged)
            assert other.repack(tail=True).after == 1
            return merged(*run)  # type: ignore[arg-type]  # passed on as it came

        monkeypatch.setattr(repacking, "_merged", overtaken)
        assert log.repack(tail=True) == Repacked()

    assert sizes(path) == [50]
    assert log.check() == []


def test_a_re_pack_that_fails_changes_nothing(path: Path, clock: Clock) -> None:
    class Failing(sqlite3.Connection):
        armed = False

        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            if Failing.armed and sql == "COMMIT":
                broken = sqlite3.OperationalError("disk is full")
                broken.sqlite_errorcode = sqlite3.SQLITE_FULL
                raise broken
            return super().execute(sql, parameters)  # type: ignore[arg-type]  # any parameters that sqlite3 takes

    def connect_failing(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Failing)

    with closing(SqliteLog(path, shards=1, clock=clock, connect=connect_failing)) as log:
        fill(log, 0, 5, 10)
        before = held(log)
        Failing.armed = True
        with pytest.raises(LogFull):
            log.repack(tail=True)
        Failing.armed = False

        assert sizes(path) == [10] * 5
        assert before == held(log)


def test_readers_and_writers_go_on_meanwhile(log: SqliteLog) -> None:
    fill(log, 0, 10, 10)
    done = Event()
    broken: list[str] = []

    def read() -> None:
        while not done.is_set():
            batch = log.read("shard-0", None, 10**6)
            told = [record.event for record in batch.records()]
            if [event(number) for number in range(len(told))] != told or len(told) < 100:
                broken.append(f"{len(told)} events, out of order")

    readers = [Thread(target=read, daemon=True) for _ in range(2)]
    for reader in readers:
        reader.start()
    for start in range(100, 400, 10):
        fill(log, start, 1, 10)
        log.repack(tail=True)
    done.set()
    for reader in readers:
        reader.join(30)

    assert broken == []
    assert log.behind({}) == 400
    assert log.check() == []


def test_what_was_recorded_since_a_time_is_found_within_a_block(log: SqliteLog, clock: Clock) -> None:
    times = []
    for number in range(30):
        log.append([event(number, subject="one")])
        times.append(clock.now_us)
        clock.now_us += 1_000_000
    assert log.repack(tail=True).after == 1
    [shard] = log.heads()

    for number in (1, 7, 29):
        behind = log.read(shard, log.since(shard, times[number]), 100)
        assert behind.recorded_us == times[number:]
