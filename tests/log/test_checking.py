"""The integrity check: a sound log has no problem, and each kind of damage is named, with its place."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from pipeline.log.sqlite import Flaw, Problem, SqliteLog, checking
from pipeline.log.sqlite.blocks import encode_bodies
from pipeline.log.sqlite.keys import key_of
from tests.log.made_up import Clock, event

SECOND_BLOCK = 10
FREE_PAGES = 36
"""Where the number of free pages stands (SQLite documentation, "Database File Format")."""
PAGES_BEFORE_BLOCKS = 2
"""The file's header and tables, then ``meta``."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "log.db"


@pytest.fixture
def log(path: Path) -> Iterator[SqliteLog]:
    """Thirty events in three blocks of one shard."""
    clock = Clock()
    with closing(SqliteLog(path, shards=1, clock=clock)) as opened:
        for start in (0, 10, 20):
            clock.now_us += 1
            opened.append([event(number) for number in range(start, start + 10)])
        yield opened


def change(path: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        assert connection.execute(statement, parameters).rowcount > 0


def found(log: SqliteLog) -> list[tuple[Flaw, str]]:
    return [(problem.flaw, problem.where) for problem in log.check()]


def test_a_sound_log_has_no_problem(log: SqliteLog) -> None:
    assert log.check() == []


@pytest.mark.parametrize("column", ["headers", "bodies"])
def test_a_block_that_cannot_be_read_back_is_named(log: SqliteLog, path: Path, column: str) -> None:
    change(path, f"UPDATE block SET {column} = substr({column}, 1, 20) WHERE address = ?", SECOND_BLOCK)  # noqa: S608 one of two columns

    (problem,) = log.check()

    assert (problem.flaw, problem.where) == (Flaw.BLOCK_UNREADABLE, "shard-0:10:0")
    assert problem.detail


def test_a_block_with_too_few_bodies_is_named(log: SqliteLog, path: Path) -> None:
    change(path, "UPDATE block SET bodies = ? WHERE address = ?", encode_bodies([b"{}"] * 9), SECOND_BLOCK)

    assert log.check() == [Problem(Flaw.BLOCK_UNREADABLE, "shard-0:10:0", "9 bodies for 10 events")]


def test_a_missing_block_is_named_and_so_are_its_ids(log: SqliteLog, path: Path) -> None:
    change(path, "DELETE FROM block WHERE address = ?", SECOND_BLOCK)

    problems = log.check()

    assert problems[0] == Problem(Flaw.EVENTS_MISSING, "shard-0:10:0", "10 events, up to shard-0:20:0")
    assert {(Flaw.ID_WITHOUT_EVENT, f"shard-0:{number}:0") for number in range(10, 20)} == {
        (problem.flaw, problem.where) for problem in problems[1:]
    }


def test_overlapping_blocks_are_named(log: SqliteLog, path: Path) -> None:
    change(path, "UPDATE block SET address = 9 WHERE address = ?", SECOND_BLOCK)

    assert (Flaw.BLOCKS_OVERLAP, "shard-0:9:0") in found(log)


def test_times_that_run_back_are_named(log: SqliteLog, path: Path) -> None:
    change(path, "UPDATE block SET since_us = 5, until_us = 5 WHERE address = ?", SECOND_BLOCK)

    assert found(log) == [(Flaw.TIME_RUNS_BACK, "shard-0:10:0")]


def test_times_other_than_the_blocks_are_named(log: SqliteLog, path: Path) -> None:
    change(path, "UPDATE block SET until_us = until_us + 1 WHERE address = 20")

    assert found(log) == [(Flaw.TIME_RUNS_BACK, "shard-0:20:0")]


def test_an_event_whose_id_is_not_known_is_named(log: SqliteLog, path: Path) -> None:
    change(path, "DELETE FROM known WHERE id = ?", key_of(event(12).id))

    assert log.check() == [Problem(Flaw.ID_UNKNOWN, "shard-0:12:0", event(12).id)]


def test_an_id_that_points_elsewhere_is_named(log: SqliteLog, path: Path) -> None:
    change(path, "UPDATE known SET address = 3 WHERE id = ?", key_of(event(12).id))

    (problem,) = log.check()

    assert (problem.flaw, problem.where) == (Flaw.ID_MISPLACED, "shard-0:12:0")
    assert problem.detail == f"{event(12).id} is said to stand at shard-0:3:0"


def test_ids_without_an_event_are_named(log: SqliteLog, path: Path) -> None:
    change(path, "INSERT INTO known VALUES (x'00', 500)")
    change(path, "INSERT INTO known VALUES (x'01', 7)")

    assert {(Flaw.ID_WITHOUT_EVENT, "shard-0:500:0"), (Flaw.ID_WITHOUT_EVENT, "shard-0:7:0")} <= set(found(log))


def test_an_event_in_another_subjects_shard_is_named(log: SqliteLog, path: Path) -> None:
    log.close()
    change(path, "UPDATE meta SET value = 2 WHERE name = 'shards'")

    with closing(SqliteLog(path, clock=Clock())) as of_two_shards:
        wrong = {flaw for flaw, _ in found(of_two_shards)}

    assert wrong == {Flaw.WRONG_SHARD}


def test_a_damaged_file_is_named(log: SqliteLog, path: Path) -> None:
    log.close()
    with path.open("r+b") as file:
        file.seek(4096 * PAGES_BEFORE_BLOCKS)
        file.write(b"\xff" * 4096)

    with closing(SqliteLog(path, clock=Clock())) as damaged:
        assert Flaw.FILE_DAMAGED in {flaw for flaw, _ in found(damaged)}


def test_an_inconsistency_that_no_read_stumbles_over_is_named(log: SqliteLog, path: Path) -> None:
    log.close()
    with path.open("r+b") as file:
        file.seek(FREE_PAGES)
        file.write((7).to_bytes(4, "big"))

    with closing(SqliteLog(path, clock=Clock())) as damaged:
        (problem,) = damaged.check()

    assert (problem.flaw, problem.where) == (Flaw.FILE_DAMAGED, "")
    assert "size is 0 but should be 7" in problem.detail


def test_the_list_is_bounded(log: SqliteLog, path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checking, "MOST", 5)
    change(path, "DELETE FROM known")

    assert len(log.check()) == 5
