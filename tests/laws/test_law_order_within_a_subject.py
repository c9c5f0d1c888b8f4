"""Law 3: what others do, and on which shards subjects stand, changes nothing of what readers are told."""

from collections.abc import Sequence
from random import Random

from hypothesis import given
from hypothesis import strategies as st

from schemas.envelope import Envelope
from tests.laws.histories import EVENTS, NOW_US, Step, beginning, reshard, wherever_they_stand
from tests.support.answers import Answers, expected, told
from tests.support.effort import share
from tests.support.memory_log import MemoryLog
from tests.support.scratch import scratch
from tests.support.spine import Spine


def folded(log: MemoryLog, batch_events: int) -> Answers:
    with scratch() as folder, Spine(folder, log, batch_events=batch_events) as spine:
        spine.fold()
        return wherever_they_stand(told(spine.catalog, now_us=NOW_US))


def interleaved(events: Sequence[Envelope], random: Random) -> list[Envelope]:
    """The events in another order, in which each subject's keep theirs."""
    subjects = [event.subject for event in events]
    random.shuffle(subjects)
    queues = {subject: [event for event in events if event.subject == subject] for subject in subjects}
    return [queues[subject].pop(0) for subject in subjects]


@share(3)
@given(
    events=st.lists(EVENTS, max_size=30),
    random=st.randoms(use_true_random=False),
    shards=st.integers(1, 4),
    batch_events=st.integers(1, 12),
)
def test_how_subjects_are_interleaved_and_spread_changes_nothing(
    events: list[Envelope], random: Random, shards: int, batch_events: int
) -> None:
    events = [*beginning(), *events]
    one, other = MemoryLog(shards=1), MemoryLog(shards=shards)
    one.append(events)
    other.append(interleaved(events, random))

    assert folded(one, 1_000) == folded(other, batch_events)


@share(3)
@given(
    parts=st.lists(st.tuples(st.lists(EVENTS, max_size=8), st.sampled_from(["split", "merge"]), st.integers(0, 3)), max_size=8),
    batch_events=st.integers(1, 5),
)
def test_splits_and_merges_change_nothing(parts: list[tuple[list[Envelope], str, int]], batch_events: int) -> None:
    whole, resharded = MemoryLog(shards=1), MemoryLog(shards=2)
    for log in (whole, resharded):
        log.append(beginning())
        for events, what, number in parts:
            log.append(events)
            if log is resharded:
                reshard(log, Step(what, number))

    assert (
        folded(whole, 1_000) == folded(resharded, batch_events) == wherever_they_stand(expected(whole.records(), now_us=NOW_US))
    )
