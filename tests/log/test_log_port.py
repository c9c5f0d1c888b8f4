"""What readers of any log get: batches whose parts are made when they are asked for."""

from pipeline.log.port import Batch, Numbered, Position
from pipeline.log.sqlite.blocks import columns_of
from tests.log.made_up import events


def test_what_is_selected_from_a_batch_stays_lazy_and_can_be_sliced() -> None:
    columns = columns_of(events(0, 4))
    batch = Batch("shard-0", Numbered("shard-0", range(10, 14)), [1, 2, 3, 4], columns, [b"0", b"1", b"2", b"3"])

    picked = batch.select([3, 1])

    assert [columns.id[3], columns.id[1]] == picked.columns.id
    assert [Position("shard-0", 13), Position("shard-0", 11)] == list(picked.positions)
    assert len(picked.bodies) == 2
    assert list(picked.bodies[1:]) == [b"1"]


def test_equal_positions_are_equal_however_they_are_held() -> None:
    numbered = Numbered("shard-1", [4, 5, 6])

    assert [Position("shard-1", 5), Position("shard-1", 6)] == list(numbered[1:])
    assert numbered[1:] == Numbered("shard-1", (5, 6))
    assert hash(numbered[1:]) == hash(Numbered("shard-1", (5, 6)))
    assert numbered != "shard-1"
