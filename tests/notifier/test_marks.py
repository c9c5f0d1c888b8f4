"""How far the log was decided is kept with what was decided; of what concerns nobody, soon enough, and never too far."""

import sqlite3
from pathlib import Path
from threading import Event
from typing import Any, NoReturn

import pytest

from consumers.notifier.deciding import MARKED_US
from consumers.notifier.errors import LedgerUnavailable
from pipeline.log.port import Position
from pipeline.sqlite_file import connect
from tests.notifier.test_policing import OPS, published
from tests.notifier.world import World, event, world

NOBODYS = "agent.beat"


def put(here: World, number: int, **header: str) -> Position:
    """Put an event on the log; where it stands."""
    position = here.log.put(event(number, **header), "shard-0").position
    assert position
    return position


def kept(here: World) -> Position | None:
    return (here.ledger.marks() or {}).get("shard-0")


def unavailable(*_: object) -> NoReturn:
    message = "the test says so"
    raise LedgerUnavailable(message)


def test_what_concerns_nobody_is_kept_once_a_while(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        first = put(here, 1, type=NOBODYS)
        notifier.step()
        assert kept(here) == first

        second = put(here, 2, type=NOBODYS)
        notifier.step()
        assert kept(here) == first

        here.clock.now_us += MARKED_US
        notifier.step()
        assert kept(here) == second


def test_what_is_decided_is_kept_at_once_with_all_before_it(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        for number in (1, 2):
            put(here, number, type=NOBODYS)
            notifier.step()
        last = put(here, 3)
        notifier.step()

        assert kept(here) == last


def test_what_people_decided_is_kept_at_once(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        put(here, 1, type=NOBODYS)
        notifier.step()
        heard = here.log.put(published(1, OPS), "shard-0").position
        notifier.step()

        assert kept(here) == heard


def test_a_turn_and_a_run_keep_all_at_their_end(tmp_path: Path) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        put(here, 1, type=NOBODYS)
        notifier.step()
        second = put(here, 2, type=NOBODYS)
        notifier.turn(here.clock.now_us + 1_000_000)
        assert kept(here) == second

        third = put(here, 3, type=NOBODYS)
        notifier.step()
        stop = Event()
        stop.set()
        notifier.run(stop)
        assert kept(here) == third


@pytest.mark.parametrize("fault", [LedgerUnavailable, RuntimeError])
def test_no_mark_passes_what_a_failed_write_lost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, fault: type[Exception]) -> None:
    def fails(*_: object) -> NoReturn:
        message = "the test says so"
        raise fault(message)

    with world(tmp_path) as here:
        notifier = here.start()
        put(here, 1)
        with monkeypatch.context() as broken:
            broken.setattr(here.ledger, "commit", fails)
            with pytest.raises(fault):
                notifier.step()
        stop = Event()
        stop.set()
        notifier.run(stop)  # keeps what is to be kept, and ends

        again = here.start()
        again.step()
        again.deliver("ops")
        assert here.ops.told == [(event(1).id,)]


def test_no_mark_goes_back_after_a_write_that_was_kept_though_it_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with world(tmp_path) as here:
        notifier = here.start()
        for number in (1, 2):
            put(here, number, type=NOBODYS)
            notifier.step()
        last = put(here, 3)
        commit = here.ledger.commit

        def kept_all_the_same(*arguments: Any) -> NoReturn:
            commit(*arguments)
            unavailable()

        with monkeypatch.context() as broken:
            broken.setattr(here.ledger, "commit", kept_all_the_same)
            with pytest.raises(LedgerUnavailable):
                notifier.step()
        stop = Event()
        stop.set()
        notifier.run(stop)

        assert kept(here) == last


def test_a_decision_waits_for_the_disk_only_if_a_fact_of_it_goes_to_the_log(tmp_path: Path) -> None:
    told: list[str] = []

    def watched(path: Path) -> sqlite3.Connection:
        connection = connect(path)
        connection.set_trace_callback(told.append)
        return connection

    with world(tmp_path, connect=watched) as here:
        notifier = here.start()
        put(here, 1)
        told.clear()
        notifier.step()
        assert "PRAGMA synchronous = 1" in told

    with world(tmp_path / "other", connect=watched, channels={"ops": None}) as here:
        notifier = here.start()
        put(here, 1)
        told.clear()
        notifier.step()
        assert [fact.type for _, fact in here.ledger.outbox(9)] == ["notice.suppressed"]
        assert "PRAGMA synchronous = 1" not in told


def test_old_outcomes_are_forgotten_on_a_log_that_is_never_quiet(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stop, pruned = Event(), Event()
    with world(tmp_path) as here:
        notifier = here.start()
        numbers = iter(range(1, 200))

        def wait(*_: object) -> bool:
            number = next(numbers, None)
            if number is None or pruned.is_set():
                stop.set()
            else:
                put(here, number, type=NOBODYS)
            return True

        def prune() -> int:
            pruned.set()
            return 0

        monkeypatch.setattr(here.log, "wait", wait)
        monkeypatch.setattr(notifier, "prune", prune)
        put(here, 200, type=NOBODYS)
        notifier.run(stop)

    assert pruned.is_set()
