"""Addresses and keys: one to one, and in order."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.log.port import Position, shard_for
from pipeline.log.sqlite.keys import (
    KEY_BYTES,
    address_of,
    key_of,
    keys_of,
    position_at,
    positions_from,
    shard_name,
    shard_number,
    shard_of,
)

UUID = "0190a0b0-0000-8000-8000-0000000000ab"
ids = st.builds(
    lambda seconds, uuid: f"{seconds}-{uuid}", st.integers(0, 10**12 - 1) | st.integers(10**9, 10**10 - 1), st.uuids()
)


@given(shard=st.integers(0, 255), sequence=st.integers(0, 2**40 - 1))
def test_an_address_tells_its_position(shard: int, sequence: int) -> None:
    assert position_at(address_of(shard, sequence)) == Position(f"shard-{shard}", sequence)
    assert 0 <= address_of(shard, sequence) < 2**63


@given(
    left=st.tuples(st.integers(0, 255), st.integers(0, 2**40 - 1)),
    right=st.tuples(st.integers(0, 255), st.integers(0, 2**40 - 1)),
)
def test_addresses_are_ordered_by_shard_then_sequence(left: tuple[int, int], right: tuple[int, int]) -> None:
    assert (left < right) == (address_of(*left) < address_of(*right))


def test_positions_follow_each_other() -> None:
    assert positions_from(address_of(3, 7), 2) == [Position("shard-3", 7), Position("shard-3", 8)]
    assert {Position} == {type(position) for position in positions_from(address_of(3, 7), 2)}


@pytest.mark.parametrize(
    ("name", "number"), [("shard-0", 0), ("shard-17", 17), ("shard-017", None), ("shard-", None), ("x", None), ("shard-²", None)]
)
def test_a_shards_number_is_read_from_its_name(name: str, number: int | None) -> None:
    assert number == shard_number(name)
    assert number is None or name == shard_name(number)


@given(subject=st.text(), shards=st.integers(1, 256))
def test_a_subject_has_the_shard_of_the_port(subject: str, shards: int) -> None:
    assert shard_for(subject, shards) == shard_name(shard_of(subject, shards))


@given(left=ids, right=ids)
def test_keys_are_ordered_by_the_time_of_their_ids(left: str, right: str) -> None:
    seconds = int(left.partition("-")[0]), int(right.partition("-")[0])

    assert keys_of([left, right]) == [key_of(left), key_of(right)]
    assert len(key_of(left)) == KEY_BYTES
    assert (key_of(left) == key_of(right)) == (left == right)
    if seconds[0] < seconds[1]:
        assert key_of(left) < key_of(right)


@pytest.mark.parametrize(
    "strange",
    [
        "",
        "e1",
        UUID,
        f"007-{UUID}",
        f"+7-{UUID}",
        f"7_0-{UUID}",
        f"\N{ARABIC-INDIC DIGIT SEVEN}-{UUID}",
        f"7-{UUID.upper()}",
        f"7-{UUID} ",
        f"7-{UUID}\n",
        f"7-{UUID.replace('-', '')}",
        f"1234567890123-{UUID}",
    ],
)
def test_an_id_of_another_form_is_not_taken_for_one_that_looks_alike(strange: str) -> None:
    assert len(key_of(strange)) == KEY_BYTES
    assert key_of(strange) not in {key_of(f"7-{UUID}"), key_of(f"70-{UUID}"), key_of(f"1234567890123-{UUID}x")}
    assert key_of(strange) > key_of(f"999999999999-{UUID}")
