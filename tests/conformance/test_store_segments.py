"""Segments are where stores may differ most: how they pack, and how much of what is not sought they leave out."""

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from projections.errors import CommitTooLarge
from projections.event_index import Direction, PackedSegment, Sought
from projections.projection import Changes
from projections.segments import SEALED_ENTRIES, Entries, tokens, unpack, words
from projections.stores.port import Commit, Generation
from tests.conformance.store_backends import StoreBackend
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US
from tests.support.spine import entries_of

NOON_US = MORNING_US + DAY_US // 2


def entry(number: int, time_us: int, **told: Any) -> dict[str, Any]:
    known: dict[str, Any] = dict.fromkeys(Entries.__slots__, "")
    known |= {"id": f"id-{number:06}", "time_us": time_us, "recorded_us": time_us, "severity": 2}
    return known | {"resources": [], "sequence": number, "sub": 0} | told


def append(generation: Generation, entries: Sequence[dict[str, Any]]) -> None:
    """Commit entries, in as few commits as the store allows."""
    columns = {name: [entry[name] for entry in entries] for name in Entries.__slots__}
    try:
        generation.commit("writer", Commit({}, {}, Changes(entries=Entries(**columns))))
    except CommitTooLarge:
        append(generation, entries[: len(entries) // 2])
        append(generation, entries[len(entries) // 2 :])


def segments(generation: Generation, sought: Sought, direction: Direction = "asc") -> list[PackedSegment]:
    with generation.reading() as rows:
        return list(rows.segments(sought, direction))


def ids(packed: Sequence[PackedSegment]) -> list[str]:
    return [entry for segment in packed for entry in unpack(segment.blob).id]


def test_every_entry_stands_in_one_segment_whatever_the_sizes_of_the_commits(generation: Generation) -> None:
    sizes = [1] * 40 + [700] + [1] * 3 + [2_500, 1, 300] + [5] * 70
    told: list[dict[str, Any]] = []
    for size in sizes:
        first = len(told)
        commit = [entry(first + n, MORNING_US + (first + n) * 37_000_000 % (3 * DAY_US)) for n in range(size)]
        append(generation, commit)
        told += commit

    with generation.reading() as rows:
        assert entries_of(rows) == sorted(told, key=lambda e: (e["time_us"], e["id"]))
    assert len(segments(generation, Sought())) < 150


@pytest.mark.parametrize("direction", ["asc", "desc"])
def test_segments_come_in_order_with_true_bounds_and_hold_one_day_each(generation: Generation, direction: Direction) -> None:
    for commit in range(30):
        times = [MORNING_US + (commit * 7_919 + n * 104_729) % 100_000 * 1_000_000 for n in range(80)]
        append(generation, [entry(commit * 80 + n, time_us) for n, time_us in enumerate(times)])

    told = segments(generation, Sought(), direction)

    assert told == sorted(told, key=lambda s: s.min_us if direction == "asc" else s.max_us, reverse=direction == "desc")
    for segment in told:
        inside = unpack(segment.blob)
        assert (segment.min_us, segment.max_us) == (inside.time_us[0], inside.time_us[-1])
        assert segment.min_us // DAY_US == segment.max_us // DAY_US
        assert list(zip(inside.time_us, inside.id, strict=True)) == sorted(zip(inside.time_us, inside.id, strict=True))


def test_a_full_segment_is_not_written_again(generation: Generation) -> None:
    append(generation, [entry(n, NOON_US + n) for n in range(SEALED_ENTRIES)])
    (full,) = segments(generation, Sought())

    append(generation, [entry(SEALED_ENTRIES, NOON_US + SEALED_ENTRIES)])

    assert full in segments(generation, Sought())


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_range_has_all_segments_with_entries_in_it(generation: Generation, data: st.DataObject) -> None:
    if not segments(generation, Sought()):
        for commit in range(12):
            append(generation, [entry(commit * 10 + n, MORNING_US + commit * DAY_US // 5 + n * 1_000) for n in range(10)])
    moments = st.integers(MORNING_US - 1, MORNING_US + 3 * DAY_US) | st.integers(0, 11).map(
        lambda n: MORNING_US + n * DAY_US // 5
    )
    since_us, until_us = data.draw(moments), data.draw(moments)

    told = segments(generation, Sought(since_us, until_us), data.draw(st.sampled_from(["asc", "desc"])))

    everything = [(unpack(s.blob), i) for s in segments(generation, Sought()) for i in range(len(unpack(s.blob)))]
    assert {whole.id[i] for whole, i in everything if since_us <= whole.time_us[i] < until_us} <= set(ids(told))
    assert all(segment.min_us < until_us and segment.max_us >= since_us for segment in told)


TEXTS = st.text(max_size=12) | st.sampled_from(
    ["AND", "NEAR(a b)", '"', "*", "a\nb", "a\u2003b", "İ", "ß", "arn:aws:s3:::Bucket/key"]
)


@given(
    told=st.lists(
        st.fixed_dictionaries(
            {"summary": TEXTS, "source": TEXTS, "account": TEXTS, "source_id": TEXTS, "resources": st.lists(TEXTS, max_size=3)}
        ),
        min_size=8,
        max_size=30,
    )
)
@settings(share(6), suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_sealed_segment_is_given_for_every_word_and_value_in_it(generation: Generation, told: list[dict[str, Any]]) -> None:
    """``tokens`` are what ``projections.event_index`` asks for; a hint must never be wrong."""
    first = len(ids(segments(generation, Sought())))
    entries = [entry(first + n, MORNING_US + first + n, **values) for n, values in enumerate(told)]
    filling = [entry(first + n, MORNING_US + first + n) for n in range(len(told), SEALED_ENTRIES)]
    append(generation, entries + filling)

    for one in entries:
        asked = {*words(one["summary"]), *tokens([one["source"]]).split("\n"), *tokens(one["resources"]).split("\n")}
        asked |= {*tokens([one["account"], one["source_id"]]).split("\n")}
        sought = Sought(one["time_us"], one["time_us"] + 1, sorted(asked - {""}))
        assert one["id"] in ids(segments(generation, sought))


def test_segments_that_cannot_answer_are_left_out(store_backend: StoreBackend, generation: Generation) -> None:
    for day in range(3):
        at_us = MORNING_US + day * DAY_US
        told = [entry(day * SEALED_ENTRIES + n, at_us + n, summary=f"day {day}", severity=day) for n in range(SEALED_ENTRIES)]
        append(generation, told)
    if not store_backend.narrows:
        pytest.skip(f"{store_backend} gives segments whatever terms and severity are sought")

    assert len(segments(generation, Sought(terms=["day"]))) == 3
    assert len(segments(generation, Sought(terms=["day", "1"]))) == 1
    assert len(segments(generation, Sought(terms=["7"]))) == 0
    assert len(segments(generation, Sought(min_severity=1))) == 2
    assert len(segments(generation, Sought(terms=["0"], min_severity=1))) == 0


def test_hundreds_of_terms_may_be_sought_at_once(generation: Generation) -> None:
    summary = " ".join(f"word{number}" for number in range(400))
    append(generation, [entry(n, NOON_US + n, summary=summary) for n in range(SEALED_ENTRIES)])

    assert len(segments(generation, Sought(terms=words(summary)))) == 1
