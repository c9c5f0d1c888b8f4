"""Chores: each in its own time, none stopped by another's failure; outdated projections are renewed once."""

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from threading import Event

import pytest

from consumers.maintenance import Chore, Renewal, keep
from consumers.sample import CALM, generate
from pipeline.errors import LogUnavailable
from pipeline.ingest import Ingest
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from projections.event_index import EventIndex
from projections.projector import Projector
from projections.rebuild import Rebuilder
from projections.stores.sqlite import SqliteStore

NOW_US = 1_790_000_000_000_000


def clock() -> int:
    return NOW_US


def test_a_chore_is_done_at_once_and_then_in_its_time() -> None:
    done: list[float] = []
    chore = Chore("a chore", 10.0, lambda: done.append(1))

    for now in (0.0, 5.0, 9.9, 10.0, 15.0, 25.0):
        chore.turn(now)

    assert len(done) == 3


def test_a_chore_that_fails_is_tried_at_its_next_turn(caplog: pytest.LogCaptureFixture) -> None:
    tries: list[int] = []

    def step() -> None:
        tries.append(1)
        message = "the disk is busy"
        raise LogUnavailable(message)

    chore = Chore("re-packing", 10.0, step)
    chore.turn(0.0)
    chore.turn(10.0)

    assert len(tries) == 2
    assert "re-packing: the disk is busy; tried again later" in caplog.text


def test_chores_are_kept_until_told_to_stop() -> None:
    stop = Event()
    done: list[str] = []
    first = Chore("first", 10.0, lambda: done.append("first"))
    second = Chore("second", 10.0, stop.set)

    keep([first, second], lambda: 0.0, stop)

    assert done == ["first"]


@pytest.fixture
def outdated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple[SqliteLog, SqliteStore]]:
    """A log with ten findings, folded by a version of the event index that is no longer the present one."""
    with (
        closing(SqliteLog(tmp_path / "log.db", clock=clock)) as log,
        closing(SqliteQuarantine(tmp_path / "quarantine.db", clock=clock)) as quarantine,
        closing(SqliteStore(tmp_path / "projections", clock=clock)) as store,
    ):
        story = generate(1, NOW_US, step_us=1000, mix=CALM)
        Ingest(log, quarantine, clock=clock).take_lines([next(story).payload for _ in range(10)], origin="test")
        with closing(Projector(log, store, token="before")) as projector:
            projector.step()
        monkeypatch.setattr(EventIndex, "version", 2)
        yield log, store


def renewal(log: SqliteLog, store: SqliteStore) -> Renewal:
    return Renewal(Projector(log, store, token="test"), Rebuilder(log, store, "test"))


def test_an_outdated_projection_is_rebuilt_and_then_left_alone(outdated: tuple[SqliteLog, SqliteStore]) -> None:
    log, store = outdated
    chore = renewal(log, store)

    chore.step()
    chore.step()

    serving = store.serving()["event_index"]
    assert (serving.number, serving.version) == (2, 2)


def test_a_renewal_that_would_park_is_left_to_a_person(
    outdated: tuple[SqliteLog, SqliteStore], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def poison(*_: object) -> Callable[[], None]:
        message = "cannot digest"
        raise ValueError(message)

    monkeypatch.setattr(EventIndex, "fold", poison)
    log, store = outdated
    chore = renewal(log, store)

    chore.step()
    told = len(caplog.records)
    chore.step()

    serving = store.serving()["event_index"]
    assert (serving.number, serving.version) == (1, 1)
    assert "--accept-parked" in caplog.text
    assert len(caplog.records) == told
