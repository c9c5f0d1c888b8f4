"""The parts of the live feed, each by itself: vectors, rates, followers, the tail."""

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.feed import vector
from consumers.feed.errors import FeedClosed, FeedFull
from consumers.feed.follower import Follower, State
from consumers.feed.message import Filter, Message
from consumers.feed.rate import Rate
from consumers.feed.tail import Tail
from pipeline.log.port import Position
from tests.api.served import until
from tests.api.world import NOW_US, SECOND_US, World, finding


def message(
    sequence: int,
    *,
    severity: int = 2,
    source: str = "aws.x",
    kind: str = "finding.observed",
    account: str = "",
    resources: tuple[str, ...] = (),
    summary: str = "",
) -> Message:
    return Message(Position("s", sequence), kind, source, severity, f"s:{sequence}:0", b"{}", account, resources, summary)


@given(st.dictionaries(st.from_regex(r"shard-[a-z0-9]{1,6}", fullmatch=True), st.integers(0, 10**60), max_size=6))
def test_a_vector_survives_its_text(sequences: dict[str, int]) -> None:
    positions = {shard: Position(shard, sequence, sequence % 7) for shard, sequence in sequences.items()}

    assert vector.decode(vector.encode(positions)) == positions


@pytest.mark.parametrize("text", ["nonsense", "a:1:0,a:2:0", "a:-1:0", "a:1", ",", "a:1:0,"])
def test_a_text_that_is_no_vector_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"position|named twice"):
        vector.decode(text)


def test_the_goal_is_reached_when_every_shard_of_it_is() -> None:
    goal = {"a": Position("a", 2), "b": Position("b", 1)}

    assert vector.reached({"a": Position("a", 10), "b": Position("b", 1)}, goal)
    assert not vector.reached({"a": Position("a", 10)}, goal)
    assert not vector.reached({"a": Position("a", 1), "b": Position("b", 1)}, goal)
    assert vector.reached({}, {})


def test_the_rate_is_the_mean_of_the_last_whole_minute() -> None:
    rate = Rate()
    rate.add([NOW_US - 61 * SECOND_US] * 1000)
    rate.add([NOW_US - 60 * SECOND_US] * 30 + [NOW_US - 1] * 30)
    rate.add([NOW_US] * 600)

    assert rate.per_second(NOW_US) == 1.0
    assert rate.per_second(NOW_US + SECOND_US) == 10.5
    assert rate.per_second(NOW_US + 3600 * SECOND_US) == 0.0


def test_the_rate_keeps_a_bounded_number_of_seconds() -> None:
    rate = Rate()
    for second in range(1000):
        rate.add([NOW_US + second * SECOND_US])

    assert len(rate._counts) == 61


def test_a_follower_takes_what_it_wants_and_stands_behind_what_it_does_not() -> None:
    woken: list[int] = []
    follower = Follower(Filter(min_severity=3), {}, "start", capacity=5, wake=lambda: woken.append(1))

    follower.offer([message(1)])
    assert (woken, follower.take()) == ([], ([], "s:1:0", State.OPEN))

    follower.offer([message(2, severity=3), message(3)])
    taken, resume, _ = follower.take()
    assert ([m.position.sequence for m in taken], resume, len(woken)) == ([2], "s:2:0", 1)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (Filter(), [1, 2, 3]),
        (Filter(source="aws.y"), [2]),
        (Filter(type="agent.beat"), [3]),
        (Filter(min_severity=4), [1]),
        (Filter(source="aws.y", min_severity=4), []),
        (Filter(allowed=("finding.",)), [1, 2]),
        (Filter(account="111122223333"), [1]),
        (Filter(resource="arn:b"), [1, 2]),
        (Filter(resource="arn:"), []),
        (Filter(text="FULL disk"), [2]),
        (Filter(text="disk"), [1, 2]),
        (Filter(text="dis"), []),
        (Filter(text=" !"), [1, 2, 3]),
        (Filter(text="disk", account="111122223333"), [1]),
    ],
)
def test_filters_must_all_hold(wanted: Filter, expected: list[int]) -> None:
    messages = [
        message(1, severity=4, account="111122223333", resources=("arn:a", "arn:b"), summary="a disk is slow"),
        message(2, source="aws.y", resources=("arn:b",), summary="Disk: full!"),
        message(3, kind="agent.beat"),
    ]

    assert [m.position.sequence for m in messages if wanted.wants(m)] == expected


def test_a_follower_is_not_told_again_what_it_had() -> None:
    follower = Follower(Filter(), {"s": Position("s", 2)}, "start", capacity=5, wake=lambda: None)

    follower.offer([message(1), message(2), message(3)])

    assert [m.position.sequence for m in follower.take()[0]] == [3]


def test_a_follower_that_is_too_slow_is_dropped_and_keeps_nothing() -> None:
    follower = Follower(Filter(), {}, "start", capacity=2, wake=lambda: None)
    follower.offer([message(1)])
    follower.take()

    follower.offer([message(2), message(3)])
    follower.offer([message(4)])
    follower.offer([message(5)])

    assert follower.take() == ([], "s:1:0", State.DROPPED)


def test_a_closed_follower_gives_what_waits() -> None:
    follower = Follower(Filter(), {}, "start", capacity=2, wake=lambda: None)
    follower.offer([message(1)])
    follower.close()
    follower.offer([message(2)])

    taken, _, state = follower.take()
    assert ([m.position.sequence for m in taken], state) == ([1], State.CLOSED)


def test_a_tail_hands_on_what_comes_and_counts_it(world: World) -> None:
    tail = Tail(world.log, clock=world.clock)
    world.log.append([finding(0)])
    tail.start()
    woken = threading.Event()
    follower = tail.follow(Filter(), tail.vector, woken.set)
    assert follower is not None

    world.log.append([finding(n) for n in range(1, 4)])
    taken: list[Message] = []

    def all_came() -> bool:
        taken.extend(follower.take()[0])
        return len(taken) == 3

    until(all_came)

    assert woken.is_set()
    world.clock.now_us += SECOND_US
    assert tail.per_second() == pytest.approx(3 / 60)
    tail.close()
    tail.close()
    assert follower.take()[2] is State.CLOSED


def test_a_tail_goes_on_after_an_outage_of_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    tail = Tail(world.log, clock=world.clock, pause_seconds=0.01)
    tail.start()
    world.log.down = True
    until(lambda: "cannot read the log" in caplog.text)
    world.log.down = False

    world.log.append([finding(1)])
    until(lambda: tail.vector)

    tail.close()


def test_a_backlog_leads_to_where_the_others_stand(world: World) -> None:
    events = [finding(n) for n in range(30)]
    world.log.append(events)
    tail = Tail(world.log, clock=world.clock)
    tail.start()

    assert tail.follow(Filter(), {}, lambda: None) is None
    messages, reached = tail.backlog({})

    assert len(messages) == 30
    assert vector.decode(messages[-1].resume) == reached == dict(tail.vector)
    assert tail.follow(Filter(), reached, lambda: None) is not None
    tail.close()


def test_a_vector_beyond_a_log_that_lost_its_end_is_no_endless_backlog(world: World) -> None:
    world.log.append([finding(n) for n in range(8)])
    tail = Tail(world.log, clock=world.clock)
    tail.start()
    for records in world.log.records.values():
        records.clear()

    _, reached = tail.backlog({})

    assert tail.follow(Filter(), reached, lambda: None) is not None
    tail.close()


def test_only_so_many_clients_are_admitted_and_none_after_the_end(world: World) -> None:
    tail = Tail(world.log, clock=world.clock, most_clients=1)
    with tail.admitted():
        assert tail.clients == 1
        with pytest.raises(FeedFull), tail.admitted():
            pass
    assert tail.clients == 0

    tail.close()
    with pytest.raises(FeedClosed), tail.admitted():
        pass
    follower = tail.follow(Filter(), {}, lambda: None)
    assert follower is not None
    assert follower.take()[2] is State.CLOSED
