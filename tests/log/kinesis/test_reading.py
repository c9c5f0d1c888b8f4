"""Reading: every record once from wherever one goes on, nothing passed in silence, ends only where there is one."""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Thread

import pytest

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import Kind, KinesisLog, Unreadable, quarantining
from pipeline.log.kinesis.reading import ShardReader
from pipeline.log.kinesis.topology import StreamShard
from pipeline.log.port import Position, Shard
from pipeline.quarantine.sqlite import SqliteQuarantine
from schemas.envelope import Envelope
from tests.aws.fake_kinesis import BEGIN_US, FakeKinesis, Machine, Trouble, log_of, refusal
from tests.log.kinesis.producing import of
from tests.log.made_up import NOON_US, event, events

SHARD = "shardId-000000000000"
FOREIGN = b'{"detail-type":"a finding of somebody else"}'
DAMAGED = of(event(90))[:-1] + b"?"


def filled(kinesis: FakeKinesis, records: int = 8, each: int = 3) -> list[Envelope]:
    """Aggregates of some events; returns those."""
    told = [event(number) for number in range(records * each)]
    for start in range(0, len(told), each):
        kinesis.put(of(*told[start : start + each]))
    return told


def read_all(log: KinesisLog, limit: int = 1000, shard: str = SHARD, after: Position | None = None) -> list[Envelope]:
    found = []
    while batch := log.read(shard, after, limit):
        found += [record.event for record in batch.records()]
        after = batch.positions[-1]
    return found


def on_reads(*troubles: Trouble, call: str = "get_records") -> Callable[[str], Trouble]:
    left = iter(troubles)
    return lambda called: next(left, Trouble.NONE) if called == call else Trouble.NONE


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 1000])
def test_reading_in_pieces_asks_for_each_record_once(limit: int) -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis)

    assert told == read_all(log_of(kinesis), limit)
    assert kinesis.calls.count("get_records") == 4
    assert kinesis.calls.count("get_shard_iterator") == 1


@pytest.mark.parametrize("seen", range(24))
def test_reading_goes_on_behind_any_position(seen: int) -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis)
    record, sub = divmod(seen, 3)
    after = Position(SHARD, kinesis.shards[SHARD].records[record].sequence, sub)

    assert told[seen + 1 :] == read_all(log_of(kinesis), 5, after=after)


def test_several_readers_at_several_places_do_not_disturb_each_other() -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis)
    log = log_of(kinesis)
    places: list[Position | None] = [None] * 5
    found: list[list[Envelope]] = [[] for _ in places]
    for step in range(200):
        reader = step % len(places)
        batch = log.read(SHARD, places[reader], reader + 1)
        found[reader] += [record.event for record in batch.records()]
        places[reader] = batch.positions[-1] if len(batch) else places[reader]

    assert [told] * 5 == found


@pytest.mark.parametrize(
    "trouble", [Trouble.EXPIRED, Trouble.THROTTLED, Trouble.FAULT, Trouble.TIME_OUT_AFTER, Trouble.NOTHING_YET, Trouble.AGAIN]
)
@pytest.mark.parametrize("limit", [4, 1000])
def test_troubles_of_reading_lose_and_repeat_nothing(trouble: Trouble, limit: int) -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis)
    kinesis.trouble = on_reads(*[trouble, Trouble.NONE, trouble] * 5)
    log = log_of(kinesis)

    assert told == read_all(log, limit)


def test_an_iterator_that_expires_while_nothing_comes_is_opened_where_it_stood() -> None:
    kinesis = FakeKinesis()
    log = log_of(kinesis)
    assert read_all(log) == []
    kinesis.trouble = on_reads(Trouble.EXPIRED)
    told = filled(kinesis, 1)
    assert told == read_all(log)
    last = log.heads()[SHARD]
    assert len(log.read(SHARD, last, 9)) == 0
    kinesis.trouble = on_reads(Trouble.EXPIRED)

    kinesis.put(of(event(77)))

    assert [event(77)] == read_all(log, after=last)


def test_an_outage_of_reading_ends_at_the_deadline() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    kinesis.trouble = lambda call: Trouble.THROTTLED if call == "get_records" else Trouble.NONE

    with pytest.raises(LogUnavailable, match="ProvisionedThroughputExceeded"):
        log_of(kinesis, machine).read(SHARD, None, 5)

    assert 25 < machine.seconds <= 30


def test_a_closed_shard_is_read_to_its_end_through_answers_without_records() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    told = filled(kinesis)
    kinesis.split(SHARD)
    kinesis.trouble = on_reads(*[Trouble.NOTHING_YET] * 7)

    assert told == read_all(log_of(kinesis, machine))


def test_a_closed_shard_that_comes_to_no_end_is_no_end() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    filled(kinesis)
    kinesis.split(SHARD)
    kinesis.trouble = lambda call: Trouble.NOTHING_YET if call == "get_records" else Trouble.NONE

    with pytest.raises(LogUnavailable, match="gave neither records nor its end for 30 s"):
        log_of(kinesis, machine).read(SHARD, None, 5)


def test_a_shard_that_is_not_listed_holds_nothing() -> None:
    log = log_of(FakeKinesis())

    assert len(log.read("elsewhere", None, 5)) == 0
    assert log.fetch([Position("elsewhere", 1)]) == [None]


def mixed(kinesis: FakeKinesis) -> list[int]:
    """Good and bad records; the numbers of the bad ones."""
    kinesis.put(of(event(1)))
    bad = [kinesis.put(FOREIGN)]
    kinesis.put(of(event(2)))
    bad += [kinesis.put(DAMAGED), kinesis.put(FOREIGN)]
    return bad


def test_what_is_no_event_is_told_before_what_is_behind_it_is_given() -> None:
    kinesis = FakeKinesis(page_records=1)
    bad = mixed(kinesis)
    told: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=told.extend)

    first = log.read(SHARD, None, 9)
    assert told == []
    second = log.read(SHARD, first.positions[-1], 9)
    assert [bad[0]] == [one.position.sequence for one in told]
    assert len(log.read(SHARD, second.positions[-1], 9)) == 0

    assert [one.kind for one in told] == [Kind.FOREIGN, Kind.DAMAGED, Kind.FOREIGN]
    assert [one.payload for one in told] == [FOREIGN, DAMAGED, FOREIGN]


def test_what_is_no_event_at_the_end_is_told_once_while_the_reader_lives_and_again_after_a_restart() -> None:
    kinesis = FakeKinesis(page_records=1)
    mixed(kinesis)
    told: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=told.extend)
    after = log.read(SHARD, None, 1).positions[-1]
    after = log.read(SHARD, after, 1).positions[-1]
    for _ in range(3):
        assert len(log.read(SHARD, after, 1)) == 0
    assert len(told) == 3

    log_of(kinesis, on_unreadable=told.extend).read(SHARD, after, 1)

    assert [one.kind for one in told[3:]] == [Kind.DAMAGED, Kind.FOREIGN]


def test_reading_stays_before_what_its_sink_could_not_keep() -> None:
    kinesis = FakeKinesis()
    mixed(kinesis)
    kept: list[Unreadable] = []
    fails = iter([True, True, False])

    def sink(found: Sequence[Unreadable]) -> None:
        if next(fails):
            message = "the disk is full"
            raise OSError(message)
        kept.extend(found)

    log = log_of(kinesis, on_unreadable=sink)

    for _ in range(2):
        with pytest.raises(OSError, match="disk is full"):
            log.read(SHARD, None, 9)
    assert len(log.read(SHARD, None, 9)) == 2
    assert [one.payload for one in kept] == [FOREIGN]


def test_looking_ahead_tells_nobody_but_the_reading_that_follows_does() -> None:
    kinesis = FakeKinesis()
    mixed(kinesis)
    told: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=told.extend)

    log.heads()
    assert log.behind({}) > 0
    assert told == []

    assert [event(1), event(2)] == read_all(log)
    assert len(told) == 3


def test_what_was_only_looked_at_is_told_to_whoever_goes_on_behind_it() -> None:
    """As after a restart: the lag is asked for before the first reading, which begins at a checkpoint."""
    kinesis = FakeKinesis()
    sequence = kinesis.put(of(event(1)))
    kinesis.put(FOREIGN)
    told: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=told.extend)
    assert log.behind({}) == 1

    assert len(log.read(SHARD, Position(SHARD, sequence), 9)) == 0

    assert [one.payload for one in told] == [FOREIGN]


@pytest.fixture
def quarantine(tmp_path: Path) -> Iterator[SqliteQuarantine]:
    with closing(SqliteQuarantine(tmp_path / "quarantine.db", clock=lambda: NOON_US)) as quarantine:
        yield quarantine


def test_the_quarantine_keeps_what_is_no_event_once_with_bytes_place_and_reason(quarantine: SqliteQuarantine) -> None:
    kinesis = FakeKinesis()
    bad = mixed(kinesis)

    for _ in range(2):
        read_all(log_of(kinesis, on_unreadable=quarantining(quarantine)))

    foreign, damaged = sorted((item.reject for item in quarantine.list()), key=lambda reject: reject.payload)
    assert [foreign.payload, damaged.payload] == [FOREIGN, DAMAGED]
    assert f"log {SHARD}:{bad[1]}:0" == damaged.origin
    assert damaged.reason == "damaged: the MD5 at the end of the aggregate is not that of its message"
    assert foreign.reason.startswith("foreign: ")


def test_the_quarantine_may_be_spared_what_another_door_takes(quarantine: SqliteQuarantine) -> None:
    kinesis = FakeKinesis()
    mixed(kinesis)

    read_all(log_of(kinesis, on_unreadable=quarantining(quarantine, kinds=frozenset({Kind.DAMAGED}))))

    assert [item.reject.payload for item in quarantine.list()] == [DAMAGED]


def test_going_on_from_a_record_that_expired_is_told_and_goes_on_with_the_oldest() -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis, 4)
    after = log_of(kinesis).read(SHARD, None, 1).positions[0]
    del kinesis.shards[SHARD].records[:2]
    lost: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=lost.extend)

    assert told[6:] == read_all(log, after=after)
    assert [(after, Kind.TRIMMED)] == [(one.position, one.kind) for one in lost]


def test_a_number_that_the_shard_refuses_is_told_and_reading_begins_with_the_oldest() -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis, 2)
    lost: list[Unreadable] = []
    log = log_of(kinesis, on_unreadable=lost.extend)

    assert told == read_all(log, after=Position(SHARD, 5))
    assert [one.kind for one in lost] == [Kind.TRIMMED]
    assert log.fetch([Position(SHARD, 5)]) == [None]


def test_an_event_is_fetched_through_answers_without_records() -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis, 2)
    positions = log_of(kinesis).read(SHARD, None, 9).positions
    kinesis.trouble = on_reads(Trouble.NOTHING_YET, Trouble.EXPIRED)

    found = log_of(kinesis).fetch([positions[4], positions[0], positions[4]._replace(sub=9)])

    assert [told[4], told[0], None] == [record and record.event for record in found]


def test_heads_are_looked_for_in_what_came_of_late_first() -> None:
    kinesis, machine = FakeKinesis(page_records=1), Machine()
    machine.seconds = 3_000.0
    filled(kinesis, 50)  # within the first fifty milliseconds
    log = log_of(kinesis, machine, look_back_us=(60_000_000, 2_999_995_000))

    head = log.heads()[SHARD]

    assert head == Position(SHARD, kinesis.shards[SHARD].records[-1].sequence, 2)
    assert kinesis.calls.count("get_records") < 50


def test_heads_go_on_from_where_they_were() -> None:
    kinesis = FakeKinesis()
    filled(kinesis)
    log = log_of(kinesis)
    log.heads()
    asked = kinesis.calls.count("get_records")

    sequence = kinesis.put(of(event(70)))

    assert Position(SHARD, sequence) == log.heads()[SHARD]
    assert kinesis.calls.count("get_records") == asked + 2


def test_a_head_is_never_before_what_was_read_though_the_service_says_that_there_is_no_more() -> None:
    kinesis = FakeKinesis()
    log = log_of(kinesis)
    assert log.heads() == {}
    filled(kinesis, 2)
    last = log.read(SHARD, None, 9).positions[-1]
    kinesis.trouble = lambda call: Trouble.NOTHING if call == "get_records" else Trouble.NONE

    assert {SHARD: last} == log.heads()


def test_how_much_is_left_is_exact_once_it_was_read() -> None:
    kinesis = FakeKinesis()
    filled(kinesis)
    log = log_of(kinesis)
    assert log.behind({}) == 9  # a call's
    read_all(log)

    assert log.behind({}) == 24
    assert log.behind(log.heads()) == 0
    assert log.behind({SHARD: log.read(SHARD, None, 5).positions[-1]}) == 19
    assert log_of(kinesis).behind({SHARD: log.heads()[SHARD]}) == 0


def test_a_shard_that_vanished_has_no_head_and_nothing_waiting() -> None:
    kinesis = FakeKinesis()
    filled(kinesis)
    log = log_of(kinesis)
    log.heads()

    assert log._reader("elsewhere").head() is None
    assert log._reader("elsewhere").waiting(None) == 0


def test_shards_are_told_parents_first_and_closed_ones_as_closed() -> None:
    kinesis = FakeKinesis(2)
    left, right = kinesis.open_shards()
    kinesis.merge(left, right)
    (child,) = kinesis.open_shards()
    kinesis.split(child.id)

    told = log_of(kinesis).shards()

    assert {Shard(left.id, closed=True), Shard(right.id, closed=True)} == set(told[:2])
    assert Shard(child.id, (left.id, right.id), closed=True) == told[2]
    assert [(child.id,), (child.id,)] == [shard.parents for shard in told[3:]]
    assert [shard.closed for shard in told[3:]] == [False, False]


def test_a_parent_that_is_no_longer_listed_does_not_matter() -> None:
    kinesis = FakeKinesis()
    kinesis.split(SHARD)
    del kinesis.shards[SHARD]

    assert [shard.parents for shard in log_of(kinesis).shards()] == [(SHARD,), (SHARD,)]


@pytest.mark.parametrize(("age_hours", "complete"), [(0, True), (23.9, True), (24.1, False)])
def test_a_shard_is_complete_while_the_stream_is_younger_than_its_retention(age_hours: float, *, complete: bool) -> None:
    now_us = BEGIN_US + round(age_hours * 3.6e9)

    assert [complete] == [shard.complete for shard in log_of(FakeKinesis(), clock=lambda: now_us).shards()]


def test_a_changed_retention_is_noticed_within_a_minute() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    log = log_of(kinesis, machine)
    machine.seconds = 25 * 3600
    assert not log.shards()[0].complete
    kinesis.retention_hours = 48

    machine.seconds += 61

    assert log.shards()[0].complete
    assert log.shards()[0].complete
    assert kinesis.calls.count("describe_stream_summary") == 2


def test_the_stream_is_not_asked_for_its_shards_more_often_than_set() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    log = log_of(kinesis, machine, refresh_seconds=5)
    for _ in range(10):
        log.shards()
        log.read(SHARD, None, 1)
    assert kinesis.calls.count("list_shards") == 1

    machine.seconds += 5
    log.shards()

    assert kinesis.calls.count("list_shards") == 2


def test_a_stream_that_is_not_there_is_unavailable() -> None:
    kinesis = FakeKinesis()

    def refuse(_: str) -> None:
        error = refusal("ListShards", "ResourceNotFoundException")
        raise error

    kinesis.meanwhile = refuse

    with pytest.raises(LogUnavailable, match="ResourceNotFound"):
        log_of(kinesis).shards()


def test_the_keys_of_a_shard_are_known_by_its_name() -> None:
    kinesis = FakeKinesis(2)
    left, right = kinesis.open_shards()

    assert (left.keys, right.keys, range(1 << 128)) == tuple(map(log_of(kinesis).keys_of, (left.id, right.id, "elsewhere")))


def test_waiting_goes_on_until_something_was_appended_here() -> None:
    log = log_of(FakeKinesis(), poll_seconds=60, monotonic=time.monotonic)
    answers: list[bool] = []
    waiter = Thread(target=lambda: answers.append(log.wait({}, 60)), daemon=True)
    waiter.start()

    log.append([event(1)])

    waiter.join(30)
    assert answers == [True]


def test_waiting_in_vain_ends() -> None:
    assert log_of(FakeKinesis(), poll_seconds=0.001, monotonic=time.monotonic).wait({}, 0.01) is False


def test_waiting_is_over_when_another_producer_has_put_something() -> None:
    kinesis = FakeKinesis()
    log = log_of(kinesis, poll_seconds=0.001)
    assert log.wait({}, 0) is False

    kinesis.put(of(*events(0, 1)))

    assert log.wait({}, 5) is True


def test_what_comes_while_the_end_is_looked_for_is_not_passed_over_by_since(monkeypatch: pytest.MonkeyPatch) -> None:
    kinesis = FakeKinesis()
    told = filled(kinesis, records=1)
    log = log_of(kinesis)
    too_early = iter((True,))
    looked = ShardReader._first_since

    def first_since(reader: ShardReader, shard: StreamShard, arrived_us: int) -> int | None:
        return None if next(too_early, False) else looked(reader, shard, arrived_us)

    monkeypatch.setattr(ShardReader, "_first_since", first_since)

    assert read_all(log, after=log.since(SHARD, BEGIN_US)) == told
