"""Writers of one shard beside a writer of all, whose documents they may write too."""

from pathlib import Path

import pytest

from pipeline.log.port import Position, Shard
from projections.errors import Fenced
from projections.opening import folded_shards, lane_of
from projections.projection import Changes
from projections.stores.dynamodb import EVERY_LANE, Lane
from projections.stores.dynamodb.generation import DynamoGeneration
from projections.stores.port import Commit, Marker
from tests.aws.clients import Server
from tests.support.dynamo import dynamo_store, table_at


class Lanes:
    """A generation as each writer has it open, in a table of its own."""

    def __init__(self, server: Server, folder: Path) -> None:
        self._server = server
        self._table = table_at(server, folder)
        self.store = dynamo_store(server, self._table)
        self._info = self.store.create("diary", 1, serving=True)

    def open(self, lane: Lane = EVERY_LANE) -> DynamoGeneration:
        return dynamo_store(self._server, self._table, lane=lane).open(self._info)


@pytest.fixture
def lanes(ministack: Server, tmp_path: Path) -> Lanes:
    return Lanes(ministack, tmp_path)


def moved(shard: str, sub: int, number: int) -> Commit:
    """Moves a shard's checkpoint one on, to ``sub``, and writes a document that writers of all shards write."""
    before = Position(shard, 1, sub - 1) if sub else None
    return Commit({shard: before}, {shard: Position(shard, 1, sub)}, Changes(documents={"shared": {"number": number}}))


def standing(generation: DynamoGeneration, number: int) -> Commit:
    """Moves nothing, as a redrive does."""
    here = generation.checkpoints()
    return Commit(here, dict(here), Changes(documents={"shared": {"number": number}}))


def test_a_shard_that_appears_fences_who_claimed_all_before(lanes: Lanes) -> None:
    old, every, new = lanes.open(Lane("a")), lanes.open(), lanes.open(Lane("b", ("a",)))
    old.claim("old", ["a"])
    old.commit("old", moved("a", 0, number=1))
    every.claim("redrive", ["a"])

    new.claim("new", ["b"])

    with pytest.raises(Fenced):
        every.commit("redrive", standing(every, number=2))
    new.commit("new", moved("b", 0, number=3))
    assert every.documents(["shared"]) == {"shared": {"number": 3}}


def test_who_claims_all_fences_a_shard_that_was_claimed_but_never_written(lanes: Lanes) -> None:
    old, every, new = lanes.open(Lane("a")), lanes.open(), lanes.open(Lane("b", ("a",)))
    old.claim("old", ["a"])
    old.commit("old", moved("a", 0, number=1))
    new.claim("new", ["b"])

    every.claim("redrive", ["a"])

    with pytest.raises(Fenced):
        new.commit("new", moved("b", 0, number=2))
    every.commit("redrive", standing(every, number=3))


def test_another_writer_of_a_shard_that_was_written_fences_only_who_writes_it(lanes: Lanes) -> None:
    first, every, second = lanes.open(Lane("a")), lanes.open(), lanes.open(Lane("a"))
    first.claim("first", ["a"])
    first.commit("first", moved("a", 0, number=1))
    every.claim("redrive", [])

    second.claim("second", ["a"])

    every.commit("redrive", Commit({"z": None}, {"z": Position("z", 1, 0)}))
    with pytest.raises(Fenced):
        first.commit("first", moved("a", 1, number=2))


def test_the_lane_of_a_shard_knows_all_it_came_from() -> None:
    shards = [Shard("a"), Shard("b", ("a",)), Shard("c"), Shard("d", ("b", "c")), Shard("e", ("gone",))]

    assert set(lane_of("d", shards, []).ancestors) == {"a", "b", "c"}
    assert lane_of("e", shards, []).ancestors == ("gone",)
    assert lane_of("unknown", shards, []).ancestors == ()


def test_a_shard_that_is_listed_no_more_may_be_an_ancestor_of_any() -> None:
    shards = [Shard("b", ("a",)), Shard("c")]

    assert lane_of("b", shards, ["z", "b", "a", "c"]) == Lane("b", ("a", "z"))
    assert lane_of("c", shards, ["z", "b", "a", "c"]) == Lane("c", ("a", "z"))


def test_a_lane_finds_repeats_in_a_shard_that_is_listed_no_more(lanes: Lanes) -> None:
    old = lanes.open(Lane("gone"))
    old.claim("old", ["gone"])
    old.commit("old", Commit({"gone": None}, {"gone": Position("gone", 1, 0)}, markers=[Marker(5, 20_000, b"x" * 18)]))

    lane = lane_of("now", [Shard("now", ("lost",))], folded_shards(lanes.store))

    assert [*lanes.open(lane).markers([5], 19_990)] == [Marker(5, 20_000, b"x" * 18)]


def test_a_lane_of_very_many_ancestors_asks_for_all_lanes_at_once(lanes: Lanes) -> None:
    for number in range(3):
        old = lanes.open(Lane(f"old-{number}"))
        old.claim("old", [f"old-{number}"])
        marker = Marker(5, 20_000, bytes([number]) * 18)
        old.commit("old", Commit({f"old-{number}": None}, {f"old-{number}": Position(f"old-{number}", 1, 0)}, markers=[marker]))
    many = Lane("now", tuple(f"old-{number}" for number in range(40)))

    found = [*lanes.open(many).markers([5], 19_990)]

    assert found == [Marker(5, 20_000, bytes([number]) * 18) for number in range(3)]
