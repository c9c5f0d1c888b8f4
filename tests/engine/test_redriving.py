"""Findings that could not be judged are judged after a fix: once by each version, whenever that was learned of."""

from collections.abc import Iterator, Sequence
from contextlib import closing, suppress
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from consumers.rules.engine import JUDGING
from consumers.rules.engine.book import Book
from consumers.rules.engine.delivered import DeliveredRules
from consumers.rules.engine.errors import BookBehind
from consumers.rules.engine.redriving import redrive_judging
from consumers.rules.matching import Hit
from pipeline.log.port import Batch
from projections.errors import StoreUnavailable
from projections.opening import folded_shards, lane_of
from projections.redrive import waiting
from projections.stores.port import Store
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.engine.judging_world import PlainJudge, World, counting, rule, seen
from tests.support.dynamo import dynamo_store, table_at
from tests.support.flaky import FlakyStore
from tests.support.memory_log import batch_of

POISON = b"{not json"


class Mended(PlainJudge):
    """A build that reads what was poison: it says that ann failed."""

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        fine = seen(0, what="failed", who="ann").body
        bodies = [fine if body == POISON else body for body in batch.bodies]
        return super().hits(replace(batch, bodies=bodies), indices)


def mended(world: World) -> Book:
    world.make_judge = Mended
    return world.read()


def redriven(world: World, book: Book, keys: Sequence[str] | None = None) -> tuple[int, int]:
    return redrive_judging(world.log, world.store, book, keys, iter(f"redrive {n}" for n in range(99)).__next__)


def poison(number: int) -> Envelope:
    return replace(seen(number), body=POISON)


@pytest.fixture
def poisoned(world: World) -> World:
    """Two findings of ann, and one between them that cannot be judged."""
    world.publish(counting(3))
    world.tell(
        *(replace(one, subject="s") for one in (seen(1, what="failed", who="ann"), poison(2), seen(3, what="failed", who="ann")))
    )
    world.judge()
    assert world.alerts() == []
    return world


def test_what_is_redriven_counts_with_the_others_and_is_told(poisoned: World) -> None:
    assert redriven(poisoned, mended(poisoned)) == (1, 0)

    assert [alert["count"] for alert in poisoned.alerts()] == [3]
    assert not waiting(poisoned.store, JUDGING)


def test_it_is_so_in_dynamodb_where_lanes_are_apart(ministack: Server, tmp_path: Path) -> None:
    table = table_at(ministack, tmp_path)
    whole = dynamo_store(ministack, table)
    world = World(whole)

    def lane(shard: str) -> Store:
        return dynamo_store(ministack, table, lane=lane_of(shard, world.log.shards(), folded_shards(whole)))

    def deliver(*events: Envelope) -> None:
        world.tell(*events)
        for shard in world.log.shards():
            records = [record for record in world.log.records() if record.position.shard == shard.id]
            if records:
                rules.judge(batch_of(shard.id, records))

    world.publish(counting(3))
    with closing(DeliveredRules(world.log, lane, world.read(), token="lanes", clock=lambda: world.now_us)) as rules:
        deliver(seen(1, what="failed", who="ann"), poison(2), seen(3, what="failed", who="ann"))
        world.publish(counting(4, id_="later"))
        assert redriven(world, mended(world)) == (1, 0)
        assert [(alert["rule_id"], alert["count"]) for alert in world.alerts()] == [("sign-ins", 3)]
        deliver(seen(4, what="failed", who="ann"))

    assert {alert["rule_id"]: alert["count"] for alert in world.alerts()}["later"] == 4
    assert len(world.alerts()) == 2


def test_what_cannot_be_judged_still_stays_parked(poisoned: World) -> None:
    assert redriven(poisoned, poisoned.book) == (0, 1)
    assert poisoned.alerts() == []


def test_only_the_keys_that_are_named_are_redriven(poisoned: World) -> None:
    assert redriven(poisoned, mended(poisoned), ["another"]) == (0, 0)
    assert redriven(poisoned, mended(poisoned), list(waiting(poisoned.store, JUDGING))) == (1, 0)


def test_an_engine_at_work_makes_way_and_goes_on(poisoned: World) -> None:
    redriven(poisoned, mended(poisoned))
    poisoned.start()
    poisoned.tell(seen(4, what="failed", who="ann"))
    poisoned.judge()

    assert [alert["count"] for alert in poisoned.alerts()] == [3]


def test_a_version_that_came_after_the_parking_judges_it_once(poisoned: World) -> None:
    """A mended engine takes the version up, which must leave the parked finding to the redrive."""
    poisoned.publish(counting(4, id_="later"))
    book = mended(poisoned)
    poisoned.start()
    poisoned.judge()

    redriven(poisoned, book)

    assert [alert["rule_id"] for alert in poisoned.alerts()] == ["sign-ins"], "three findings are not four"


def test_a_version_that_no_lane_has_taken_up_judges_it_once(poisoned: World) -> None:
    poisoned.publish(counting(4, id_="later"))
    poisoned.publish(rule("each"))

    redriven(poisoned, mended(poisoned))
    poisoned.start()
    poisoned.judge()

    raised = sorted((alert["rule_id"], alert["count"]) for alert in poisoned.alerts())
    assert raised == [("each", 1), ("each", 1), ("each", 1), ("sign-ins", 3)]


def test_a_redrive_waits_for_rules_that_were_judged_by(poisoned: World) -> None:
    book = mended(poisoned)
    poisoned.versions.clear()
    with pytest.raises(BookBehind):
        redriven(poisoned, book)
    assert len(waiting(poisoned.store, JUDGING)) == 1


@pytest.mark.parametrize("calls", range(1, 14))
def test_a_redrive_that_broke_off_tells_nothing_twice(poisoned: World, calls: int) -> None:
    left = [calls]

    def broken() -> bool:
        left[0] -= 1
        return left[0] == 0

    book = mended(poisoned)
    for token in "ab":
        with suppress(StoreUnavailable):
            redrive_judging(poisoned.log, FlakyStore(poisoned.store, broken), book, None, partial(str, token))
    poisoned.start()
    poisoned.judge()

    assert not waiting(poisoned.store, JUDGING)
    assert [alert["count"] for alert in poisoned.alerts()] == [3]
