"""Waiting for what other processes append: noticed soon while events come, cheaply while none do."""

import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from pipeline.log.sqlite import SqliteLog
from pipeline.log.sqlite.tailing import Tail
from pipeline.sqlite_file import SqliteFile
from tests.log.made_up import Clock, event

PATIENCE_SECONDS = 30.0


@pytest.fixture
def log(tmp_path: Path) -> Iterator[SqliteLog]:
    with closing(SqliteLog(tmp_path / "log.db", clock=Clock())) as opened:
        yield opened


@pytest.fixture
def file(log: SqliteLog) -> SqliteFile:
    return log._file


def test_an_append_through_another_log_object_is_noticed(log: SqliteLog, tmp_path: Path) -> None:
    answers: list[bool] = []
    waiter = Thread(target=lambda: answers.append(log.wait({}, PATIENCE_SECONDS)), daemon=True)
    with closing(SqliteLog(tmp_path / "log.db", clock=Clock())) as other:
        waiter.start()
        other.append([event(1)])
        waiter.join(PATIENCE_SECONDS)

    assert answers == [True]


def test_the_question_is_asked_again_only_when_something_was_committed(log: SqliteLog, file: SqliteFile, tmp_path: Path) -> None:
    asked: list[int] = []
    tail = Tail(file)

    def news() -> bool:
        asked.append(log.behind({}))
        return len(asked) == 3

    with closing(SqliteLog(tmp_path / "log.db", clock=Clock())) as other:
        waiter = Thread(target=tail.wait, args=[news, PATIENCE_SECONDS], daemon=True)
        waiter.start()
        for number in range(2):
            while len(asked) < number + 1:
                assert waiter.is_alive()
            other.append([event(number)])
        waiter.join(PATIENCE_SECONDS)

    assert asked == [0, 1, 2]


def test_an_announcement_is_noticed_at_once(file: SqliteFile) -> None:
    tail = Tail(file)
    asked: list[int] = []

    def news() -> bool:
        asked.append(len(asked))
        if len(asked) == 1:
            tail.announce()
        return len(asked) == 2

    assert tail.wait(news, PATIENCE_SECONDS)


def test_an_idle_wait_looks_about_fifty_times_a_second_at_most(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = Tail(file)
    tail._last_news -= 3600
    pauses: list[float] = []
    wait = tail._changed.wait

    def counting(seconds: float) -> bool:
        pauses.append(seconds)
        return wait(seconds)

    monkeypatch.setattr(tail._changed, "wait", counting)
    began = time.monotonic()

    assert tail.wait(lambda: False, 0.2) is False

    assert time.monotonic() - began >= 0.2
    assert len(pauses) <= 11
    assert {0.02} == set(pauses[:-1])


def test_the_first_looks_after_news_are_half_a_millisecond_apart(file: SqliteFile, monkeypatch: pytest.MonkeyPatch) -> None:
    tail = Tail(file)
    assert tail.wait(lambda: True, 0)
    pauses: list[float] = []
    monkeypatch.setattr(tail._changed, "wait", pauses.append)

    tail.wait(lambda: len(pauses) > 3, 0.002)

    assert pauses[0] == pytest.approx(0.0005, abs=0.0004)
