"""The Kinesis log on a stream of its own, of a server or of anything else that has the client's methods."""

import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import KinesisLog, Unreadable
from pipeline.log.port import Outcome
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.aws.streams import stream


def now_us() -> int:
    return time.time_ns() // 1_000  # noqa: TID251  # tests of real servers are a door: those stamp by the machine's clock


def refuse_unreadable(found: Any) -> None:
    """The sink of a test in which all can be read."""
    raise AssertionError(found)


def log_on(kinesis: Any, name: str, **settings: Any) -> KinesisLog:
    """A log on an existing stream, by the machine's own clock and dice; it polls often."""
    chosen: dict[str, Any] = {
        "on_unreadable": refuse_unreadable,
        "clock": now_us,
        "monotonic": time.monotonic,
        "sleep": time.sleep,
        "random": random.random,
        "poll_seconds": 0.02,
        "refresh_seconds": 0.2,
    }
    return KinesisLog(kinesis, name, **chosen | settings)


@contextmanager
def kinesis_log(server: Server, *, shards: int = 4, **settings: Any) -> Iterator[KinesisLog]:
    """A log on a new stream."""
    kinesis = server.client("kinesis")
    if server.name == "kinesalite":
        settings.setdefault("look_back_us", ())  # it never answers AT_TIMESTAMP if nothing is that young
    with stream(kinesis, shards) as name:
        yield log_on(kinesis, name, **settings)


def sunk() -> list[Unreadable]:
    """A list whose ``extend`` is a sink."""
    return []


def append(log: KinesisLog, events: list[Envelope]) -> None:
    """As ingest does: what failed is appended again, in its order."""
    while events:
        try:
            receipts = log.append(events)
        except LogUnavailable:
            continue
        events = [one for one, receipt in zip(events, receipts, strict=True) if receipt.outcome is Outcome.FAILED]
