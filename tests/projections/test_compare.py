from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from projections.compare import SAMPLES, Difference, compare
from projections.projection import Changes, CountKey
from projections.segments import Entries
from projections.stores.port import Commit, Generation
from projections.stores.sqlite import SqliteStore
from tests.support.effort import share
from tests.support.facts import DAY_US, MORNING_US
from tests.support.scratch import scratch
from tests.support.spine import frozen_clock


@pytest.fixture
def pair(tmp_path: Path) -> Iterator[tuple[Generation, Generation]]:
    with closing(SqliteStore(tmp_path, clock=frozen_clock)) as store:
        infos = [store.create("some", 1, serving=False) for _ in range(2)]
        with closing(store.open(infos[0])) as former, closing(store.open(infos[1])) as new:
            yield former, new


def keep(generation: Generation, changes: Changes) -> None:
    generation.commit("", Commit({}, {}, changes))


def entries(*told: tuple[int, str, str], recorded_us: int = 0) -> Changes:
    """(time, id, summary) of each entry."""
    count = len(told)
    columns: dict[str, list[object]] = {name: [""] * count for name in Entries.__slots__}
    columns |= {"time_us": [t[0] for t in told], "id": [t[1] for t in told], "summary": [t[2] for t in told]}
    columns |= {"recorded_us": [recorded_us] * count, "severity": [0] * count, "resources": [[]] * count}
    columns |= {"sequence": [0] * count, "sub": [0] * count}
    return Changes(entries=Entries(**columns))  # type: ignore[arg-type]  # columns of the right types


def count(hour: int) -> CountKey:
    return CountKey(hour, "s", 0, "", "a")


def test_two_empty_generations_are_equal(pair: tuple[Generation, Generation]) -> None:
    assert compare(*pair) == Difference()
    assert compare(*pair).equal


def test_rows_are_compared_whatever_the_commits_that_made_them(pair: tuple[Generation, Generation]) -> None:
    told = [(MORNING_US + n % 3 * DAY_US, f"id-{n:04}", "x") for n in range(1_500)]
    former, new = pair
    for begin in range(0, 1_500, 70):
        keep(former, entries(*told[begin : begin + 70]))
        keep(former, Changes(counts={count(begin): 2}))
        keep(new, Changes(counts={count(begin): 1}))
    keep(new, entries(*reversed(told)))
    for begin in range(0, 1_500, 70):
        keep(new, Changes(counts={count(begin): 1}))

    difference = compare(former, new)

    assert difference.equal
    assert difference.compared == 1_500 + 22


def test_missing_added_and_changed_rows_are_named(pair: tuple[Generation, Generation]) -> None:
    former, new = pair
    keep(former, entries((1, "a", "same"), (2, "b", "gone"), (3, "c", "old")))
    keep(new, entries((1, "a", "same"), (3, "c", "new"), (4, "d", "fresh")))
    keep(former, Changes(counts={count(1): 1, count(2): 5}, documents={"x": {"n": 1}, "same": {}}))
    keep(new, Changes(counts={count(2): 6, count(3): 1}, documents={"same": {}, "y": {"n": 1}}))

    difference = compare(former, new)

    assert (difference.compared, difference.missing, difference.added, difference.changed) == (10, 3, 3, 2)
    assert not difference.equal
    kinds = [(kind, key, former is None, new is None) for kind, key, former, new in difference.samples]
    assert kinds == [
        ("entry", "(2, 'b', 0)", False, True),
        ("entry", "(3, 'c', 0)", False, False),
        ("entry", "(4, 'd', 0)", True, False),
        ("count", str(count(1)), False, True),
        ("count", str(count(2)), False, False),
        ("count", str(count(3)), True, False),
        ("document", "x", False, True),
        ("document", "y", True, False),
    ]
    told = {key: (former, new) for _, key, former, new in difference.samples}
    assert told[str(count(2))] == (5, 6)
    old, fresh = told["(3, 'c', 0)"]
    assert (old["summary"], fresh["summary"]) == ("old", "new")


def test_ten_rows_are_shown_and_all_are_counted(pair: tuple[Generation, Generation]) -> None:
    keep(pair[0], Changes(documents={str(n): {} for n in range(50)}))

    difference = compare(*pair)

    assert (difference.missing, len(difference.samples)) == (50, SAMPLES)


def test_an_id_that_counted_twice_is_compared_by_recorded_time(pair: tuple[Generation, Generation]) -> None:
    former, new = pair
    for generation, order in ((former, (5, 9)), (new, (9, 5))):
        for recorded_us in order:
            keep(generation, entries((1, "a", "x"), recorded_us=recorded_us))

    assert compare(former, new) == Difference(compared=2)


ROWS = st.dictionaries(st.text(max_size=3), st.integers(0, 2), max_size=8)


@share(3)
@given(before=ROWS, after=ROWS)
def test_any_difference_is_counted_right(before: dict[str, int], after: dict[str, int]) -> None:
    with scratch() as folder, closing(SqliteStore(folder, clock=frozen_clock)) as store:
        infos = [store.create("some", 1, serving=False) for _ in range(2)]
        with closing(store.open(infos[0])) as former, closing(store.open(infos[1])) as new:
            for generation, rows in ((former, before), (new, after)):
                documents = {key: {"n": value} for key, value in rows.items()}
                keep(generation, Changes(documents=documents, counts={count(0)._replace(source=k): v for k, v in rows.items()}))
                keep(generation, entries(*((MORNING_US, key, str(value)) for key, value in rows.items())))
            difference = compare(former, new)

    assert difference.missing == 3 * len(before.keys() - after.keys())
    assert difference.added == 3 * len(after.keys() - before.keys())
    assert difference.changed == 3 * sum(before[key] != after[key] for key in before.keys() & after.keys())
    assert difference.compared == 3 * len(before.keys() | after.keys())
