"""Histories of a log, and of the processes that fold it, for the property tests of the laws."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from pipeline.log.port import Position
from projections.errors import StoreUnavailable
from projections.reading import Count
from schemas.envelope import Envelope
from tests.support.answers import Answers
from tests.support.facts import DAY_US, HOUR_US, MORNING_US, beat, deployed, fact, finding, task
from tests.support.memory_log import MemoryLog
from tests.support.spine import Spine

ACCOUNTS = ("111111111111", "222222222222", "")
NOW_US = MORNING_US + 3 * DAY_US


def some_finding(number: int) -> Envelope:
    """One of a few findings: told again, it is the same event."""
    return finding(
        number,
        MORNING_US + number * 7 % 11 * HOUR_US * 5,
        subject=f"alarm/{number % 4}",
        account=ACCOUNTS[number % 3],
        severity=number % 5,
        source=f"aws.{number % 2}",
    )


def beginning() -> list[Envelope]:
    """Tasks must be created before anything happens to them."""
    return [task("created", MORNING_US, number, priority="high", due_us=NOW_US - number) for number in range(3)]


EVENTS = st.one_of(
    st.integers(0, 20).map(some_finding),
    st.integers(0, 20).map(some_finding),
    st.builds(lambda hour, n: beat(MORNING_US + hour * HOUR_US, account=ACCOUNTS[n]), st.integers(0, 9), st.integers(0, 1)),
    st.builds(
        lambda hour, n, status: deployed(MORNING_US + hour * HOUR_US, status, account=ACCOUNTS[n], version=str(hour)),
        st.integers(0, 9),
        st.integers(0, 1),
        st.sampled_from(["active", "failed"]),
    ),
    st.builds(
        lambda second, n, status: task("status_changed", MORNING_US + second * 1_000_000, n, status=status),
        st.integers(0, 50),
        st.integers(0, 2),
        st.sampled_from(["closed", "open", "in_progress"]),
    ),
    st.builds(lambda second, n: task("deleted", MORNING_US + second * 1_000_000, n), st.integers(60, 61), st.integers(0, 2)),
    st.integers(0, 3).map(lambda n: fact("notice.sent", MORNING_US, n, version=9)),
)


@dataclass(frozen=True)
class Step:
    """Something that happens to the log or to those who fold it. ``number`` says which, where there is a choice."""

    what: str
    number: int = 0
    events: tuple[Envelope, ...] = ()


APPENDS = st.lists(EVENTS, min_size=1, max_size=12).map(lambda events: Step("append", events=tuple(events)))
RESHARDINGS = st.builds(Step, st.sampled_from(["split", "merge"]), st.integers(0, 3))
FOLDINGS = st.one_of(
    st.builds(Step, st.just("fold"), st.integers(1, 9)),
    st.builds(Step, st.just("restart"), st.integers(1, 9)),
)
FAILURES = st.builds(Step, st.just("fail"), st.integers(0, 40))


def reshard(log: MemoryLog, step: Step) -> None:
    """Split an open shard, or merge two neighbours, if there are any."""
    shards = log.open_shards()
    if step.what == "split" and len(shards) < 6:
        log.split(shards[step.number % len(shards)])
    elif step.what == "merge":
        pairs = log.neighbours()
        if pairs:
            log.merge(*pairs[step.number % len(pairs)])


def fill(log: MemoryLog, steps: Iterable[Step]) -> None:
    """Let what concerns the log alone happen."""
    log.append(beginning())
    for step in steps:
        log.append(step.events)
        reshard(log, step)


def play(steps: Iterable[Step], log: MemoryLog, start: Callable[[int], Spine]) -> Spine:
    """Let the steps happen, folding as they say, then fold the rest; ``start`` begins a process that folds in such batches.

    A process that is told to fail does so at its n-th call of the store from then on, and is restarted. Close what is returned.
    """
    spine = start(5)
    log.append(beginning())
    for step in steps:
        match step.what:
            case "append":
                log.append(step.events)
            case "split" | "merge":
                reshard(log, step)
            case "fold":
                spine = surviving(spine, start, lambda s: s.projector.step())
            case "restart":
                spine.close()
                spine = start(step.number)
            case "fail":
                spine.fail_in(step.number)
    spine.fail_in(-1)
    return surviving(spine, start, lambda s: s.fold())


def surviving(spine: Spine, start: Callable[[int], Spine], do: Callable[[Spine], object]) -> Spine:
    """Do something; if the store fails it, do it in a process started anew. Returns the process that lives."""
    try:
        do(spine)
    except StoreUnavailable:
        spine.close()
        spine = start(3)
        do(spine)
    return spine


def wherever_they_stand(answers: Answers) -> Answers:
    """The answers without what tells where on the log, and when, an event was recorded."""
    return replace(answers, entries=[replace(entry, position=Position("", 0), recorded_us=0) for entry in answers.entries])


def total(counts: Iterable[Count]) -> int:
    return sum(count.count for count in counts)
