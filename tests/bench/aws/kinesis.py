"""Kinesis: aggregated records beside a record an event, on the same server in the same run.

Plain: what most code does: PutRecords of 500 events, each its own record of the same JSON; GetRecords, and each record decoded.
"""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import TYPE_CHECKING, Any

from pipeline.log.kinesis import KinesisLog
from pipeline.log.kinesis.appending import prepare
from pipeline.log.kinesis.decoding import Stored, decode
from pipeline.log.kinesis.kpl import Aggregate
from schemas import codec
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.aws.kinesis_logs import log_on
from tests.aws.streams import stream
from tests.bench.figures import Figure, Run, Target, contest
from tests.bench.material import Told

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

    from pipeline.log.port import Position

SHARDS = 4
BATCH = 1_000
PUT_RECORDS = 500
GET_RECORDS = 10_000
PAYLOAD_UNIT_BYTES = 25 << 10
"""What a PUT is billed by, begun ones whole."""


def kinesis(server: Server, material: Sequence[Told], rounds: int) -> Iterator[Figure]:
    """Append, consume, the codec alone, and what an event costs to put."""
    events = [told.event for told in material]
    small = [replace(event, body=b'{"version":"1.4.2"}', summary="Alive", resources=()) for event in events]
    for name, some, compress in (
        ("append, batches of 1,000", events, False),
        ("append, batches of 1,000, compress_bodies", events, True),
        ("append, batches of 1,000, events as small as heartbeats", small, False),
    ):
        size = sum(len(codec.encode(one)) for one in some) // len(some)
        what = f"{server.name}, {SHARDS} shards, {size:,} bytes an event"
        yield contest(
            name,
            "ev/s",
            rounds,
            {"ours": _appended(server, some, compress=compress), "plain": _put(server, some)},
            target=Target("≥ 5 x", ratio=5),
            note=f"{what}; plain: PutRecords of {PUT_RECORDS}, a record an event",
        )
    yield contest(
        "consume: read and decode",
        "ev/s",
        rounds,
        {"ours": _read(server, events), "plain": _got(server, events)},
        note=server.name,
    )
    yield contest("encode: canonical JSON, aggregate, MD5", "ev/s", rounds, {"ours": _encoded(events)})
    yield contest("decode: MD5, protobuf, JSON, columns", "ev/s", rounds, {"ours": _decoded(events)})
    yield from _units(events)


def _appended(server: Server, events: Sequence[Envelope], *, compress: bool) -> Run:
    def run() -> float:
        client = server.client("kinesis")
        with stream(client, SHARDS) as name:
            return len(events) / _append(_log(server, client, name, compress_bodies=compress), events)

    return run


def _put(server: Server, events: Sequence[Envelope]) -> Run:
    def run() -> float:
        client = server.client("kinesis")
        with stream(client, SHARDS) as name:
            return len(events) / _put_each(client, name, events)

    return run


def _read(server: Server, events: Sequence[Envelope]) -> Run:
    def run() -> float:
        client = server.client("kinesis")
        with stream(client, SHARDS) as name:
            _append(_log(server, client, name), events)
            log = _log(server, client, name)
            begin = perf_counter()
            read = 0
            for shard in log.shards():
                after: Position | None = None
                while batch := log.read(shard.id, after, BATCH):
                    read += len(batch)
                    after = batch.positions[-1]
            assert read == len(events)
            return read / (perf_counter() - begin)

    return run


def _got(server: Server, events: Sequence[Envelope]) -> Run:
    def run() -> float:
        client = server.client("kinesis")
        with stream(client, SHARDS) as name:
            _put_each(client, name, events)
            begin = perf_counter()
            read = sum(len(_get_all(client, name, shard["ShardId"])) for shard in client.list_shards(StreamName=name)["Shards"])
            assert read == len(events)
            return read / (perf_counter() - begin)

    return run


def _get_all(client: "KinesisClient", name: str, shard: str) -> list[Envelope]:
    found: list[Envelope] = []
    start = client.get_shard_iterator(StreamName=name, ShardId=shard, ShardIteratorType="TRIM_HORIZON")
    iterator = start["ShardIterator"]
    while records := (answer := client.get_records(ShardIterator=iterator, Limit=GET_RECORDS))["Records"]:
        found += [codec.decode(record["Data"]) for record in records]
        iterator = answer["NextShardIterator"]
    return found


def _append(log: KinesisLog, events: Sequence[Envelope]) -> float:
    begin = perf_counter()
    for start in range(0, len(events), BATCH):
        log.append(events[start : start + BATCH])
    return perf_counter() - begin


def _put_each(client: "KinesisClient", name: str, events: Sequence[Envelope]) -> float:
    begin = perf_counter()
    for start in range(0, len(events), PUT_RECORDS):
        some = events[start : start + PUT_RECORDS]
        answer = client.put_records(
            StreamName=name, Records=[{"Data": codec.encode(one), "PartitionKey": one.subject[:256]} for one in some]
        )
        assert not answer.get("FailedRecordCount")
    return perf_counter() - begin


def _log(server: Server, client: "KinesisClient", name: str, **settings: Any) -> KinesisLog:
    return log_on(client, name, **settings | ({"look_back_us": ()} if server.name == "kinesalite" else {}))


def _aggregates(events: Sequence[Envelope], *, compress: bool = False) -> list[bytes]:
    filled: list[bytes] = []
    filling = Aggregate(250 << 10)
    for entry in prepare(events, compress=compress):
        if not filling.add(entry.key, entry.data):
            filled.append(filling.encode())
            filling = Aggregate(250 << 10)
            filling.add(entry.key, entry.data)
    return [*filled, filling.encode()]


def _encoded(events: Sequence[Envelope]) -> Run:
    def run() -> float:
        begin = perf_counter()
        _aggregates(events)
        return len(events) / (perf_counter() - begin)

    return run


def _decoded(events: Sequence[Envelope]) -> Run:
    records = [Stored(number, data, 0) for number, data in enumerate(_aggregates(events))]

    def run() -> float:
        begin = perf_counter()
        assert len(decode("shard", records).batch) == len(events)
        return len(events) / (perf_counter() - begin)

    return run


def _units(events: Sequence[Envelope]) -> Iterator[Figure]:
    """PUT payload units an event, where aggregates are full."""
    alone = sum(_units_of(len(codec.encode(one)) + len(one.subject)) for one in events) / len(events)
    for name, compress in (("plain JSON", False), ("compress_bodies", True)):
        ours = sum(_units_of(len(data) + 1) for data in _aggregates(events, compress=compress)) / len(events)
        yield Figure(f"PUT payload units an event, {name}", "units", ours, alone, times_plain=alone / ours)


def _units_of(size: int) -> int:
    return -(-size // PAYLOAD_UNIT_BYTES)
