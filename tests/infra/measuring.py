"""What folding the sample findings into DynamoDB takes, as ``infra/cost/counts.toml`` has it."""

from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from itertools import islice
from statistics import fmean
from typing import Any

from consumers.sample import Mix, generate
from pipeline.bodies import objects
from pipeline.dynamodb_table import put
from pipeline.log.kinesis import user_record
from pipeline.log.port import Batch, Position, Record
from projections.catalog import Catalog
from projections.event_index import EventIndex, EventQuery
from projections.projection import Projection
from projections.projector import ALL
from projections.stores.dynamodb import directory
from projections.stores.dynamodb.directory import HOUR_US, Listed
from projections.stores.dynamodb.generation import DynamoGeneration
from projections.stores.dynamodb.rows import blob_of
from projections.writer import Writer
from tests.aws.clients import Server
from tests.bench.material import recognised
from tests.support.dynamo import dynamo_store, make_table
from tests.support.memory_log import MemoryLog, batch_of
from tests.support.metering import Metered, size

SIZES = (25, 100, 500, 1000, 2500)
"""Events a commit."""
COMMITS = 8
"""Measured of each size."""
LISTED = 180
"""Segments that an hour's list has on average, if there is a commit every ten seconds."""
WARM = 5_000
SHARD = "shardId-000000000000"
FIRST = 49590338271490256608559692538361571095921575989136588898
STEP_US = 10_000


@cache
def findings() -> Sequence[tuple[bytes, Record]]:
    """Items as they come in, a hundred a second, and the events as a stream of aggregated records has them."""
    lines = (item for item in generate(7, 1_760_000_000_000_000, step_us=STEP_US, mix=Mix(malformed=0)))
    some = list(islice((item for item in lines if item.payload.startswith(b'{"version":"0"')), WARM + COMMITS * max(SIZES)))
    return [
        (item.payload, Record(Position(SHARD, FIRST + n // 20 * 10**9, n % 20), item.at_us, event))
        for n, (item, event) in enumerate(zip(some, recognised(item.payload for item in some), strict=True))
    ]


def batches(events: int) -> Iterator[Batch]:
    """Consecutive batches behind the first ``WARM`` events."""
    for begin in range(WARM, WARM + COMMITS * events, events):
        yield batch_of(SHARD, [record for _, record in findings()[begin : begin + events]])


def event_counts() -> dict[str, float]:
    """Bytes of one event, in its several forms."""
    some = findings()[:2_000]
    whole = [record for _, record in some]
    plain, packed = ([user_record.encode(record.event, compress=compress) for record in whole] for compress in (False, True))
    kept = [objects.encode(batch_of(SHARD, whole[begin : begin + 500])) for begin in range(0, len(whole), 500)]
    return {
        "item_bytes": fmean(len(item) for item, _ in some),
        "record_bytes": fmean(map(len, plain)),
        "compressed_bytes": fmean(map(len, packed)),
        "object_bytes": sum(map(len, kept)) / len(whole),
    }


def commit_counts(server: Server, events: int) -> dict[str, Any]:
    """What a commit of ``events`` events takes on average, by projection."""
    folded = {projection.name: _fold(server, projection, events) for projection in ALL}
    index = folded["event_index"]
    return {
        "write_units": {name: metered.write_units / COMMITS for name, metered in folded.items()},
        "read_units": sum(metered.read_units for metered in folded.values()) / COMMITS,
        "entry_bytes": _stored(index, "#seg#") / COMMITS,
        "marker_bytes": sum(_stored(metered, "#mark#") for metered in folded.values()) / COMMITS,
    }


def page_read_units(server: Server) -> float:
    """What a page of the fifty newest entries takes, after commits of a thousand events."""
    metered = Metered(server.client("dynamodb"))
    store = dynamo_store(server, make_table(server, "cost-page"), client=metered)
    writer = Writer(EventIndex(), store.open(store.create("event_index", 1, serving=True)), "writer")
    writer.claim([SHARD])
    for batch in batches(1_000):
        writer.fold([batch])
    catalog = Catalog(store, MemoryLog(), retention_days=36_500)
    metered.read_units = 0
    page = catalog.events(EventQuery(), now_us=0)
    assert len(page.entries) == 50
    return metered.read_units


def _fold(server: Server, projection: Projection, events: int) -> Metered:
    """Fold some in to have rows as they usually are, then measure."""
    client = server.client("dynamodb")
    store = dynamo_store(server, make_table(server, _table(projection.name, events)), client=client)
    generation = store.open(store.create(projection.name, projection.version, serving=True))
    writer = Writer(projection, generation, "writer")
    writer.claim([SHARD])
    writer.fold([batch_of(SHARD, [record for _, record in findings()[:WARM]])])
    if projection.name == "event_index":
        _fill_lists(generation)
    metered = Metered(client)
    metered.stored |= _sizes(client, _table(projection.name, events))
    before = set(metered.stored)
    generation._table._client = metered
    for batch in batches(events):
        writer.fold([batch])
    metered.stored = {key: stored for key, stored in metered.stored.items() if key not in before}
    return metered


def _fill_lists(generation: DynamoGeneration) -> None:
    """Let the list of every hour be as long as half of an hour's commits make it."""
    for item in list(generation._table.query(generation._places.directories)):
        hour = int(str(item["sk"]).partition("#")[0])
        times = [hour * HOUR_US + n * (HOUR_US // LISTED) for n in range(LISTED)]
        listed = [Listed(1_000_000 + n, 0, time_us, time_us + 9_876_543, 1_000, 4) for n, time_us in enumerate(times)]
        kept = directory.decode(hour, blob_of(item, "list"))
        key = generation._places.directory(hour)
        generation._table.write(put(key, {"list": directory.encode(hour, [*listed, *kept])}))


def _sizes(client: Any, table: str) -> Mapping[tuple[str, str], int]:
    items = (item for page in client.get_paginator("scan").paginate(TableName=table) for item in page["Items"])
    return {(item["pk"]["S"], item["sk"]["S"]): size(item) for item in items}


def _stored(metered: Metered, part: str) -> float:
    return sum(bytes_ + 100 for (pk, _), bytes_ in metered.stored.items() if part in pk)


def _table(projection: str, events: int) -> str:
    return f"cost-{projection}-{events}"
