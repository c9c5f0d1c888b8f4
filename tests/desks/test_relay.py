"""The relay: everything once in effect, in order, whatever breaks."""

import threading
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from eventsourcing.persistence import Notification, OperationalError, Tracking
from hypothesis import given
from hypothesis import strategies as st

from pipeline.desks.desk import Asked
from pipeline.desks.errors import DesksUnavailable, RelayStuck
from pipeline.desks.relay import MARK, Relay
from pipeline.desks.task import CommentOnTask, MoveTask, Task
from pipeline.errors import LogUnavailable
from pipeline.log.port import Outcome, Receipt
from pipeline.log.sqlite import SqliteLog
from schemas.envelope import Envelope
from tests.api.served import until
from tests.desks.world import ADA, Desks
from tests.notifier.memory_log import MemoryLog
from tests.support.effort import share
from tests.support.scratch import scratch


@pytest.fixture
def desks(tmp_path: Path) -> Iterator[Desks]:
    with Desks(tmp_path) as desks:
        yield desks


def once(log: MemoryLog) -> list[Envelope]:
    """The events by id, as a reader counts them: the first occurrence of each."""
    return list({event.id: event for event in log.events()}.values())


def test_facts_come_onto_the_log_as_they_were_told(desks: Desks) -> None:
    log = MemoryLog(shards=1)
    task = desks.task(Asked("ada", key="k1"))
    desks.desk.do(Task, task.id, MoveTask("closed"), Asked("ada", key="k2"))

    assert Relay(desks.recorders, log).step() == 4  # two facts, two keys
    assert log.events() == desks.told()
    assert Relay(desks.recorders, log).step() == 0


def test_a_relay_goes_on_where_the_last_one_was(desks: Desks) -> None:
    log = MemoryLog()
    desks.task()
    Relay(desks.recorders, log).step()
    desks.task()

    assert Relay(desks.recorders, log).step() == 1
    assert len(log.events()) == 2


def test_what_a_relay_could_not_mark_is_told_again_and_counts_once(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    desks.task()
    with monkeypatch.context() as patched:
        patched.setattr(desks.recorders.events, "insert_tracking", _broken)
        with pytest.raises(DesksUnavailable):
            Relay(desks.recorders, log).step()

    assert Relay(desks.recorders, log).step() == 1
    assert len(log.events()) == 2
    assert len(once(log)) == 1


def test_while_the_log_is_down_the_relay_waits_and_passes_nothing_by(desks: Desks) -> None:
    log = MemoryLog()
    log.down = True
    desks.task()

    with pytest.raises(LogUnavailable):
        Relay(desks.recorders, log).step()
    log.down = False

    assert Relay(desks.recorders, log).step() == 1


def test_facts_behind_one_that_the_log_did_not_take_are_told_again(desks: Desks) -> None:
    log = MemoryLog()
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("Hm."), ADA)
    desks.desk.do(Task, task.id, MoveTask("closed"), ADA)
    log.refusing = {"task.commented"}
    relay = Relay(desks.recorders, log)

    with pytest.raises(LogUnavailable, match="behind notification 1"):
        relay.step()
    log.refusing = set()

    assert relay.step() == 2


def test_a_fact_that_the_log_refuses_for_ever_stops_the_relay(desks: Desks) -> None:
    class Refusing(MemoryLog):
        def append(self, events: Sequence[Envelope]) -> list[Receipt]:
            return [Receipt(event.id, Outcome.REFUSED, None, "too large") for event in events]

    desks.task()

    with pytest.raises(RelayStuck, match="too large"):
        Relay(desks.recorders, Refusing()).step()


def test_what_stands_before_a_fact_that_is_refused_is_not_told_at_each_attempt(desks: Desks) -> None:
    class Choosy(MemoryLog):
        def append(self, events: Sequence[Envelope]) -> list[Receipt]:
            taken = [event for event in events if event.type != "task.commented"]
            known = {receipt.id: receipt for receipt in super().append(taken)}
            return [known.get(event.id, Receipt(event.id, Outcome.REFUSED, None, "too large")) for event in events]

    log = Choosy()
    task = desks.task()
    desks.desk.do(Task, task.id, CommentOnTask("Hm."), ADA)
    with pytest.raises(LogUnavailable, match="behind notification 1"):
        Relay(desks.recorders, log).step()

    for _ in range(3):
        with pytest.raises(RelayStuck, match="too large"):
            Relay(desks.recorders, log).step()
    assert len(log.events()) == 1
    desks.recorders.events.insert_tracking(Tracking(MARK, 2))
    with pytest.raises(RelayStuck, match="too large"):
        Relay(desks.recorders, log).mend(lambda _: None)


def test_a_gap_among_notifications_stops_the_relay(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    desks.task()
    desks.task()
    select = desks.recorders.events.select_notifications

    def gappy(*arguments: Any, **options: Any) -> Sequence[Notification]:
        return select(*arguments, **options)[1:]

    monkeypatch.setattr(desks.recorders.events, "select_notifications", gappy)

    with pytest.raises(RelayStuck, match="behind 0 are missing"):
        Relay(desks.recorders, MemoryLog()).step()


def test_a_relay_that_was_overtaken_goes_on(desks: Desks, monkeypatch: pytest.MonkeyPatch) -> None:
    log = MemoryLog()
    desks.task()
    relay = Relay(desks.recorders, log)
    desks.recorders.events.insert_tracking(Tracking(MARK, 1))
    with monkeypatch.context() as patched:
        patched.setattr(relay, "position", lambda: 0)
        assert relay.step() == 1

    assert relay.step() == 0


@pytest.mark.parametrize("broken", ["max_tracking_id", "select_notifications"])
def test_a_recorder_that_cannot_be_reached_is_waited_for(desks: Desks, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    monkeypatch.setattr(desks.recorders.events, broken, _broken)

    with pytest.raises(DesksUnavailable):
        Relay(desks.recorders, MemoryLog()).step()


def test_a_running_relay_brings_facts_as_they_come_through_outages(desks: Desks) -> None:
    stop, tried = threading.Event(), threading.Event()

    class Away(MemoryLog):
        def append(self, events: Sequence[Envelope]) -> list[Receipt]:
            tried.set()
            return super().append(events)

    log = Away()
    log.down = True
    running = threading.Thread(target=Relay(desks.recorders, log).run, args=(stop,))
    running.start()
    desks.task()
    assert tried.wait(30)
    log.down = False
    until(lambda: len(log.events()) == 1)
    desks.task()
    until(lambda: len(log.events()) == 2)
    stop.set()
    running.join(30)

    assert not running.is_alive()


def _broken(*_: object, **__: object) -> None:
    message = "disk I/O error"
    raise OperationalError(message)


STEPS = st.lists(st.sampled_from(["comment", "make", "relay", "crash", "stall", "wake"]), min_size=5, max_size=40)


class Story:
    """Relays of which one may die between log and mark, or stall there while the others go on."""

    def __init__(self, desks: Desks, batch: int) -> None:
        self.desks = desks
        self.batch = batch
        self.log = MemoryLog(shards=2)
        self.tasks = [desks.task(), desks.task()]
        self._stalled: list[int] = []

    def comment(self) -> None:
        for task in self.tasks[-2:]:
            self.desks.desk.do(Task, task.id, CommentOnTask("Hm."), ADA)

    def make(self) -> None:
        self.tasks.append(self.desks.task())

    def relay(self) -> int:
        return Relay(self.desks.recorders, self.log, batch=self.batch).step()

    def crash(self) -> None:
        _tell_without_mark(self.desks, self.log, Relay(self.desks.recorders, self.log).position(), self.batch)

    def stall(self) -> None:
        self._stalled.append(Relay(self.desks.recorders, self.log).position())

    def wake(self) -> None:
        for position in self._stalled:
            _tell_without_mark(self.desks, self.log, position, self.batch)
        self._stalled.clear()


@share(3)
@given(steps=STEPS, batch=st.integers(1, 5))
def test_whatever_relays_do_each_fact_counts_once_and_in_order(steps: list[str], batch: int) -> None:
    with scratch() as folder, Desks(folder) as desks:
        story = Story(desks, batch)
        for step in steps:
            getattr(story, step)()
        while story.relay():
            pass

        told, heard = desks.told(), once(story.log)

        assert {event.id for event in heard} == {event.id for event in told}
        for task in story.tasks:
            versions = [[e.data["version"] for e in events if e.subject == f"task/{task.id}"] for events in (heard, told)]
            assert versions[0] == versions[1]


def _tell_without_mark(desks: Desks, log: MemoryLog, position: int, batch: int) -> None:
    relay = Relay(desks.recorders, log, batch=batch)
    relay.position = lambda: position  # type: ignore[method-assign]  # what it read before it stalled
    relay._advance = lambda _: None  # type: ignore[method-assign,assignment]  # killed before it could
    relay.step()


@pytest.mark.parametrize("keys", ["", "k"])
def test_a_log_that_lost_what_was_relayed_is_told_again_in_order(desks: Desks, tmp_path: Path, keys: str) -> None:
    task = desks.task(Asked("ada", key=keys and "k0"))
    for number in range(1, 6):
        desks.desk.do(Task, task.id, CommentOnTask(f"Hm {number}."), Asked("ada", key=keys and f"k{number}"))
    with closing(SqliteLog(tmp_path / "first.db", shards=2, clock=desks.clock)) as log:
        while Relay(desks.recorders, log).step():
            pass
        assert Relay(desks.recorders, log).mend(log.find) == 0
    told = desks.told()

    with closing(SqliteLog(tmp_path / "older.db", shards=2, clock=desks.clock)) as log:
        log.append(told[:2])
        lacked = Relay(desks.recorders, log, batch=2).mend(log.find)
        (records,) = [
            list(log.read(shard.id, None, 100).records()) for shard in log.shards() if len(log.read(shard.id, None, 100))
        ]

    assert lacked == 4
    assert [record.event.data["version"] for record in records] == [1, 2, 3, 4, 5, 6]


def test_a_loss_is_noticed_though_the_last_commands_changed_nothing(desks: Desks) -> None:
    task = desks.task(Asked("ada", key="k0"))
    for number in range(1, 6):
        desks.desk.do(Task, task.id, MoveTask("open"), Asked("ada", key=f"k{number}"))  # keys only: it is open already
    Relay(desks.recorders, MemoryLog()).step()
    log = MemoryLog()

    assert Relay(desks.recorders, log, batch=2).mend(lambda _: None) == 1
    assert log.events() == desks.told()


def test_a_log_is_not_told_anything_before_something_was_relayed(desks: Desks) -> None:
    log = MemoryLog()
    desks.task()

    assert Relay(desks.recorders, log).mend(lambda _: None) == 0
    assert log.events() == []


def test_a_log_that_is_down_is_not_mended(desks: Desks) -> None:
    log = MemoryLog()
    desks.task()
    Relay(desks.recorders, log).step()
    log.refusing = {"task.created"}

    with pytest.raises(LogUnavailable, match="what it lacks"):
        Relay(desks.recorders, log).mend(lambda _: None)
