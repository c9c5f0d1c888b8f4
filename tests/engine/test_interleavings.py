"""A group over four shards, in any order, with repeats and late findings, kills and other engines: always the same alerts."""

from contextlib import closing
from pathlib import Path
from random import Random

import pytest

from projections.errors import Fenced
from projections.stores.port import Store
from projections.stores.sqlite import SqliteStore
from schemas.envelope import Envelope
from tests.aws.clients import Server
from tests.engine.judging_world import MINUTE_US, World, counting, seen
from tests.support.dynamo import dynamo_store, table_at
from tests.support.facts import MORNING_US
from tests.support.spine import frozen_clock

pytestmark = pytest.mark.long

LATE_US = 30 * MINUTE_US


def findings() -> list[Envelope]:
    """Of three groups over three windows; some windows just reach the threshold, some just do not."""
    told: list[Envelope] = []
    for window in range(3):
        for who, count in (("ann", 4), ("bob", 3), ("cyd", 2)):
            for n in range(count - (window == 1)):
                number = len(told)
                name = f"n{n % 3}"
                told.append(seen(number, at=window * 10 + n, what="failed", who=who, name=name, subject=f"{who}/{number}"))
    return told


def recorded_us(event: Envelope) -> int:
    """Every seventh is late, the others are recorded within the rule's bound."""
    number = int(event.source_id.removeprefix("source-"))
    return event.time_us + (LATE_US + 1 if number % 7 == 6 else LATE_US - number * 1000)


def keys(world: World) -> set[tuple[str, str, int]]:
    return {(alert["rule_id"], alert["group"].get("who", ""), alert["window"]["since_us"]) for alert in world.alerts()}


def publish(world: World) -> None:
    world.publish(counting(3, late_us=LATE_US))
    world.publish(counting(4, id_="hopping", window=20, hop=10, late_us=LATE_US))
    world.publish(counting(2, id_="distinct", distinct="name", late_us=LATE_US))


def told_at_once(store: Store) -> set[tuple[str, str, int]]:
    """The alerts of the plainest order, and what they ought to be, counted by hand for one of the rules."""
    with closing(World(store)) as world:
        publish(world)
        for event in findings():
            world.log.put(event, recorded_us=recorded_us(event))
        world.judge()
        return keys(world)


def in_any_order(store: Store, dice: Random) -> set[tuple[str, str, int]]:
    """The same findings, shuffled, some told twice, judged in steps of any size by engines of which some are killed."""
    with closing(World(store)) as world:
        events = findings()
        events += dice.sample(events, 6)
        dice.shuffle(events)
        publish(world)
        engines = [world.start()]
        while events:
            for event in [events.pop() for _ in range(min(len(events), dice.randrange(1, 7)))]:
                world.log.put(event, recorded_us=recorded_us(event))
            world.batch_events = dice.randrange(1, 5)
            if dice.random() < 0.3:
                engines.append(world.start())
            try:
                dice.choice(engines[-2:]).step()
            except Fenced:
                engines = [world.start()]
        world.start()
        world.judge()
        return keys(world)


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> set[tuple[str, str, int]]:
    with closing(SqliteStore(tmp_path_factory.mktemp("plain"), clock=frozen_clock)) as store:
        found = told_at_once(store)
    in_time = [event for number, event in enumerate(findings()) if number % 7 != 6]
    by_window: dict[tuple[str, int], int] = {}
    for event in in_time:
        key = event.data["raw"]["who"], (event.time_us - MORNING_US) // (10 * MINUTE_US)
        by_window[key] = by_window.get(key, 0) + 1
    reached = {("sign-ins", who, MORNING_US + w * 10 * MINUTE_US) for (who, w), count in by_window.items() if count >= 3}
    assert {key for key in found if key[0] == "sign-ins"} == reached
    assert len({key[0] for key in found}) == 3
    return found


@pytest.mark.parametrize("block", range(10))
def test_two_hundred_interleavings_raise_the_same_alerts(block: int, expected: set[tuple[str, str, int]], tmp_path: Path) -> None:
    for seed in range(block * 20, block * 20 + 20):
        with closing(SqliteStore(tmp_path / str(seed), clock=frozen_clock)) as store:
            assert in_any_order(store, Random(seed)) == expected, f"seed {seed}"


@pytest.mark.parametrize("seed", range(4))
def test_interleavings_raise_the_same_alerts_in_dynamodb(
    seed: int, expected: set[tuple[str, str, int]], ministack: Server, tmp_path: Path
) -> None:
    with closing(dynamo_store(ministack, table_at(ministack, tmp_path))) as store:
        assert in_any_order(store, Random(seed)) == expected, f"seed {seed}"
