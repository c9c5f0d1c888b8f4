"""Law 5: folding the log again gives equal rows, whatever the batches, the restarts and the failures were."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from projections.projector import ALL
from tests.laws.histories import APPENDS, FAILURES, FOLDINGS, RESHARDINGS, Step, fill, play
from tests.support.diary import Diary, noted
from tests.support.effort import share
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine


@share(5)
@given(steps=st.lists(APPENDS | RESHARDINGS | FOLDINGS | FAILURES, max_size=12), batch_events=st.integers(1, 20))
def test_a_rebuild_makes_the_rows_that_were_folded_live(steps: list[Step], batch_events: int) -> None:
    log = MemoryLog(shards=2)
    with scratch() as folder, play(steps, log, lambda size: Spine(folder, log, batch_events=size)) as spine:
        live = spine.rows()

        for projection in ALL:
            assert spine.rebuilder(batch_events=batch_events).verify(projection).equal
            spine.rebuilder(batch_events=batch_events).rebuild(projection)

        assert spine.rows() == live
        assert spine.fold() == 0


@share(5)
@given(steps=st.lists(APPENDS | RESHARDINGS, max_size=10), sizes=st.tuples(st.integers(1, 20), st.integers(1, 20)))
def test_the_size_of_batches_changes_no_row(steps: list[Step], sizes: tuple[int, int]) -> None:
    log = MemoryLog(shards=2)
    fill(log, steps)
    rows: list[dict[str, Any]] = []
    for size in sizes:
        with scratch() as folder, Spine(folder, log, batch_events=size) as spine:
            spine.fold()
            rows.append(spine.rows())

    assert rows[0] == rows[1]


@share(3)
@given(
    numbers=st.lists(st.integers(0, 20), max_size=30),
    poison=st.sets(st.integers(0, 20), max_size=4),
    sizes=st.tuples(st.integers(1, 12), st.integers(1, 12)),
)
def test_a_rebuild_parks_what_was_parked_live(numbers: list[int], poison: set[int], sizes: tuple[int, int]) -> None:
    log = MemoryLog(shards=2)
    log.append([noted(number) for number in numbers])
    diary = Diary([noted(number).id for number in poison])
    with scratch() as folder, Spine(folder, log, projections=[diary], batch_events=sizes[0]) as spine:
        spine.fold()
        live = spine.rows()
        spine.rebuilder(batch_events=sizes[1]).rebuild(diary, accept_parked=True)
        rebuilt = spine.rows()

    for rows in (live, rebuilt):
        rows["diary"]["parked"].sort(key=lambda parked: parked[1])  # between shards, parking has no order
    assert live == rebuilt
