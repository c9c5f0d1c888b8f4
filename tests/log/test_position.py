"""Positions as people and programs pass them on."""

import pytest

from pipeline.log.port import Position


@pytest.mark.parametrize("position", [Position("shard-0", 0), Position("shardId-000000000001", 10**55, 7)])
def test_a_position_is_read_from_its_text(position: Position) -> None:
    assert Position.parse(str(position)) == position


@pytest.mark.parametrize(
    "text", ["", "shard-0", "shard-0:1", ":1:0", "shard-0:1:0:0", "shard-0:-1:0", "shard-0:1:", "shard-0:\u0661:0"]
)
def test_other_text_is_refused_with_the_accepted_form(text: str) -> None:
    with pytest.raises(ValueError, match="is not of the form shard:sequence:sub"):
        Position.parse(text)


def test_positions_of_a_shard_compare_as_numbers() -> None:
    assert Position("shard-0", 9, 10) < Position("shard-0", 10, 9)
    assert Position("shard-0", 10, 9) < Position("shard-0", 10, 10)
