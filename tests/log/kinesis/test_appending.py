"""Appending: what stands is accepted where it stands, what fails is tried again in order, limits are those of the service."""

from collections.abc import Callable, Iterable

import pytest

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import KinesisLog
from pipeline.log.kinesis.kpl import MAX_RECORD_BYTES, hash_of, is_aggregate
from pipeline.log.port import Outcome, Receipt
from schemas import codec
from schemas.envelope import Envelope
from tests.aws.fake_kinesis import FIRST, FakeKinesis, Machine, Trouble, log_of, refusal
from tests.log.made_up import event, events


def in_turn(*troubles: Trouble) -> Callable[[str], Trouble]:
    """These troubles with the first puts, then none."""
    left = iter(troubles)
    return lambda call: next(left, Trouble.NONE) if call == "put_records" else Trouble.NONE


def always(trouble: Trouble, calls: Iterable[str] = ("put_records",)) -> Callable[[str], Trouble]:
    return lambda call: trouble if call in calls else Trouble.NONE


def large(number: int, size: int, **header: str) -> Envelope:
    """An event whose plain record has exactly this size."""
    bare = event(number, resources=("",), **header)
    rest = size - len(codec.encode(bare)) - len(bare.subject.encode())
    return event(number, resources=("x" * rest,), **header)


def outcomes(receipts: Iterable[Receipt]) -> list[Outcome]:
    return [receipt.outcome for receipt in receipts]


def stands(log: KinesisLog, receipts: Iterable[Receipt]) -> list[Envelope | None]:
    """What is at the receipts' positions."""
    found = log.fetch([receipt.position for receipt in receipts if receipt.position])
    return [record.event if record else None for record in found]


def test_events_of_a_shard_share_a_record() -> None:
    kinesis = FakeKinesis(2)
    log = log_of(kinesis)

    receipts = log.append(events(0, 100))

    assert [len(put) for put in kinesis.puts] == [2]
    assert {"a"} == {record["PartitionKey"] for record in kinesis.puts[0]}
    assert events(0, 100) == stands(log, receipts)


def test_a_single_event_is_a_plain_record_under_its_subject() -> None:
    kinesis = FakeKinesis(2)

    log_of(kinesis).append([event(1)])

    assert [[codec.encode(event(1)), "alarm/a"]] == [[record["Data"], record["PartitionKey"]] for record in kinesis.puts[0]]


@pytest.mark.parametrize("subject", ["s" * 257, "é" * 2048])
def test_a_subject_longer_than_a_partition_key_goes_where_its_whole_hash_says(subject: str) -> None:
    kinesis = FakeKinesis(16)
    log = log_of(kinesis)
    told = [event(1, subject=subject), event(2, subject=subject)]

    receipts = [*log.append(told[:1]), *log.append(told), *log.append(told[1:])]

    assert {kinesis.owner(hash_of(subject.encode())).id} == {receipt.position.shard for receipt in receipts if receipt.position}
    assert [told[0], *told, told[1]] == stands(log, receipts)


def test_an_event_that_fills_a_record_to_the_byte_is_stored() -> None:
    log = log_of(FakeKinesis())
    told = [event(0), large(1, MAX_RECORD_BYTES), event(2), large(3, MAX_RECORD_BYTES - 20), event(4)]

    receipts = log.append(told)

    assert told == stands(log, receipts)


def test_an_event_of_one_byte_more_has_failed_with_the_reason_and_the_others_stand() -> None:
    log = log_of(FakeKinesis())

    before, larger, behind = log.append([event(0), large(1, MAX_RECORD_BYTES + 1), event(2)])

    assert [event(0), event(2)] == stands(log, [before, behind])
    assert (larger.outcome, larger.position) == (Outcome.REFUSED, None)
    assert "takes 1048577 bytes with its partition key, and a Kinesis record 1048576 at most" in larger.reason


def test_an_event_that_is_too_large_alone_is_no_outage() -> None:
    kinesis = FakeKinesis()

    assert outcomes(log_of(kinesis).append([large(1, MAX_RECORD_BYTES + 1)])) == [Outcome.REFUSED]
    assert kinesis.puts == []


def test_an_event_that_is_too_large_may_fit_compressed() -> None:
    log = log_of(FakeKinesis(), compress_bodies=True)
    told = [large(1, MAX_RECORD_BYTES + 1), event(2)]

    assert told == stands(log, log.append(told))


def test_an_event_that_no_reader_would_unpack_is_refused_however_small_it_packs() -> None:
    kinesis = FakeKinesis()

    assert outcomes(log_of(kinesis, compress_bodies=True).append([large(1, 17 << 20)])) == [Outcome.REFUSED]
    assert kinesis.puts == []


def test_a_call_holds_at_most_500_records() -> None:
    kinesis = FakeKinesis(1100)
    told = [event(number, subject=f"s/{number}") for number in range(6_000)]

    receipts = log_of(kinesis).append(told)

    assert {Outcome.ACCEPTED} == set(outcomes(receipts))
    assert [len(put) for put in kinesis.puts[:2]] == [500, 500]


def test_a_call_holds_at_most_5_mib() -> None:
    """Seven shards with a record of nearly a MiB each: five fit, exactly."""
    kinesis = FakeKinesis(7)
    subjects: dict[str, str] = {}
    for number in range(1_000):
        subjects.setdefault(kinesis.owner(hash_of(b"s/%d" % number)).id, f"s/{number}")
    told = [large(number, MAX_RECORD_BYTES, subject=subject) for number, subject in enumerate(subjects.values())]

    receipts = log_of(kinesis).append(told)

    assert {Outcome.ACCEPTED} == set(outcomes(receipts))
    assert [len(put) for put in kinesis.puts] == [5, 2]


def test_a_record_is_no_larger_than_the_setting() -> None:
    kinesis = FakeKinesis()

    log_of(kinesis, aggregate_bytes=10_000).append(events(0, 100))

    sizes = [len(record["Data"]) + 1 for put in kinesis.puts for record in put]
    assert max(sizes) <= 10_000 < sizes[0] + 1_000


@pytest.mark.parametrize(
    "trouble",
    [Trouble.THROTTLED, Trouble.FAULT, Trouble.UNREACHABLE, Trouble.TIME_OUT, Trouble.TIME_OUT_AFTER, Trouble.SOME_FAIL],
)
def test_what_passes_is_tried_again_until_it_stands(trouble: Trouble) -> None:
    kinesis, machine = FakeKinesis(), Machine()
    kinesis.trouble = in_turn(trouble, trouble, trouble)
    log = log_of(kinesis, machine)

    receipts = log.append(events(0, 20))

    assert events(0, 20) == stands(log, receipts)
    assert pytest.approx(machine.slept) == [0.05, 0.1, 0.2]


def test_what_failed_is_sent_again_as_it_was_while_other_shards_go_on() -> None:
    kinesis = FakeKinesis(2)
    kinesis.trouble = in_turn(Trouble.SOME_FAIL)

    log_of(kinesis, aggregate_bytes=2_000).append(events(0, 40))

    first, second = kinesis.puts[:2]
    assert [len(first), len(second)] == [2, 1]
    assert second[0] not in first
    assert first[0] in [record for put in kinesis.puts[2:] for record in put]


def test_a_shard_never_has_two_records_in_one_call() -> None:
    kinesis = FakeKinesis(2)

    log_of(kinesis, aggregate_bytes=1_000).append(events(0, 100))

    owners = [[kinesis.owner(int(record["ExplicitHashKey"])).id for record in put] for put in kinesis.puts]
    assert len(owners) > 10
    assert all(len(set(put)) == len(put) for put in owners)


def test_a_shard_that_stays_throttled_fails_alone_at_the_deadline() -> None:
    kinesis, machine = FakeKinesis(2), Machine()
    kinesis.trouble = always(Trouble.SOME_FAIL)  # with one record left in a call, that is the one
    log = log_of(kinesis, machine, deadline_seconds=10)

    receipts = log.append(events(0, 20))

    assert set(outcomes(receipts)) == {Outcome.ACCEPTED, Outcome.FAILED}
    assert {"not stored within 10 s, and not known to be: ProvisionedThroughputExceededException: Rate exceeded"} == {
        receipt.reason for receipt in receipts if receipt.outcome is Outcome.FAILED
    }
    assert pytest.approx(machine.seconds) == 10


def test_what_was_not_stored_by_the_deadline_at_all_is_an_outage() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    kinesis.trouble = always(Trouble.TIME_OUT)

    with pytest.raises(LogUnavailable, match="not stored within 30 s, and not known to be: Read timeout"):
        log_of(kinesis, machine).append(events(0, 3))

    assert pytest.approx(machine.seconds) == 30
    assert max(machine.slept) == pytest.approx(2.5)


def test_what_no_retry_mends_is_said_at_once() -> None:
    kinesis, machine = FakeKinesis(), Machine()

    def refuse(call: str) -> None:
        if call == "put_records":
            error = refusal("PutRecords", "AccessDeniedException")
            raise error

    kinesis.meanwhile = refuse

    with pytest.raises(LogUnavailable, match="AccessDenied"):
        log_of(kinesis, machine).append(events(0, 3))

    assert machine.slept == []


def split_once(kinesis: FakeKinesis) -> Callable[[str], None]:
    """The first shard is split just before the first put reaches it."""
    left = iter([kinesis.open_shards()[0].id])

    def meanwhile(call: str) -> None:
        if call == "put_records" and (shard := next(left, None)):
            kinesis.split(shard)

    return meanwhile


def test_an_aggregate_that_a_split_tore_apart_is_appended_again_whole() -> None:
    """KCL readers drop such an aggregate whole."""
    kinesis, machine = FakeKinesis(), Machine()
    strays: list[object] = []
    log = log_of(kinesis, machine, on_unreadable=strays.extend)
    kinesis.meanwhile = split_once(kinesis)

    receipts = log.append(events(0, 20))

    assert events(0, 20) == stands(log, receipts)
    left, right = kinesis.open_shards()
    assert {left.id, right.id} == {receipt.position.shard for receipt in receipts if receipt.position}
    assert [len(put) for put in kinesis.puts] == [1, 2]
    assert len(machine.slept) == 1
    readable = sum(len(log.read(shard.id, None, 100)) for shard in (left, right))
    assert readable + len(strays) == 40
    assert strays


def test_an_aggregate_that_a_merge_took_elsewhere_stands() -> None:
    kinesis = FakeKinesis(2)
    log = log_of(kinesis, refresh_seconds=1e9)
    log.append([event(0)])
    kinesis.merge(*kinesis.open_shards())

    receipts = log.append(events(1, 20))

    (child,) = kinesis.open_shards()
    assert {child.id} == {receipt.position.shard for receipt in receipts if receipt.position}
    assert [len(put) for put in kinesis.puts] == [1, 2]
    assert events(1, 20) == stands(log, receipts)


def test_a_stream_without_an_open_shard_takes_nothing() -> None:
    kinesis = FakeKinesis()
    kinesis.shards["shardId-000000000000"].closed = True

    with pytest.raises(LogUnavailable, match="no open shard"):
        log_of(kinesis).append([event(1)])


def test_what_the_map_cannot_be_asked_for_is_not_known_to_be_stored() -> None:
    kinesis, machine = FakeKinesis(), Machine()
    log = log_of(kinesis, machine, refresh_seconds=1e9)
    log.append([event(0)])
    kinesis.split("shardId-000000000000")
    kinesis.trouble = always(Trouble.THROTTLED, ["list_shards"])

    with pytest.raises(LogUnavailable, match="ProvisionedThroughputExceeded"):
        log.append([event(1), event(2)])

    assert sum(len(shard.records) for shard in kinesis.open_shards()) == 1


def test_a_position_has_the_sequence_number_that_the_service_gave() -> None:
    (receipt,) = log_of(FakeKinesis()).append([event(1)])

    assert receipt.position
    assert receipt.position.sequence > FIRST
    assert not is_aggregate(codec.encode(event(1)))
