"""Events and times made up for tests of the log."""

from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.envelope import MAX_TIME_US, Envelope
from schemas.identity import event_id

NOON_US = 1_750_000_000_000_000


class Clock:
    """A clock that is set by hand: microseconds since the epoch."""

    def __init__(self, now_us: int = NOON_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def event(number: int, *, subject: str = "alarm/a", **header: Any) -> Envelope:
    """The event with this number: the same number, the same id."""
    time_us = NOON_US + number * 1_000_000
    known: dict[str, Any] = {
        "id": event_id(time_us, number),
        "type": "finding.observed",
        "version": 1,
        "time_us": time_us,
        "source": "aws.cloudwatch",
        "account": "111122223333",
        "region": "eu-central-1",
        "subject": subject,
        "severity": number % 5,
        "summary": f"Finding {number}",
        "resources": (f"arn:{number}", "arn:all"),
        "source_id": f"source-{number}",
        "correlation_id": "",
        "causation_id": "",
        "body": b'{"number":%d}' % number,
    }
    return Envelope(**known | header)


def events(first: int, count: int, *, subjects: int = 7) -> list[Envelope]:
    """``count`` events from a number on, of several subjects in turn."""
    return [event(number, subject=f"alarm/{number % subjects}") for number in range(first, first + count)]


_texts = st.text(max_size=20)
_integers = st.integers(min_value=0, max_value=2**62)

envelopes = st.builds(
    Envelope,
    id=st.builds(event_id, st.integers(0, 10**17), _integers),
    type=st.sampled_from(["finding.observed", "agent.beat", "task.created"]),
    version=st.integers(1, 999),
    time_us=_integers,
    source=_texts,
    account=_texts,
    region=_texts,
    subject=_texts,
    severity=st.integers(0, 4),
    summary=_texts,
    resources=st.lists(_texts, max_size=3).map(tuple),
    source_id=_texts,
    correlation_id=_texts,
    causation_id=_texts,
    body=st.binary(max_size=200),
)
"""Envelopes of any content: the log keeps bytes, it does not judge them."""


_objects = st.dictionaries(
    _texts, st.recursive(st.none() | st.booleans() | _integers | _texts, st.lists, max_leaves=5), max_size=4
)

valid_envelopes = st.builds(
    Envelope,
    id=st.builds(event_id, st.integers(0, 10**17), _integers),
    type=st.sampled_from(["finding.observed", "agent.beat", "task.created"]),
    version=st.integers(1, 999),
    time_us=st.integers(0, MAX_TIME_US - 1),
    source=st.text(min_size=1, max_size=20),
    account=st.sampled_from(["", "111122223333"]),
    region=_texts,
    subject=st.text(min_size=1, max_size=300),
    severity=st.integers(0, 4),
    summary=_texts,
    resources=st.lists(_texts, max_size=3).map(tuple),
    source_id=_texts,
    correlation_id=_texts,
    causation_id=_texts,
    body=_objects.map(orjson.dumps),
)
"""Envelopes that a door would let in."""
