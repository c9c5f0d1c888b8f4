"""Law 4: a commit is kept whole or not at all, and of two writers one is fenced, never merged."""

from contextlib import suppress
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from projections.errors import Fenced
from projections.projector import ALL
from tests.laws.histories import APPENDS, FAILURES, FOLDINGS, NOW_US, RESHARDINGS, Step, beginning, play
from tests.support.answers import expected, told
from tests.support.effort import share
from tests.support.facts import finding
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine


@share(3)
@given(steps=st.lists(APPENDS | RESHARDINGS | FOLDINGS | FAILURES, max_size=14))
def test_failures_and_restarts_leave_the_rows_of_an_undisturbed_run(steps: list[Step]) -> None:
    log = MemoryLog(shards=2)
    with scratch() as disturbed, play(steps, log, lambda size: Spine(disturbed, log, batch_events=size)) as spine:
        rows = spine.rows()
    with scratch() as undisturbed, Spine(undisturbed, log, batch_events=1_000) as spine:
        spine.fold()

        assert rows == spine.rows()


@share(3)
@given(
    turns=st.lists(st.tuples(st.sampled_from(["append", "first", "second", "third"]), st.integers(0, 20)), max_size=40),
    batch_events=st.integers(1, 4),
)
def test_projectors_that_fence_each_other_all_the_time_come_to_the_same_rows(
    turns: list[tuple[str, int]], batch_events: int
) -> None:
    log = MemoryLog(shards=2)
    log.append(beginning())
    with scratch() as folder:
        spines: dict[str, Spine] = {}
        for who, number in turns:
            if who == "append":
                log.append([finding(number), finding(number + 1)])
                continue
            spine = spines.get(who) or Spine(folder, log, batch_events=batch_events, token=f"{who}-{number}")
            spines[who] = spine
            with suppress(Fenced):
                spine.projector.step()
                continue
            spine.close()
            del spines[who]
        for spine in spines.values():
            spine.close()
        with Spine(folder, log, token="last") as last:  # a writer's token is no secret
            last.fold()

            assert told(last.catalog, now_us=NOW_US) == expected(log.records(), now_us=NOW_US)


def test_a_fenced_projector_has_left_nothing_behind(tmp_path: Path) -> None:
    log = MemoryLog(shards=1)
    with Spine(tmp_path, log) as first, Spine(tmp_path, log, token="second") as second:  # no secret
        first.fold()
        second.projector.step()
        before = second.rows()
        log.append([finding(1)])

        with suppress(Fenced):
            first.projector.step()

        assert second.rows() == before
        second.fold()
        assert [state.checkpoints for state in second.catalog.states()] == [log.heads()] * len(ALL)
