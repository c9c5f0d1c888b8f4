import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.segments import DAY_US, SEALED_ENTRIES, Entries, chunks, pack, tokens, unpack, words
from tests.support.effort import share

TEXT = st.text(max_size=20)
COLUMNS = st.integers(0, 20).flatmap(
    lambda count: st.builds(
        Entries,
        **{
            name: st.lists(values, min_size=count, max_size=count)
            for name, values in {
                **dict.fromkeys(Entries.__slots__, TEXT),
                "time_us": st.integers(0, 5 * DAY_US),
                "recorded_us": st.integers(0, 2**62),
                "severity": st.integers(0, 4),
                "resources": st.lists(TEXT, max_size=3),
                "sequence": st.integers(0, 10**60),
                "sub": st.integers(0, 10**6),
            }.items()
        },
    )
)


@share(2)
@given(COLUMNS)
def test_what_is_packed_is_unpacked_equal(entries: Entries) -> None:
    assert unpack(pack(entries)) == entries


@share(2)
@given(COLUMNS)
def test_days_hold_each_row_once_sorted_by_time_and_id(entries: Entries) -> None:
    days = entries.by_day()

    assert sorted(index for indices in days.values() for index in indices) == list(range(len(entries)))
    for day, indices in days.items():
        keys = [(entries.time_us[index], entries.id[index]) for index in indices]
        assert keys == sorted(keys)
        assert {time_us // DAY_US for time_us, _ in keys} == {day}


@share(2)
@given(COLUMNS, st.lists(st.integers(0, 19)))
def test_selected_rows_stand_in_the_order_asked(entries: Entries, indices: list[int]) -> None:
    there = [index for index in indices if index < len(entries)]

    assert entries.select(there).id == [entries.id[index] for index in there]
    assert entries.select(there).resources == [entries.resources[index] for index in there]


@given(st.integers(0, 5_000), st.integers(1, 1_500))
def test_chunks_are_consecutive_and_of_the_asked_size_or_a_little_more(count: int, size: int) -> None:
    parts = list(chunks(range(count), size))

    assert [index for part in parts for index in part] == list(range(count))
    assert all(len(part) >= min(size, count) for part in parts)
    assert all(len(part) < 2 * size for part in parts)


def test_a_sealed_segment_is_of_about_a_thousand_entries() -> None:
    assert [len(part) for part in chunks(range(2 * SEALED_ENTRIES + 1))] == [1024, 1025]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        (" \t\n", []),
        ("!?*\"'`", []),
        ("High CPU", ["high", "cpu"]),
        ("HTTP-500: can't; see /a_b/c.d?e=f", ["http", "500", "can", "t", "see", "a", "b", "c", "d", "e", "f"]),
        ("Straße ÉTÉ Σίσυφος", ["strasse", "été", "σίσυφοσ"]),
        ("中文 检测", ["中文", "检测"]),
        ("no\u00a0break\u2003em\u2028line\x85next", ["no", "break", "em", "line", "next"]),
        ("emoji 🚨alarm", ["emoji", "🚨alarm"]),
        ("null\0byte", ["null", "byte"]),
    ],
)
def test_words_are_runs_between_ascii_punctuation_and_white_space_in_folded_case(text: str, expected: list[str]) -> None:
    assert words(text) == expected


def test_no_character_folds_into_a_separator() -> None:
    """Else a word would be one when it is packed, and two when it is sought."""
    every = map(chr, range(128, sys.maxunicode + 1))
    folded = "".join(text for character in every if (text := character.casefold()) != character)

    assert words(folded) == [folded.casefold()]


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], [""]),
        (["aws.health", "arn:aws:s3:::Bucket/Key"], ["aws.health", "arn:aws:s3:::bucket/key"]),
        (['a "b" c'], ["a__b__c"]),
        (["it's\t\x00\x7f"], ["it_s___"]),
        (["two\nlines"], ["two", "lines"]),
        (["em\u2003space"], ["em\u2003space"]),
    ],
)
def test_values_become_tokens_without_quotes_and_ascii_space(values: list[str], expected: list[str]) -> None:
    assert tokens(values).split("\n") == expected
