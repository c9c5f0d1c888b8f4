from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.errors import CursorRejected
from projections.event_index import Direction, Entry, EventPage, EventQuery
from tests.projections.index import Index, answer, index_in
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US, finding
from tests.support.scratch import scratch

EMPTY = EventPage((), "", "")


@pytest.fixture
def index(tmp_path: Path) -> Iterator[Index]:
    with index_in(tmp_path) as index:
        yield index


@pytest.fixture(scope="module")
def filled() -> Iterator[Index]:
    """Four days of entries, many of one time, in sealed segments and small ones, added in odd sizes."""
    with scratch() as folder, index_in(folder) as index:
        number = 0
        for size in (1_500, 3, 400, 1, 1, 1_100, 30, 7):
            events = []
            for _ in range(size):
                at_us = MORNING_US + number * 7_919 % 97 * 60_000_000 + number % 4 * DAY_US
                told = {"source": f"aws.{number % 3}", "account": f"{number % 5:012}", "severity": number % 5}
                summary = f"Thing {number % 11} broke {number % 2}"
                events.append(finding(number, at_us, summary=summary, resources=(f"arn:{number % 50}", "arn:all"), **told))
                number += 1
            index.add(*events)
        yield index


def all_pages(index: Index, query: EventQuery) -> list[EventPage]:
    pages = [index.page(query)]
    while pages[-1].next:
        pages.append(index.page(query.after(pages[-1].next)))
    return pages


def entries(pages: list[EventPage]) -> list[Entry]:
    return [entry for page in pages for entry in page.entries]


def test_an_empty_index_has_one_empty_page(index: Index) -> None:
    assert index.page(EventQuery()) == EMPTY


def test_the_newest_come_first_fifty_a_page_unless_asked_otherwise(index: Index) -> None:
    index.add(*(finding(number) for number in range(120)))

    pages = all_pages(index, EventQuery())

    assert [len(page.entries) for page in pages] == [50, 50, 20]
    assert [entry.summary for entry in entries(pages)] == [f"Finding {number}" for number in reversed(range(120))]


def test_the_first_page_has_no_previous_and_the_last_no_next(index: Index) -> None:
    index.add(*(finding(number) for number in range(4)))

    first = index.page(EventQuery(limit=2))
    second = index.page(EventQuery(limit=2).after(first.next))

    assert (first.previous, second.next) == ("", "")
    assert first.next
    assert second.previous
    assert index.page(EventQuery(limit=2).after(second.previous)) == first


def test_behind_the_last_entry_is_an_empty_page(index: Index) -> None:
    index.add(finding(1))
    told = index.page(EventQuery(limit=1)).entries[0]
    digest = orjson.loads(urlsafe_b64decode(cursor_of(index) + "=="))[1]
    behind = urlsafe_b64encode(orjson.dumps(["n", digest, told.time_us, told.id])).decode()

    assert index.page(EventQuery(limit=1).after(behind)) == EMPTY


def cursor_of(index: Index) -> str:
    """A real cursor for the query without filters."""
    index.add(finding(2), finding(3))
    return index.page(EventQuery(limit=1)).next


QUERIES = st.builds(
    EventQuery,
    since_us=st.none() | st.integers(-1, 5 * 24 * 60).map(lambda minute: MORNING_US + minute * 60_000_000),
    until_us=st.none() | st.integers(-1, 5 * 24 * 60).map(lambda minute: MORNING_US + minute * 60_000_000),
    source=st.sampled_from(["", "", "aws.1", "aws.7"]),
    account=st.sampled_from(["", "", "000000000002", "2"]),
    resource=st.sampled_from(["", "", "arn:all", "arn:7", "arn"]),
    min_severity=st.integers(0, 5),
    text=st.sampled_from(["", "", "thing", "BROKE 1", "thing 7", "thing, thing", "absent"]),
    limit=st.integers(1, 400) | st.just(10_000),
    direction=st.sampled_from(["asc", "desc"]),
)


@share(2)
@given(query=QUERIES)
def test_pages_both_ways_together_are_the_whole_sorted_answer(filled: Index, query: EventQuery) -> None:
    query = replace(query, limit=max(query.limit, 70))
    expected = answer(filled.records, query)

    pages = all_pages(filled, query)

    assert entries(pages) == expected
    assert all(len(page.entries) == query.limit for page in pages[:-1])
    for number in range(len(pages) - 1, 0, -1):
        assert filled.page(query.after(pages[number].previous)) == pages[number - 1]


@given(query=QUERIES, first=st.integers(1, 200), then=st.integers(1, 200))
def test_the_size_of_pages_may_change_on_the_way(filled: Index, query: EventQuery, first: int, then: int) -> None:
    expected = answer(filled.records, query)
    page = filled.page(replace(query, limit=first))
    if page.next:
        page = filled.page(replace(query, limit=then).after(page.next))

        assert list(page.entries) == expected[first : first + then]


@share(4)
@given(
    held=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 3)), max_size=25, unique=True),
    late=st.lists(st.tuples(st.integers(0, 5), st.integers(4, 6)), max_size=15, unique=True),
    limit=st.integers(1, 6),
    direction=st.sampled_from(["asc", "desc"]),
)
def test_what_was_there_is_told_once_and_in_order_though_others_come_between_pages(
    held: list[tuple[int, int]], late: list[tuple[int, int]], limit: int, direction: Direction
) -> None:
    with scratch() as folder, index_in(folder) as index:
        index.add(*(finding(number, MORNING_US + minute * DAY_US // 4) for minute, number in held))
        query = EventQuery(limit=limit, direction=direction)
        expected = [entry.id for entry in answer(index.records, query)]
        waiting = [finding(number, MORNING_US + minute * DAY_US // 4) for minute, number in late]

        told: list[Entry] = []
        page = index.page(query)
        while page.entries:
            told += page.entries
            if waiting:
                index.add(waiting.pop())
            page = index.page(query.after(page.next)) if page.next else EMPTY

        keys = [(entry.time_us, entry.id) for entry in told]
        assert keys == sorted(set(keys), reverse=direction == "desc")
        assert [key[1] for key in keys if key[1] in set(expected)] == expected


@pytest.mark.parametrize(
    "cursor",
    [
        "x",
        "!",
        "é",
        "AAAA",
        "bnVsbA",
        "W10",
        "e30",
        "0",
        urlsafe_b64encode(b'["n","x",1]').decode(),
        urlsafe_b64encode(b'{"n":1,"p":2,"x":3,"y":4}').decode(),
        urlsafe_b64encode(b"\xff\xfe").decode(),
        "A" * 10_001,
        "[" * 100_000,
    ],
)
def test_a_cursor_that_is_garbage_is_rejected(index: Index, cursor: str) -> None:
    with pytest.raises(CursorRejected, match="not one of this system's"):
        index.page(EventQuery().after(cursor))


@pytest.mark.parametrize(
    ("part", "value"),
    [
        (0, "x"),
        (0, None),
        (0, ["n"]),
        (1, ["n"]),
        (1, "000000000000"),
        (2, "1"),
        (2, 1.5),
        (2, True),
        (2, -1),
        (2, 2**63),
        (2, 2**64 - 1),
        (2, 253_402_300_800_000_000),
        (3, None),
        (3, 5),
    ],
)
def test_a_cursor_that_was_tampered_with_is_rejected(index: Index, part: int, value: object) -> None:
    whole: list[Any] = orjson.loads(urlsafe_b64decode(cursor_of(index) + "=="))
    whole[part] = value
    forged = urlsafe_b64encode(orjson.dumps(whole)).decode()

    for direction in ("asc", "desc"):
        with pytest.raises(CursorRejected):
            index.page(EventQuery(direction=direction).after(forged))


@given(cursor=st.text() | st.binary().map(lambda raw: urlsafe_b64encode(raw).decode()))
def test_no_text_passes_for_a_cursor(filled: Index, cursor: str) -> None:
    if cursor:
        with pytest.raises(CursorRejected):
            filled.page(EventQuery().after(cursor))


@pytest.mark.parametrize(
    "other",
    [
        {"source": "aws.1"},
        {"account": "111122223333"},
        {"resource": "arn:1"},
        {"text": "thing"},
        {"min_severity": 1},
        {"since_us": 0},
        {"until_us": 10**17},
        {"direction": "asc"},
    ],
)
def test_a_cursor_goes_with_its_filters_and_direction_only(index: Index, other: dict[str, Any]) -> None:
    cursor = cursor_of(index)

    with pytest.raises(CursorRejected, match="made for other filters or another direction"):
        index.page(EventQuery(**other).after(cursor))


def test_a_cursor_outlives_a_rebuild(index: Index) -> None:
    index.add(*(finding(number) for number in range(10)))
    page = index.page(EventQuery(limit=4))
    rest = index.page(EventQuery(limit=4).after(page.next))

    index.rebuild()

    assert index.page(EventQuery(limit=4).after(page.next)) == rest
