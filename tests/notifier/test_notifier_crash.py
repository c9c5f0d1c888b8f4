"""What a kill leaves: at any moment, nothing is lost, and nothing is sent twice without saying so."""

import json
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.notifier.channels.port import Answer, Delivered, Payload, RateLimited, Refused, Unavailable
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.ledger.sqlite import SqliteLedger
from consumers.notifier.notice import Reason, State
from consumers.notifier.notifier import begin
from tests.notifier.fake_slack import FakeSlack, Step
from tests.notifier.slack_rules import strings
from tests.notifier.world import ScriptedChannel, World, drain, event, repeats, world

EVENTS = [event(number) for number in range(1, 4)]
ANSWERS: list[Answer | BaseException] = [Delivered(), Unavailable("500", unsure=False), RateLimited(1), Refused("404 no_service")]


class Killed(BaseException):
    """The process ends here."""


class Guillotine:
    """Ends the process at the ``moment``th edge: before or after a write of the ledger, a request, or a call of the log."""

    def __init__(self, moment: int) -> None:
        self._left = moment

    def edge(self) -> None:
        self._left -= 1
        if self._left == 0:
            raise Killed

    def around(self, victim: Any) -> Any:
        """``victim``, with an edge before and after each call of a method."""
        return Edged(victim, self)

    def connect(self, path: Path) -> sqlite3.Connection:
        """A connection with an edge before and after each commit of a write."""
        guillotine = self

        class Mortal(sqlite3.Connection):
            writes = False

            def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:
                self.writes = self.writes or sql == "BEGIN IMMEDIATE"
                if sql != "COMMIT" or not self.writes:
                    return super().execute(sql, parameters)
                self.writes = False
                guillotine.edge()
                cursor = super().execute(sql, parameters)
                guillotine.edge()
                return cursor

        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, factory=Mortal)
        connection.execute("PRAGMA synchronous = OFF")
        return connection


class Edged:
    def __init__(self, victim: Any, guillotine: Guillotine) -> None:
        self._victim = victim
        self._guillotine = guillotine

    def __getattr__(self, name: str) -> Any:
        method = getattr(self._victim, name)
        if not callable(method):
            return method

        def call(*arguments: Any, **named: Any) -> Any:
            self._guillotine.edge()
            result = method(*arguments, **named)
            self._guillotine.edge()
            return result

        return call


def live(here: World) -> None:
    """Start, work until nothing is left to do, moving the clock over every rest."""
    notifier = here.start()
    while True:
        drain(notifier)
        again_us = notifier.deliver("ops").again_us
        if again_us is None:
            return
        here.clock.now_us = again_us


def shown(message: Mapping[str, Any]) -> str:
    """Which event a message tells of."""
    text = " ".join(strings(dict(message)))
    [found] = [each.id for each in EVENTS if each.id in text]
    return found


def killed_at(moment: int, path: Path) -> bool:
    """Kill at the ``moment``th edge, start again, compare. False if the work was done before that moment came."""
    guillotine = Guillotine(moment)
    arrived: list[Mapping[str, Any]] = []
    with world(path) as first:
        begin(first.log, first.ledger)
        log, clock = first.log, first.clock
    for each in EVENTS:
        log.put(each, "shard-0")
    sender = Counting(arrived, *ANSWERS)

    with world(path, channels={"ops": guillotine.around(sender)}, connect=guillotine.connect) as here:
        here.log, here.clock = guillotine.around(log), clock
        if not dies(here):
            return False
    with world(path, channels={"ops": sender}) as here:
        here.log, here.clock = log, clock
        live(here)
        check(here, arrived)
    return True


def check(here: World, arrived: list[Mapping[str, Any]]) -> None:
    told = Counter(map(shown, arrived))
    for each in EVENTS:
        notice = here.notice(each)
        assert notice.state in (State.SENT, State.FAILED)
        assert told[each.id] >= (notice.state == State.SENT)
        messages = [message for message in arrived if shown(message) == each.id]
        assert all(map(repeats, messages[1:])), "a message was repeated without saying so"
    assert {fact.causation_id for fact in here.facts()} == {each.id for each in EVENTS}
    assert len({fact.id for fact in here.facts()}) == len(EVENTS)
    assert here.ledger.outbox(10) == []


def dies(here: World) -> bool:
    try:
        live(here)
    except Killed:
        return True
    return False


class Counting(ScriptedChannel):
    """A channel that keeps what arrived."""

    def __init__(self, arrived: list[Mapping[str, Any]], *answers: Answer | BaseException) -> None:
        super().__init__(*answers)
        self._arrived = arrived

    def send(self, payload: Payload) -> Answer:
        answer = super().send(payload)
        if isinstance(answer, Delivered):
            self._arrived.append(payload)
        return answer


@pytest.mark.long
def test_a_kill_before_or_after_any_write_or_request_loses_nothing_and_repeats_nothing_unmarked(tmp_path: Path) -> None:
    moment = 0
    while True:
        moment += 1
        home = tmp_path / str(moment)
        home.mkdir()
        if not killed_at(moment, home):
            break

    assert moment > 80


# a real process


def child(home: Path, url: str, count: int) -> "subprocess.Popen[bytes]":
    return subprocess.Popen([sys.executable, "-m", "tests.notifier.notifying", str(home), url, str(count)])


def finished(process: "subprocess.Popen[bytes]", seconds: float = 60) -> int:
    return process.wait(timeout=seconds)


def told(home: Path) -> list[dict[str, Any]]:
    """The facts that stand on the log, as the child wrote them out at its end."""
    return [json.loads(line) for line in (home / "facts.ndjson").read_text(encoding="utf-8").splitlines()]


def test_a_process_killed_between_request_and_ledger_resends_once_and_says_so(tmp_path: Path) -> None:
    with FakeSlack() as slack:
        process = child(tmp_path, slack.url("ops"), 1)
        slack.script("ops", Step(then=process.kill, arrives=True, reset=True))
        assert finished(process) == -signal.SIGKILL
        assert len(slack.arrived("ops")) == 1

        assert finished(child(tmp_path, slack.url("ops"), 1)) == 0
        assert finished(child(tmp_path, slack.url("ops"), 1)) == 0

        assert [repeats(message) for message in slack.arrived("ops")] == [False, True]
    [fact] = told(tmp_path)
    assert (fact["type"], fact["body"]["resent"], fact["body"]["reason"]) == ("notice.sent", True, "newly_firing")
    ledger = SqliteLedger(tmp_path / "notices.db")
    [notice] = ledger.notices(Wanted())
    ledger.close()
    assert (notice.state, notice.reason, notice.attempt) == (State.SENT, Reason.OUTCOME_UNKNOWN, 2)


def test_a_process_that_is_asked_to_stop_finishes_the_request_in_flight(tmp_path: Path) -> None:
    with FakeSlack() as slack:
        process = child(tmp_path, slack.url("ops"), 1)
        slack.script("ops", Step(then=process.terminate))
        assert finished(process) == 0

        assert finished(child(tmp_path, slack.url("ops"), 1)) == 0
        assert [repeats(message) for message in slack.arrived("ops")] == [False]


@pytest.mark.long
def test_killed_again_and_again_it_sends_everything_and_repeats_nothing_unmarked(tmp_path: Path) -> None:
    count = 30  # more would become a digest
    with FakeSlack() as slack:
        for kill in range(6):
            process = child(tmp_path, slack.url("ops"), count)
            seen = len(slack.posts)
            deadline = time.monotonic() + 20
            while len(slack.posts) < seen + 3 + kill and process.poll() is None and time.monotonic() < deadline:
                time.sleep(0.002)  # a poll for another process's progress
            process.kill()
            finished(process)
        assert finished(child(tmp_path, slack.url("ops"), count)) == 0
        messages = slack.arrived("ops")

    everything = {event(number).id for number in range(1, count + 1)}
    by_event: dict[str, list[bool]] = {each: [] for each in everything}
    for message in messages:
        [found] = [each for each in everything if each in str(message)]
        by_event[found].append(repeats(message))
    assert all(by_event.values()), "a message was lost"
    assert all(not any(marks[:1]) or len(marks) == 1 for marks in by_event.values())
    assert all(all(marks[1:]) for marks in by_event.values()), "a message was repeated without saying so"
    facts = told(tmp_path)
    assert {fact["causation_id"] for fact in facts} == everything
    assert len({fact["id"] for fact in facts}) == len(facts) == count


@pytest.mark.parametrize("count", [3])
def test_a_start_after_a_clean_end_sends_nothing(tmp_path: Path, count: int) -> None:
    with FakeSlack() as slack:
        for _ in range(2):
            assert finished(child(tmp_path, slack.url("ops"), count)) == 0

        assert len(slack.posts) == count
