"""What is told to the stream on AWS, in order: findings of many subjects, tasks, heartbeats, and what no fold can digest."""

from collections.abc import Iterator
from random import Random

from schemas.envelope import Envelope
from tests.support.facts import MORNING_US, beat, deployed, finding, task, task_id

TASKS = 5
POISONED_TASK = TASKS
SPOILT_ACCOUNT = "999999999990"
SUBJECTS = 37
_STEP_US = 20_000_000
_BEGINNING_US = MORNING_US - 1_000_000


def story(events: int) -> list[Envelope]:
    """So many events and a few more, each once."""
    beginning = [task("created", _BEGINNING_US, number) for number in range(TASKS + 1)]
    poison = [
        task("updated", _BEGINNING_US, POISONED_TASK, version="poison"),
        deployed(_BEGINNING_US, "exploded", account=SPOILT_ACCOUNT),
    ]
    return beginning + poison + [_event(number) for number in range(events)]


def _event(number: int) -> Envelope:
    time_us = MORNING_US + number * _STEP_US
    match number % 20:
        case 7:
            return task("commented", time_us, number // 20 % (TASKS + 1), comment=f"comment {number}")
        case 13:
            return beat(time_us, account=f"{111122223330 + number % 3}")
        case 17:
            return beat(time_us, account=SPOILT_ACCOUNT)
        case _:
            return finding(number, time_us, subject=f"alarm/{number % SUBJECTS}")


def rounds(told: list[Envelope], size: int, dice: Random) -> Iterator[list[Envelope]]:
    """The events a round at a time, each round with some that were told before, as producers repeat them."""
    for begin in range(0, len(told), size):
        repeats = dice.choices(told[:begin], k=size // 20) if begin else []
        yield told[begin : begin + size] + repeats


def history(told: list[Envelope], task: int) -> list[str]:
    """The ids of a task's events."""
    return [event.id for event in told if event.subject == f"task/{task_id(task)}"]
