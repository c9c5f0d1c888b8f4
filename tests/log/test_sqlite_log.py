"""What the embedded log promises beyond the port."""

import gc
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import LogCorrupted, LogUnavailable
from pipeline.log.port import Outcome, Position
from pipeline.log.sqlite import SqliteLog
from pipeline.log.sqlite.blocks import BLOCK_BYTES, BLOCK_EVENTS, SMALL_BODY
from pipeline.log.sqlite.layout import NUMBERS
from schemas.envelope import Envelope
from tests.log.made_up import Clock, event, events

LARGE = b'{"told":"%s"}' % (b"x" * SMALL_BODY)
"""A body that stands in a frame only."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(path, clock=Clock())) as opened:
        yield opened


def outcomes(log: SqliteLog, told: list[Envelope]) -> list[str]:
    return [receipt.outcome.value for receipt in log.append(told)]


def blocks(path: Path) -> list[int]:
    """How many events each block holds."""
    with closing(sqlite3.connect(path)) as connection:
        return [count for (count,) in connection.execute("SELECT count FROM block ORDER BY address")]


def test_sequence_numbers_have_no_gaps(log: SqliteLog) -> None:
    log.append(events(0, 100))
    log.append(events(50, 100))

    for shard, head in log.heads().items():
        assert list(range(head.sequence + 1)) == [position.sequence for position in log.read(shard, None, 1000).positions]


def test_a_known_id_is_refused_across_shards(log: SqliteLog) -> None:
    first = log.append([event(1, subject="here")])[0]

    again = log.append([event(1, subject="elsewhere")])[0]

    assert again == (first.id, Outcome.DUPLICATE, first.position, "")
    assert log.behind({}) == 1


def test_the_new_among_the_known_are_stored_in_order(log: SqliteLog) -> None:
    log.append([event(number) for number in (3, 5)])

    told = [event(number) for number in (1, 5, 2, 1, 3, 4)]

    assert outcomes(log, told) == ["accepted", "duplicate", "accepted", "duplicate", "duplicate", "accepted"]
    (shard,) = log.heads()
    assert log.read(shard, None, 10).columns.source_id == [f"source-{number}" for number in (3, 5, 1, 2, 4)]


def test_events_of_one_second_with_different_uuids_are_different(log: SqliteLog) -> None:
    uuid = "0190a0b0-0000-8000-8000-00000000000{}"

    told = [event(1, id=f"7-{uuid.format(number)}") for number in range(3)]

    assert outcomes(log, told) == ["accepted"] * 3
    assert outcomes(log, told) == ["duplicate"] * 3


def test_an_event_is_found_by_its_id(log: SqliteLog) -> None:
    receipts = log.append(events(0, 30))

    assert [log.find(receipt.id) for receipt in receipts] == [receipt.position for receipt in receipts]
    assert log.find(event(31).id) is None
    assert log.find("of no form at all") is None


def test_a_log_keeps_its_events_and_its_number_of_shards(log: SqliteLog, path: Path) -> None:
    log.append(events(0, 30))
    heads = log.heads()
    log.close()

    with closing(SqliteLog(path, shards=9, clock=Clock())) as again:
        assert [f"shard-{number}" for number in range(4)] == [shard.id for shard in again.shards()]
        assert heads == again.heads()
        assert outcomes(again, events(29, 2)) == ["duplicate", "accepted"]


def test_two_logs_on_one_file_see_each_others_events(log: SqliteLog, path: Path) -> None:
    with closing(SqliteLog(path, clock=Clock())) as other:
        log.append([event(1)])

        assert outcomes(other, [event(1), event(2)]) == ["duplicate", "accepted"]
        assert log.heads() == other.heads()


def test_a_shard_that_the_log_does_not_have_is_empty(log: SqliteLog) -> None:
    log.append(events(0, 30))

    assert len(log.read("shard-4", None, 10)) == 0
    assert len(log.read("elsewhere", Position("elsewhere", 3), 10)) == 0


def test_the_keys_of_a_block_are_all_cut_apart() -> None:
    assert BLOCK_EVENTS < NUMBERS


def test_a_large_append_becomes_blocks_of_bounded_size(log: SqliteLog, path: Path) -> None:
    log.append([event(number) for number in range(2 * BLOCK_EVENTS + 1)])

    assert blocks(path) == [BLOCK_EVENTS, BLOCK_EVENTS, 1]


def test_large_bodies_become_blocks_of_bounded_bytes(log: SqliteLog, path: Path) -> None:
    half = bytes(BLOCK_BYTES // 2)

    log.append([event(number, body=half) for number in range(3)])

    assert blocks(path) == [2, 1]
    (shard,) = log.heads()
    assert [len(half)] * 3 == [len(body) for body in log.read(shard, None, 3).bodies]


def test_appends_of_several_threads_share_a_commit(path: Path) -> None:
    commits: list[str] = []

    class Counting(sqlite3.Connection):
        def execute(self, sql: str, parameters: object = (), /) -> sqlite3.Cursor:
            commits.extend([sql] if sql == "COMMIT" else [])
            return super().execute(sql, parameters)  # type: ignore[arg-type]  # any parameters that sqlite3 takes

    def connect(path: Path) -> sqlite3.Connection:
        return sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Counting)

    with closing(SqliteLog(path, clock=Clock(), connect=connect)) as log:
        commits.clear()
        lock = log._file._lock
        assert lock.acquire(1)
        threads = [Thread(target=log.append, args=[[event(number)]], daemon=True) for number in range(10)]
        for thread in threads:
            thread.start()
        lock.release()
        for thread in threads:
            thread.join(30)

        assert log.behind({}) == 10
    assert len(commits) < 10


def test_an_event_that_cannot_be_encoded_is_its_callers_problem(log: SqliteLog) -> None:
    with pytest.raises(TypeError, match="surrogates"):
        log.append([event(1), event(2, summary="\ud800")])

    assert outcomes(log, [event(1)]) == ["accepted"]


def test_part_of_a_block_is_decoded_once(log: SqliteLog, monkeypatch: pytest.MonkeyPatch) -> None:
    log.append([event(number) for number in range(100)])
    (shard,) = log.heads()
    log.read(shard, None, 10)
    monkeypatch.setattr("pipeline.log.sqlite.reading.decoded", None)

    rest = log.read(shard, Position(shard, 9), 90)

    assert [f"source-{number}" for number in range(10, 100)] == rest.columns.source_id


def test_what_a_reader_does_to_a_batch_stays_there(log: SqliteLog) -> None:
    log.append([event(number) for number in range(100)])
    (shard,) = log.heads()
    log.read(shard, None, 10).columns.id.clear()

    assert len(log.read(shard, None, 100).columns.id) == 100


def test_a_body_outlives_the_batchs_log_object_but_not_its_closing(log: SqliteLog) -> None:
    log.append([event(1, body=LARGE)])
    (shard,) = log.heads()
    bodies = log.read(shard, None, 1).bodies
    log.close()

    with pytest.raises(LogUnavailable, match="was closed"):
        bodies[0]
    with pytest.raises(LogUnavailable, match="was closed"):
        log.append([event(2)])


def test_closing_wakes_those_who_wait(log: SqliteLog) -> None:
    raised: list[str] = []

    def wait() -> None:
        try:
            log.wait({}, 30)
        except LogUnavailable as closed:
            raised.append(str(closed))

    waiter = Thread(target=wait, daemon=True)
    waiter.start()
    log.close()
    waiter.join(30)

    assert [message[-10:] for message in raised] == ["was closed"]


def test_a_missing_block_is_not_passed_over(log: SqliteLog, path: Path) -> None:
    for number in range(3):
        log.append([event(number)])
    (shard,) = log.heads()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM block WHERE address & 0xff = 1")

    with pytest.raises(LogCorrupted, match=f"events from {shard}:1:0 up to {shard}:2:0 are missing"):
        log.read(shard, None, 3)


def test_a_small_body_is_read_without_its_frame(log: SqliteLog, path: Path) -> None:
    log.append([event(1), event(2, body=LARGE)])
    (shard,) = log.heads()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE block SET bodies = x''")

    assert log.read(shard, None, 2).envelope(0) == event(1)


def test_a_missing_body_is_named(log: SqliteLog, path: Path) -> None:
    log.append([event(1, body=LARGE)])
    (shard,) = log.heads()
    batch = log.read(shard, None, 1)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("DELETE FROM block")

    with pytest.raises(LogCorrupted, match=f"the body of {shard}:0:0 is missing"):
        batch.envelope(0)


def test_a_damaged_body_is_named(log: SqliteLog, path: Path) -> None:
    log.append([event(1, body=LARGE)])
    (shard,) = log.heads()
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE block SET bodies = substr(bodies, 1, length(bodies) - 1)")

    with pytest.raises(LogCorrupted, match=f"{shard}:0:0"):
        log.read(shard, None, 1).envelope(0)


def test_a_log_whose_number_of_shards_cannot_be_read_is_not_opened(log: SqliteLog, path: Path) -> None:
    log.close()
    with path.open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 4096)

    with pytest.raises(LogCorrupted, match="malformed"):
        SqliteLog(path, clock=Clock())


def test_a_log_leaves_no_connection_behind(path: Path) -> None:
    with closing(SqliteLog(path, clock=Clock())) as log:
        log.append(events(0, 10))
    gc.collect()

    assert sorted(one.name for one in path.parent.iterdir()) == ["log.db", "log.db-lock", "log.db-lock-queue"]


@pytest.mark.parametrize("sequence", [1 << 40, (1 << 40) + 3, (1 << 63) - 1, 1 << 80])
def test_a_number_that_no_event_has_leads_to_no_other_shard(log: SqliteLog, sequence: int) -> None:
    log.append(events(0, 100))
    log.read("shard-1", None, 5)  # a block of which a part was asked for is kept
    beyond = Position("shard-0", sequence)

    assert len(log.read("shard-0", beyond, 10)) == 0
    assert log.fetch([beyond]) == [None]
