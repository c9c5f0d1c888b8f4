"""What the benchmarks run on: sample findings, one every 2.6 seconds of their own time (1,000,000 a month), and some task events.

The same every time: seeded. 2 % of the lines are repeats and 2 % come late, as in life; none are malformed.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final

import orjson

from consumers.sample import Mix, generate
from pipeline import recognise
from pipeline.unwrap import documents
from schemas.envelope import Envelope
from schemas.identity import event_id

START_US: Final = 1_760_000_000_000_000
STEP_US: Final = 2_592_000
SEED: Final = 7
MIX: Final = Mix(malformed=0)

_TASK_EVERY: Final = 100
_EVENTBRIDGE: Final = b'{"version":"0"'


@dataclass(frozen=True, slots=True)
class Told:
    """A line as it comes in, when it does, and the event that it becomes."""

    line: bytes
    at_us: int
    event: Envelope


def told(seed: int = SEED) -> Iterator[Told]:
    """Findings in EventBridge's form (the only one that the naive baseline reads), in order of arrival, without end."""
    items = (item for item in generate(seed, START_US, step_us=STEP_US, mix=MIX) if item.payload.startswith(_EVENTBRIDGE))
    number = 0
    while True:
        some = list(islice(items, _TASK_EVERY - 1))
        for item, event in zip(some, recognised(item.payload for item in some), strict=True):
            yield Told(item.payload, item.at_us, event)
        yield Told(some[-1].payload, some[-1].at_us, _task(number, some[-1].at_us))
        number += 1


def sample(count: int) -> Sequence[Told]:
    """The first ``count``."""
    return list(islice(told(), count))


def recognised(lines: Iterable[bytes]) -> list[Envelope]:
    """The events that ingest makes of lines that are one each."""
    return [event for event in recognise.events(documents.in_lines(lines), frozenset()) if isinstance(event, Envelope)]


def _task(number: int, at_us: int) -> Envelope:
    """The next event in the life of some task: three in a row are one task's."""
    task, step = divmod(number, 3)
    task_id = f"00000000-0000-7000-8000-{task:012}"
    kind, body = (
        ("task.created", {"task_id": task_id, "title": f"Look into finding {task}", "description": "It came twice this week.",
                          "priority": ("critical", "high", "medium", "low")[task % 4], "created_by": "u-1"}),
        ("task.status_changed", {"status": "in_progress", "by": "u-2"}),
        ("task.commented", {"comment": "Known; the fix is on its way.", "by": "u-2"}),
    )[step]  # fmt: skip
    return Envelope(
        id=event_id(at_us, kind, task_id, step),
        type=kind,
        version=1,
        time_us=at_us,
        source="findstream.tasks",
        account="",
        region="",
        subject=f"task/{task_id}",
        severity=0,
        summary="",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=orjson.dumps(body),
    )
