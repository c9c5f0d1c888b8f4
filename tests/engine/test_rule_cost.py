"""What judging costs in DynamoDB, by the documented rules: write and read units for each event that is judged."""

from contextlib import closing
from pathlib import Path

import pytest

from consumers.rules.engine.book import Book
from consumers.rules.engine.delivered import DeliveredRules
from projections.opening import folded_shards, lane_of
from projections.stores.port import Store
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.engine.judging_world import World, compiled, counting, make_judge, seen
from tests.support.dynamo import dynamo_store, table_at
from tests.support.memory_log import batch_of
from tests.support.metering import Metered

BATCH = 500
BATCHES = 6
SHARDS = 2


def measured(server: Server, folder: Path, *, one_in: int, groups: int) -> tuple[float, float]:
    """Units an event written and read, where one in so many matches a threshold rule, of one of so many groups."""
    table = table_at(server, folder)
    meter = Metered(server.client("dynamodb"))
    whole = dynamo_store(server, table)
    world = World(whole)
    world.publish(counting(1_000, window=60))
    world.log.__init__(shards=SHARDS)  # type: ignore[misc]

    def store_of(shard: str) -> Store:
        lane = lane_of(shard, world.log.shards(), folded_shards(whole))
        return dynamo_store(server, table, lane=lane, client=meter)

    book = Book(lambda: list(world.versions), compiled, make_judge, clock=lambda: 0)
    with closing(DeliveredRules(world.log, store_of, book, token="one", clock=lambda: 0)) as rules:
        before = (0.0, 0.0)
        for number in range(BATCHES):
            if number == 1:  # the first claims its shard and takes the rules up
                before = (float(meter.write_units), meter.read_units)
            for shard in world.log.shards():
                world.tell(*_events(world, number, shard.id, one_in, groups))
                records = [r for r in world.log.records() if r.position.shard == shard.id][number * BATCH :][:BATCH]
                rules.judge(batch_of(shard.id, records))
    events = (BATCHES - 1) * SHARDS * BATCH
    return (meter.write_units - before[0]) / events, (meter.read_units - before[1]) / events


def _events(world: World, number: int, shard: str, one_in: int, groups: int) -> list[Envelope]:
    """A batch of a shard, all within the same five seconds."""
    found: list[Envelope] = []
    candidate = number * 10_000_000
    while len(found) < BATCH:
        candidate += 1
        what = "failed" if len(found) % one_in == 0 else "fine"
        event = seen(candidate, at=number // 12, what=what, who=f"g{candidate % groups}", subject=f"thing/{candidate}")
        if world.log.shard_of(event.subject) == shard:
            found.append(event)
    return found


@pytest.mark.parametrize(
    ("one_in", "groups", "most"),
    [
        pytest.param(1_000_000, 1, (0.06, 0.03), id="nothing matches"),
        pytest.param(100, 50, (0.08, 0.06), id="one in a hundred, fifty groups"),
        pytest.param(100, 1_000_000, (0.1, 0.08), id="one in a hundred, each of its own group"),
        pytest.param(10, 50, (0.2, 0.3), id="one in ten, fifty groups"),
        pytest.param(10, 1_000_000, (0.4, 0.4), id="one in ten, each of its own group"),
    ],
)
def test_units_an_event(one_in: int, groups: int, most: tuple[float, float], ministack: Server, tmp_path: Path) -> None:
    written, read = measured(ministack, tmp_path, one_in=one_in, groups=groups)
    assert written <= most[0], f"{written:.3f} written, {read:.3f} read"
    assert read <= most[1], f"{written:.3f} written, {read:.3f} read"
