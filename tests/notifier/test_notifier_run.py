"""The role as it runs: threads, a stop, and what is unavailable for a while."""

import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path
from threading import Event

import pytest
from pydantic import SecretStr

from consumers.notifier import notifier as role
from consumers.notifier.channels.slack import SlackChannel
from consumers.notifier.errors import LedgerTaken
from consumers.notifier.notice import State
from consumers.notifier.notifier import Notifier
from consumers.notifier.routing.tree import Route
from pipeline.log.port import Receipt
from schemas.envelope import Envelope
from tests.notifier.fake_slack import FakeSlack, Step, rate_limited
from tests.notifier.slack_rules import CONSOLE
from tests.notifier.world import UNHURRIED, World, at_once, event, world

DEADLINE_SECONDS = 20.0
ROUTES = [at_once("a", "slow"), at_once("b", "fast")]


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as server:
        yield server


@contextmanager
def running(notifier: Notifier) -> Iterator[Event]:
    stop = Event()
    with ThreadPoolExecutor(1) as pool:
        run = pool.submit(notifier.run, stop)
        try:
            yield stop
        finally:
            stop.set()
        run.result(DEADLINE_SECONDS)


@contextmanager
def at_home(path: Path, slack: FakeSlack, routes: Sequence[Route] = ROUTES) -> Iterator[World]:
    names = {route.channel for route in routes}
    channels = {name: channel_of(slack.url(name)) for name in names}
    with world(path, routes=routes, channels=channels) as here:
        yield here


def channel_of(url: str) -> SlackChannel:
    return SlackChannel(SecretStr(url), CONSOLE, pace=UNHURRIED, timeout=timedelta(seconds=5))


def until(true: Callable[[], bool]) -> None:
    """Wait on a condition, with a deadline."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.005)  # a poll for other threads' progress


def test_a_channel_that_hangs_does_not_hold_up_another(tmp_path: Path, slack: FakeSlack) -> None:
    released = Event()
    slack.script("slow", Step(hold=released))
    with at_home(tmp_path, slack) as here, running(here.start()):
        here.log.append([event(number) for number in range(1, 11)])

        until(lambda: len(slack.arrived("fast")) == 10)
        until(lambda: len(slack.posts) > 10)
        assert len(slack.statuses("slow")) == 1
        released.set()
        until(lambda: len(slack.arrived("slow")) == 10)


def test_facts_reach_the_log_while_it_runs(tmp_path: Path, slack: FakeSlack) -> None:
    with at_home(tmp_path, slack) as here, running(here.start()):
        here.log.append([event(1), event(2)])

        until(lambda: len(here.facts()) == 4)


def test_people_are_told_while_the_log_takes_its_time_with_facts(
    tmp_path: Path, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    released = Event()
    with at_home(tmp_path, slack, ROUTES[:1]) as here:
        append = here.log.append

        def slowly(facts: Sequence[Envelope]) -> list[Receipt]:
            assert released.wait(DEADLINE_SECONDS)
            return append(facts)

        def has_told(number: int) -> bool:
            return len(slack.arrived("slow")) == number

        monkeypatch.setattr(here.log, "append", slowly)
        with running(here.start()):
            for number in (1, 2, 3):
                here.log.put(event(number), "shard-0")
                until(partial(has_told, number))
            assert here.facts() == []

            released.set()
            until(lambda: len(here.facts()) == 3)


def test_a_stop_lets_the_request_in_flight_finish_and_tells_of_it(tmp_path: Path, slack: FakeSlack) -> None:
    with at_home(tmp_path, slack, ROUTES[:1]) as here:
        released, arrived = Event(), Event()
        slack.script("slow", Step(hold=released, then=arrived.set))
        with running(here.start()) as stop:
            here.log.append([event(1), event(2)])
            assert arrived.wait(DEADLINE_SECONDS)
            stop.set()
            released.set()

        states = sorted(here.notice(event(number), "a").state for number in (1, 2))
        assert states == [State.PENDING, State.SENT]
        assert [fact.type for fact in here.facts()] == ["notice.sent"]


def test_a_stop_does_not_wait_for_a_rest(tmp_path: Path, slack: FakeSlack) -> None:
    slack.always("slow", rate_limited(3600))
    with at_home(tmp_path, slack, ROUTES[:1]) as here, running(here.start()):
        here.log.append([event()])
        until(lambda: slack.statuses("slow") == [429])


def test_it_waits_for_a_log_that_is_down_and_goes_on(
    tmp_path: Path, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(role, "_PATIENCE_SECONDS", 0.01)
    with at_home(tmp_path, slack) as here, running(here.start()):
        here.log.down = True
        until(lambda: "waiting: the test has taken the log down" in caplog.text)
        here.log.down = False
        here.log.append([event()])
        until(lambda: len(slack.posts) == 2)


def test_it_ends_when_another_takes_the_ledger_over(tmp_path: Path, slack: FakeSlack) -> None:
    with at_home(tmp_path, slack) as here, ThreadPoolExecutor(1) as pool:
        ended = pool.submit(here.start().run, Event())
        here.start()
        here.log.append([event()])

        with pytest.raises(LedgerTaken):
            ended.result(DEADLINE_SECONDS)


def test_it_ends_when_a_courier_breaks(tmp_path: Path) -> None:
    fault = RuntimeError("a mistake of ours")
    with world(tmp_path) as here, ThreadPoolExecutor(1) as pool:
        here.ops.answers = [fault]
        ended = pool.submit(here.start().run, Event())
        here.log.append([event()])

        with pytest.raises(RuntimeError, match="a mistake of ours"):
            ended.result(DEADLINE_SECONDS)
        assert here.notice(event()).state == State.SENDING


def test_a_redrive_from_outside_is_noticed(tmp_path: Path, slack: FakeSlack) -> None:
    slack.script("slow", Step(404, "no_service"))
    with at_home(tmp_path, slack, ROUTES[:1]) as here, running(here.start()):
        here.log.append([event()])
        until(lambda: here.log.events("notice.failed") != [])

        here.ledger.redrive(None, here.clock())

        until(lambda: len(slack.arrived("slow")) == 1)


def test_a_person_who_has_a_channel_tried_is_noticed_whatever_the_time(tmp_path: Path, slack: FakeSlack) -> None:
    slack.script("slow", Step(500, "down"))
    with at_home(tmp_path, slack, ROUTES[:1]) as here, running(here.start()):
        here.log.append([event()])
        until(lambda: here.ledger.pace("slow").failures == 1)

        here.ledger.retry("slow", here.clock())

        until(lambda: len(slack.arrived("slow")) == 1)
