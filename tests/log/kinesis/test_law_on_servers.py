"""Laws 1 and 3 on real servers behind a proxy that fails as AWS does, while shards split and merge under producer and reader."""

from collections.abc import Iterator
from threading import Event, Thread
from typing import TYPE_CHECKING

import pytest

from pipeline.log.kinesis import Kind, KinesisLog, Unreadable
from projections.projector import Reads
from schemas.envelope import Envelope
from tests.aws.faults import kinesis as faults
from tests.aws.faults.connection import dropped_after, dropped_before, failed_after, internal_failure, silent_after
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import Rule, Script
from tests.aws.kinesis_logs import append, log_on
from tests.aws.streams import reshard, stream
from tests.log.made_up import event

pytestmark = pytest.mark.long

if TYPE_CHECKING:
    from pipeline.log.port import Position
    from tests.aws.clients import Server

SUBJECTS = 23
ROUNDS = 12
EVENTS_A_ROUND = 60
PATIENCE_SECONDS = 100.0


def weather() -> Script:
    return Script(
        Rule("PutRecords", silent_after(), rate=0.5, times=2),
        Rule("PutRecords", faults.partial_failure(), rate=0.2),
        Rule("PutRecords", faults.throttled(), rate=0.1),
        Rule("PutRecords", dropped_after(), rate=0.1),
        Rule("PutRecords", dropped_before(), rate=0.05),
        Rule("PutRecords", failed_after(), rate=0.1),
        Rule("PutRecords", faults.stored_twice(), rate=0.1),
        Rule("GetRecords", faults.throttled(), rate=0.05),
        Rule("GetRecords", faults.expired_iterator(), rate=0.05),
        Rule("GetRecords", faults.empty(), rate=0.1),
        Rule("GetRecords", faults.repeated(), rate=0.1),
        Rule("GetRecords", faults.doubled(), rate=0.1),
        Rule("GetRecords", dropped_after(), rate=0.05),
        Rule("ListShards", internal_failure(), rate=0.05),
        Rule("GetShardIterator", faults.throttled(), rate=0.05),
        seed=11,
    )


def first_seen(log: KinesisLog, until: Event) -> Iterator[Envelope]:
    """Events as a projector would see them, repeats dropped, until there is nothing more after ``until`` is set."""
    seen: set[str] = set()
    checkpoints: dict[str, Position] = {}
    idle = 0
    while idle < 10:
        batches = Reads(log, 40).behind(checkpoints)
        for batch in batches:
            for record in batch.records():
                if record.event.id not in seen:
                    seen.add(record.event.id)
                    yield record.event
            checkpoints[batch.shard] = batch.positions[-1]
        idle = idle + 1 if until.is_set() and not batches else 0
        if not batches:
            log.wait(checkpoints, 0.05)


@pytest.mark.parametrize("name", ["kinesis_local", "kinesalite"])
def test_a_subjects_events_first_appear_in_their_order_and_none_is_lost(name: str, request: pytest.FixtureRequest) -> None:
    server: Server = request.getfixturevalue(name)
    script, honest = weather(), server.client("kinesis")
    told = [event(number, subject=f"subject/{number % SUBJECTS}") for number in range(ROUNDS * EVENTS_A_ROUND)]
    strays: list[Unreadable] = []
    appended = Event()
    seen: list[Envelope] = []
    with stream(honest, 2) as ours, faulty(server, script) as shaky:
        client = shaky.client("kinesis", read_timeout_seconds=1.0)
        reading = log_on(client, ours, on_unreadable=strays.extend)
        reader = Thread(target=lambda: seen.extend(first_seen(reading, appended)), daemon=True)
        reader.start()
        producing = log_on(client, ours, aggregate_bytes=4_000)
        for turn in range(ROUNDS):
            append(producing, told[turn * EVENTS_A_ROUND :][:EVENTS_A_ROUND])
            if turn % 3 == 1:
                reshard(honest, ours, turn)
        appended.set()
        reader.join(PATIENCE_SECONDS)
        assert not reader.is_alive()

    for number in range(SUBJECTS):
        assert told[number::SUBJECTS] == [one for one in seen if one.subject == f"subject/{number}"]
    assert {Kind.STRAY} >= {stray.kind for stray in strays}
    assert {"partial failure", "dropped after", "silent after", "repeated", "doubled"} <= set(script.injected)
