from functools import partial
from operator import eq
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from zstandard import ZstdError

from projections.columnar import Column, Columns, Groups, encode

GROUPS: Groups = ({"plain": False, "coded": True}, {"listed": True})
TEXT = st.text(max_size=5)
ROWS = st.lists(st.tuples(st.integers(0, 2**64 - 1) | TEXT, st.sampled_from(["", "a", "b"]) | TEXT, st.lists(TEXT, max_size=2)))


def columns(rows: list[tuple[Any, str, list[str]]]) -> dict[str, list[Any]]:
    return {name: [row[place] for row in rows] for place, name in enumerate(("plain", "coded", "listed"))}


@given(ROWS)
def test_what_is_encoded_is_read_back_row_by_row_and_whole(rows: list[tuple[Any, str, list[str]]]) -> None:
    told = columns(rows)
    read = Columns(GROUPS, encode(GROUPS, told))

    assert len(read) == len(rows)
    for name, values in told.items():
        assert read[name].whole() == values
        assert [read[name][row] for row in range(len(rows))] == values


@given(ROWS, st.data())
def test_the_rows_whose_value_is_wanted_are_found_among_the_asked(
    rows: list[tuple[Any, str, list[str]]], data: st.DataObject
) -> None:
    told = columns(rows)
    read = Columns(GROUPS, encode(GROUPS, told))
    asked = [row for row in range(len(rows)) if data.draw(st.booleans())]
    for name, values in told.items():
        wanted = data.draw(st.sampled_from([*values, "absent"]))

        assert list(read[name].rows(partial(eq, wanted), asked)) == [row for row in asked if values[row] == wanted]
        assert list(read[name].rows(lambda _: True, asked)) == asked


def test_each_different_value_of_a_coded_column_is_looked_at_once() -> None:
    read = Columns(GROUPS, encode(GROUPS, columns([(n, "ab"[n % 2], ["x"]) for n in range(100)])))
    seen: list[object] = []

    def wanted(value: object) -> bool:
        seen.append(value)
        return value == "a"

    assert len(read["coded"].rows(wanted, range(100))) == 50
    assert seen == ["a", "b"]


def test_only_the_groups_that_are_asked_for_are_decoded() -> None:
    data = encode(GROUPS, columns([(1, "a", ["x"])]))
    cut = Columns(GROUPS, data[:-1])

    assert cut["coded"].whole() == ["a"]
    with pytest.raises(ZstdError):
        cut["listed"].whole()


def test_a_column_that_is_not_there_is_a_key_error() -> None:
    with pytest.raises(KeyError, match="absent"):
        Columns(GROUPS, encode(GROUPS, columns([])))["absent"]


def test_a_plain_column_is_its_values() -> None:
    assert Column([3, 4]).whole() == [3, 4]
    assert Column(["x", "y"], [1, 1, 0]).whole() == ["y", "y", "x"]
