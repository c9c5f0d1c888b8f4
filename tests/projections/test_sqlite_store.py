"""What only the SQLite store promises, or can go wrong with."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from fcntl import LOCK_EX, flock
from pathlib import Path
from threading import Thread

import pytest

from pipeline.log.port import Position
from projections.errors import StoreUnavailable
from projections.guard import ID_BYTES
from projections.projection import Changes, Parked
from projections.stores.port import Commit, GenerationInfo
from projections.stores.sqlite import SqliteStore
from projections.stores.sqlite.generation import SqliteGeneration
from tests.support.facts import finding
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine, frozen_clock


@pytest.fixture
def store(tmp_path: Path) -> Iterator[SqliteStore]:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
        yield store


@pytest.fixture
def generation(store: SqliteStore) -> Iterator[SqliteGeneration]:
    with closing(store.open(store.create("some", 1, serving=True))) as generation:
        generation.claim("writer", ["s"])
        yield generation


def commit(number: int, size: int = 10) -> Commit:
    before = Position("s", number - 1) if number else None
    return Commit({"s": before}, {"s": Position("s", number)}, Changes(documents={f"key-{number}": {"text": "x" * size}}))


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_full_disk_stops_commits_and_loses_nothing(generation: SqliteGeneration) -> None:
    """SQLite ends the transaction by itself then (SQLite, "Transaction": errors that may roll back)."""
    generation.commit("writer", commit(0))
    (pages,) = generation._connection.execute("PRAGMA page_count").fetchone()
    generation._connection.execute(f"PRAGMA max_page_count = {pages}")
    for _ in range(2):
        with pytest.raises(StoreUnavailable, match=r"some-1\.db: database or disk is full"):
            generation.commit("writer", commit(1, 100_000))
    assert generation.checkpoints() == {"s": Position("s", 0)}

    generation._connection.execute(f"PRAGMA max_page_count = {pages + 1_000}")
    generation.commit("writer", commit(1, 100_000))

    assert generation.checkpoints() == {"s": Position("s", 1)}
    assert set(generation.documents(["key-0", "key-1"])) == {"key-0", "key-1"}


@pytest.mark.parametrize("how", ["ROLLBACK", "ABORT", "FAIL"])
def test_a_statement_that_fails_leaves_no_transaction_open(generation: SqliteGeneration, how: str) -> None:
    generation._connection.executescript(
        f"CREATE TEMP TRIGGER refused BEFORE INSERT ON main.document BEGIN SELECT RAISE({how}, 'refused'); END"
    )
    with pytest.raises(StoreUnavailable, match="refused"):
        generation.commit("writer", commit(0))
    generation._connection.execute("DROP TRIGGER refused")

    generation.commit("writer", commit(0))

    assert generation.checkpoints() == {"s": Position("s", 0)}


def test_a_commit_whose_last_word_cannot_be_said_is_undone(generation: SqliteGeneration) -> None:
    """COMMIT itself fails where, for one, another connection holds what it needs."""
    generation._connection.executescript(
        "CREATE TABLE parent(id PRIMARY KEY);"
        "CREATE TABLE child(id REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED);"
        "CREATE TRIGGER orphan AFTER INSERT ON document BEGIN INSERT INTO child VALUES (1); END;"
        "PRAGMA foreign_keys = ON"
    )
    with pytest.raises(StoreUnavailable, match="FOREIGN KEY constraint failed"):
        generation.commit("writer", commit(0))
    assert generation.checkpoints() == {}

    generation._connection.execute("DROP TRIGGER orphan")
    generation.commit("writer", commit(0))

    assert generation.checkpoints() == {"s": Position("s", 0)}


def test_a_writer_that_waited_in_vain_is_unharmed(generation: SqliteGeneration, tmp_path: Path) -> None:
    generation._connection.execute("PRAGMA busy_timeout = 1")
    with closing(sqlite3.connect(tmp_path / "some-1.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StoreUnavailable, match="locked"):
            generation.commit("writer", commit(0))
        with pytest.raises(StoreUnavailable, match="locked"):
            generation.claim("writer", ["s"])
        with generation.reading() as rows:
            assert rows.checkpoints() == {}
        other.execute("ROLLBACK")

    generation.commit("writer", commit(0))


def test_many_small_markers_of_an_hour_become_few_rows(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    log.append([finding(number, 1_000_000 * number) for number in range(200)])
    with Spine(tmp_path, log, batch_events=1) as spine:
        spine.fold()

    with closing(sqlite3.connect(tmp_path / "event_index-1.db")) as file:
        sizes = [size for (size,) in file.execute("SELECT length(ids) FROM marker")]
    assert sum(sizes) == 200 * ID_BYTES
    assert len(sizes) < 70


def test_readers_of_threads_that_come_and_go_keep_no_files_open(generation: SqliteGeneration) -> None:
    def read() -> None:
        with generation.reading() as rows:
            rows.checkpoints()

    read()
    before = open_files()
    for _ in range(30):
        thread = Thread(target=read)
        thread.start()
        thread.join()

    assert open_files() == before


def test_closing_gives_all_files_back(tmp_path: Path) -> None:
    before = open_files()
    log = MemoryLog()
    log.append([finding(1)])
    with Spine(tmp_path, log) as spine:
        spine.fold()
        spine.catalog.states()
        spine.rebuilder().rebuild(spine.projections[0], diff=True)
        assert open_files() > before

    assert open_files() == before


def test_a_damaged_file_is_told_by_name(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
        info = store.create("some", 1, serving=True)
        (tmp_path / "some-1.db").write_bytes(b"this is no database" * 1_000)
        with pytest.raises(StoreUnavailable, match=r"some-1\.db: file is not a database"):
            store.open(info)


def test_a_file_that_cannot_be_opened_is_told_by_name(tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
        info = store.create("some", 1, serving=True)
        (tmp_path / "some-1.db").unlink()
        (tmp_path / "some-1.db").mkdir()
        with pytest.raises(StoreUnavailable, match=r"some-1\.db: unable to open database file"):
            store.open(info)


def test_of_those_that_start_at_once_on_an_empty_folder_one_makes_the_catalogue_and_the_others_wait(tmp_path: Path) -> None:
    """SQLite itself does not wait for another connection's change to WAL."""
    made: list[GenerationInfo] = []

    def start() -> None:
        with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
            made.append(store.create("some", 1, serving=True))

    threads = [Thread(target=start) for _ in range(4)]
    with (tmp_path / "catalog.lock").open("w") as lock:
        flock(lock, LOCK_EX)
        for thread in threads:
            thread.start()
        threads[0].join(0.05)
        assert not (tmp_path / "catalog.db").exists()
    for thread in threads:
        thread.join()

    assert len(made) == 4


def test_unparking_searches_for_each_event_instead_of_looking_at_all(generation: SqliteGeneration) -> None:
    """Otherwise a redrive of many would hold the projector up for minutes."""
    waiting = [Parked("key", Position("s", number), number, b"event", "") for number in range(2_000)]
    generation.commit("writer", Commit({}, {}, parked=waiting))
    thousands = []
    generation._connection.set_progress_handler(lambda: thousands.append(1), 1_000)

    generation.commit("writer", Commit({}, {}, unparked=[parked.position for parked in waiting]))

    assert generation.waiting() == {}
    assert len(thousands) < 1_000


def test_passing_documents_go_at_once(generation: SqliteGeneration) -> None:
    documents: dict[str, dict[str, object]] = {"new//1": {}, "new//2": {}}
    generation.commit("writer", Commit({}, {}, Changes(documents=documents, passing=set(documents))))

    generation.forget_documents("new", "2")

    assert [key for key, _ in generation.all_documents()] == ["new//2"]
