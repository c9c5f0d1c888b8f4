"""Lanes as Lambda has them: a batch of one shard at a time, from any of several instances, in DynamoDB."""

from collections.abc import Callable
from contextlib import ExitStack, closing
from dataclasses import replace
from itertools import count
from pathlib import Path
from random import Random

import pytest

from consumers.rules.engine.book import Book
from consumers.rules.engine.delivered import DeliveredRules
from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch
from projections.errors import NewerVersion, NotFolded, ProjectionError
from projections.opening import folded_shards, lane_of
from projections.stores.port import Store
from projections.stores.sqlite import SqliteStore
from tests.aws.clients import Server
from tests.engine.judging_world import World, compiled, counting, make_judge, rule, seen
from tests.engine.test_interleavings import findings, keys, publish, recorded_us, told_at_once
from tests.support.dynamo import dynamo_store, table_at
from tests.support.memory_log import batch_of
from tests.support.spine import frozen_clock


class Instances:
    """Several functions at work on one stream: each has what it remembers; deliveries go to any of them."""

    def __init__(self, world: World, store_of: Callable[[str], Store], *, number: int = 2) -> None:
        self.world = world
        self.stopped: list[ProjectionError] = []
        self._store_of = store_of
        self._names = count()
        self.all = [self.new() for _ in range(number)]
        self.delivered: dict[str, int] = {}

    def new(self) -> DeliveredRules:
        world = self.world
        book = Book(lambda: list(world.versions), compiled, make_judge, clock=lambda: world.now_us, refresh_us=0)
        token = f"instance {next(self._names)}"
        return DeliveredRules(
            world.log, self._store_of, book, token=token, clock=lambda: world.now_us, on_stop=self.stopped.append
        )

    def next(self, shard: str, most: int) -> Batch | None:
        """What is to be delivered of a shard next."""
        at = self.delivered.get(shard, 0)
        records = [record for record in self.world.log.records() if record.position.shard == shard][at : at + most]
        return batch_of(shard, records) if records else None

    def deliver(self, shard: str, instance: int = 0, most: int = 100) -> bool:
        batch = self.next(shard, most)
        if batch is None:
            return False
        self.all[instance].judge(batch)
        self.delivered[shard] = self.delivered.get(shard, 0) + len(batch)
        return True

    def deliver_all(self, instance: int = 0) -> None:
        while sum(self.deliver(shard.id, instance) for shard in self.world.log.shards()):
            pass

    def close(self) -> None:
        for instance in self.all:
            instance.close()


@pytest.fixture
def instances(world: World) -> Instances:
    return Instances(world, lambda _: world.store)


def test_what_is_delivered_shard_by_shard_adds_up(instances: Instances) -> None:
    world = instances.world
    world.publish(counting(3))
    world.tell(*(seen(n, what="failed", who="ann") for n in range(3)))
    instances.deliver_all()
    assert [alert["count"] for alert in world.alerts()] == [3]


def test_a_delivery_whose_alerts_could_not_be_told_is_told_when_it_comes_again(instances: Instances) -> None:
    world = instances.world
    world.publish(rule())
    world.tell(seen(1, what="failed"))
    shard = next(shard.id for shard in world.log.shards() if instances.next(shard.id, 1))
    append = world.log.append

    def away(_: object) -> list[object]:
        message = "away"
        raise LogUnavailable(message)

    world.log.append = away  # type: ignore[method-assign, assignment]
    with pytest.raises(LogUnavailable):
        instances.deliver(shard)
    world.log.append = append  # type: ignore[method-assign]
    assert world.alerts() == []
    assert instances.deliver(shard, 1)
    assert len(world.alerts()) == 1


def test_an_old_stream_is_judged_from_what_is_delivered_first(instances: Instances) -> None:
    world = instances.world
    world.publish(rule())
    world.tell(*(seen(n, what="failed", subject="s") for n in range(4)))
    shard = world.log.shard_of("s")
    world.log.forget(shard, 2)
    instances.deliver_all()
    assert len(world.alerts()) == 2


def test_a_split_loses_nothing_and_counts_nothing_twice(instances: Instances) -> None:
    world = instances.world
    world.publish(counting(4))
    told = [seen(n, what="failed", who="ann", subject=f"ann/{n}") for n in range(4)]
    world.tell(*told[:2])
    instances.deliver_all()
    for shard in world.log.open_shards():
        world.log.split(shard)
    world.tell(*told[1:])
    instances.deliver_all(1)
    assert [alert["count"] for alert in world.alerts()] == [4]


def test_a_newer_version_of_a_fact_stops_judging_and_says_so(instances: Instances) -> None:
    world = instances.world
    world.tell(seen(1, what="failed", subject="s"))
    instances.deliver_all()
    world.log.put(replace(seen(2, what="failed", subject="s"), version=2))
    with pytest.raises(NotFolded):
        instances.deliver_all()
    assert [type(why) for why in instances.stopped] == [NewerVersion]


@pytest.mark.parametrize("seed", range(3))
def test_lanes_of_several_instances_raise_the_same_alerts_in_dynamodb(seed: int, ministack: Server, tmp_path: Path) -> None:
    with closing(SqliteStore(tmp_path / "plain", clock=frozen_clock)) as plain:
        expected = told_at_once(plain)
    dice = Random(seed)
    table = table_at(ministack, tmp_path)
    whole = dynamo_store(ministack, table)
    world = World(whole)

    def store_of(shard: str) -> Store:
        return dynamo_store(ministack, table, lane=lane_of(shard, world.log.shards(), folded_shards(whole)))

    instances = Instances(world, store_of, number=3)
    with ExitStack() as stack:
        stack.callback(instances.close)
        events = findings()
        events += dice.sample(events, 6)
        dice.shuffle(events)
        publish(world)
        for number, event in enumerate(events):
            world.log.put(event, recorded_us=recorded_us(event))
            if number == len(events) // 2:
                world.log.split(dice.choice(world.log.open_shards()))
            if dice.random() < 0.4:
                shards = _in_turn(instances)
                instances.deliver(dice.choice(shards), dice.randrange(3), dice.randrange(1, 5))
        while shards := [shard for shard in _in_turn(instances) if instances.next(shard, 1)]:
            instances.deliver(dice.choice(shards), dice.randrange(3), 5)
        assert keys(world) == expected


def _in_turn(instances: Instances) -> list[str]:
    """Shards of which something may be delivered: a child after its parents' end."""
    shards = instances.world.log.shards()
    unfinished = {shard.id for shard in shards if instances.next(shard.id, 1)}
    return [shard.id for shard in shards if unfinished.isdisjoint(shard.parents)]
