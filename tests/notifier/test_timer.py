"""The delayed messages that wake the notifier on AWS."""

from typing import Any

import pytest

from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.timer import LONGEST_SECONDS, Timer
from pipeline.errors import LogUnavailable, PipelineError
from tests.aws.clients import Server
from tests.notifier.world import Clock

SECOND_US = 1_000_000


class Queue:
    """Remembers by how much each message is delayed."""

    def __init__(self) -> None:
        self.delays: list[int] = []

    def send_message(self, **told: Any) -> None:
        self.delays.append(told.get("DelaySeconds", 0))


def test_a_timer_is_armed_once_for_what_comes_next() -> None:
    queue, clock = Queue(), Clock()
    timer = Timer(queue, "https://queue", clock)

    timer.wake_at(None)
    timer.wake_at(clock() + 29_300_000)
    timer.wake_at(clock() + 29_300_000)
    timer.wake_at(clock() + 300 * SECOND_US)
    assert queue.delays == [30]

    timer.wake_at(clock() + 5 * SECOND_US)
    assert queue.delays == [30, 5]


def test_a_timer_that_went_off_is_armed_again() -> None:
    queue, clock = Queue(), Clock()
    timer = Timer(queue, "https://queue", clock)
    timer.wake_at(clock() + 10 * SECOND_US)
    clock.advance(10)

    timer.wake_at(clock() + 20 * SECOND_US)
    timer.wake_at(clock() - SECOND_US)

    assert queue.delays == [10, 20, 0]


def test_what_is_far_away_is_come_back_to() -> None:
    queue, clock = Queue(), Clock()
    Timer(queue, "https://queue", clock).wake_at(clock() + 4 * 3600 * SECOND_US)

    assert queue.delays == [LONGEST_SECONDS]


@pytest.mark.parametrize("outage", [LedgerUnavailable("no table"), LogUnavailable("no stream")])
def test_what_an_outage_breaks_off_is_tried_again_in_a_minute(outage: PipelineError) -> None:
    queue, clock = Queue(), Clock()
    timer = Timer(queue, "https://queue", clock)

    with pytest.raises(type(outage)), timer.outlasting():
        raise outage

    assert queue.delays == [60]


def test_what_goes_well_arms_nothing() -> None:
    queue = Queue()

    with Timer(queue, "https://queue", Clock()).outlasting():
        pass

    assert queue.delays == []


def test_a_message_is_heard_on_a_queue(ministack: Server) -> None:
    sqs = ministack.client("sqs")
    url = sqs.create_queue(QueueName="timer-heard")["QueueUrl"]
    timer = Timer(sqs, url, Clock())

    timer.wake()
    timer.wake_at(0)

    assert len(sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)["Messages"]) in (1, 2)
