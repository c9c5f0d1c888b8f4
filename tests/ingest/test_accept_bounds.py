"""What one request may cost, and that it is taken whole or not at all."""

import gzip
from collections.abc import Sequence

import orjson
import pytest

from pipeline.errors import InputRejected, LogFull
from pipeline.ingest import Ingest
from pipeline.log.port import Receipt
from schemas.envelope import Envelope
from tests.ingest.in_memory import MemoryLog, MemoryQuarantine


def an_item(number: int) -> bytes:
    return orjson.dumps(
        {
            "id": f"item-{number}",
            "detail-type": "Test",
            "source": "monitoring.test",
            "account": "111122223333",
            "time": "2026-01-02T03:04:05Z",
            "region": "eu-west-1",
            "detail": {"number": number},
        }
    )


def a_payload(lines: int, around: int) -> bytes:
    """A small request whose wrapper is repeated in the body of each of its items."""
    told = [{"id": str(n), "timestamp": 1_700_000_000_000 + n, "message": "ERROR x"} for n in range(lines)]
    payload = {"messageType": "DATA_MESSAGE", "owner": "111122223333", "logGroup": "/g", "logStream": "s", "logEvents": told}
    return gzip.compress(orjson.dumps(payload | {"around": "y" * around}))


def test_a_small_request_cannot_become_many_large_bodies() -> None:
    log = MemoryLog()
    raw = a_payload(lines=100, around=800_000)

    with pytest.raises(InputRejected, match="more than 64 MiB"):
        Ingest(log, MemoryQuarantine(), clock=lambda: 0).accept(raw)

    assert len(raw) < 4_000
    assert log.all == []


class FullAfter(MemoryLog):
    """Takes so many calls of ``append``, then its disk is full."""

    def __init__(self, calls: int) -> None:
        super().__init__()
        self._calls = calls

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        if len(self.appends) == self._calls:
            message = "the disk is full"
            raise LogFull(message)
        return super().append(events)


def test_a_large_request_is_one_call_of_the_log_so_that_a_full_disk_takes_nothing_of_it() -> None:
    log = FullAfter(calls=1)

    accepted = Ingest(log, MemoryQuarantine(), clock=lambda: 0).accept(b"\n".join(map(an_item, range(2_500))))

    assert accepted.tally.accepted == 2_500
    assert log.appends == [2_500]
