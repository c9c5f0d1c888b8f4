"""Kinesis records as batches: every user record is an event, or is told of with its bytes."""

from base64 import b64encode
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
import zstandard
from hypothesis import given
from hypothesis import strategies as st

from pipeline.log.kinesis import Kind, Unreadable, batches_of, user_record
from pipeline.log.kinesis.decoding import ALL_KEYS, Decoded, Stored, decode
from pipeline.log.kinesis.kpl import MAGIC, hash_of
from pipeline.log.port import Position
from schemas import codec
from schemas.envelope import Envelope
from tests.log.kinesis.producing import aggregate, flawed, of
from tests.log.made_up import NOON_US, event, valid_envelopes

FOREIGN = b'{"detail-type":"a finding of somebody else"}'


def decoded(*records: bytes, keys: range = ALL_KEYS) -> Decoded:
    return decode("s", [Stored(100 + n, data, NOON_US + n) for n, data in enumerate(records)], keys)


def events_of(found: Decoded) -> list[Envelope]:
    return [record.event for record in found.batch.records()]


def kinds_of(found: Decoded) -> list[tuple[Position, Kind, bytes]]:
    return [(one.position, one.kind, one.payload) for one in found.unreadable]


@given(st.lists(valid_envelopes, max_size=8), st.booleans())
def test_events_come_out_as_they_went_in(told: list[Envelope], compress: bool) -> None:  # noqa: FBT001
    data = aggregate(*((one.subject, user_record.encode(one, compress=compress)) for one in told))

    assert told == events_of(decoded(data))


def test_positions_count_the_user_records_of_each_record() -> None:
    found = decoded(of(event(1), event(2)), codec.encode(event(3)), of(event(4)))

    assert [Position("s", 100, 0), Position("s", 100, 1), Position("s", 101), Position("s", 102)] == found.batch.positions
    assert found.batch.recorded_us == [NOON_US, NOON_US, NOON_US + 1, NOON_US + 2]
    assert [[f"arn:{number}", "arn:all"] for number in (1, 2, 3, 4)] == found.batch.columns.resources


def test_a_user_record_is_plain_json_in_its_canonical_form() -> None:
    assert codec.encode(event(1)) == user_record.encode(event(1))


def test_what_is_foreign_is_told_and_moves_no_position() -> None:
    found = decoded(aggregate(("a", FOREIGN), ("b", codec.encode(event(1)))), FOREIGN, b"")

    assert [Position("s", 100, 1)] == found.batch.positions
    assert [
        (Position("s", 100, 0), Kind.FOREIGN, FOREIGN),
        (Position("s", 101), Kind.FOREIGN, FOREIGN),
        (Position("s", 102), Kind.FOREIGN, b""),
    ] == kinds_of(found)


def test_a_damaged_aggregate_is_told_whole_and_the_records_around_it_are_read() -> None:
    broken = of(event(2))[:-1] + b"?"

    found = decoded(of(event(1)), broken, MAGIC, of(event(3)))

    assert [event(1), event(3)] == events_of(found)
    assert [(Position("s", 101), Kind.DAMAGED, broken), (Position("s", 102), Kind.DAMAGED, MAGIC)] == kinds_of(found)


def test_a_flawed_user_record_is_told_and_those_around_it_are_read() -> None:
    one, two, three = (codec.encode(event(number)) for number in (1, 2, 3))

    found = decoded(flawed(one, two, three))

    assert [(Position("s", 100, 0), event(1)), (Position("s", 100, 2), event(3))] == [
        (record.position, record.event) for record in found.batch.records()
    ]
    assert [(Position("s", 100, 1), Kind.DAMAGED, two)] == kinds_of(found)


def test_a_user_record_of_another_shards_keys_is_a_stray() -> None:
    mine, other = event(1, subject="mine"), event(2, subject="other")
    here = hash_of(b"mine")

    found = decoded(of(mine, other), keys=range(here, here + 1))

    assert [mine] == events_of(found)
    assert [(Position("s", 100, 1), Kind.STRAY, codec.encode(other))] == kinds_of(found)


def test_a_plain_record_is_never_a_stray_for_the_service_put_it_there() -> None:
    assert [event(1)] == events_of(decoded(codec.encode(event(1)), keys=range(1)))


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (zstandard.compress(b"\0" * (17 << 20)), "unpacks to 17825792 bytes"),
        (zstandard.compress(codec.encode(event(1)))[:-9], "cannot be unpacked"),
        (zstandard.compress(FOREIGN), "specversion"),
        (b"\x28\xb5\x2f\xfd", "cannot be unpacked"),
    ],
)
def test_a_frame_that_holds_no_event_is_told(frame: bytes, reason: str) -> None:
    (told,) = decoded(frame).unreadable

    assert (Kind.FOREIGN, frame) == (told.kind, told.payload)
    assert reason in told.reason


@given(st.lists(st.binary(max_size=60) | st.binary(max_size=60).map(MAGIC.__add__) | st.sampled_from([of(event(1)), FOREIGN])))
def test_no_bytes_are_passed_in_silence(records: Sequence[bytes]) -> None:
    found = decoded(*records)

    assert {100 + n for n in range(len(records))} == {
        p.sequence for p in (*found.batch.positions, *(u.position for u in found.unreadable))
    }


@given(valid_envelopes, st.data())
def test_no_change_to_an_event_makes_reading_fail(told: Envelope, data: st.DataObject) -> None:
    text = bytearray(codec.encode(told))
    text[data.draw(st.integers(0, len(text) - 1))] = data.draw(st.integers(0, 255))

    found = decoded(bytes(text))

    assert len(found.batch) + len(found.unreadable) == 1


def lambda_record(shard: str, sequence: int, data: bytes) -> dict[str, Any]:
    """As in "Process Amazon Kinesis Data Streams records with Lambda"."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "1",
            "sequenceNumber": str(sequence),
            "data": b64encode(data).decode(),
            "approximateArrivalTimestamp": 1545084650.987,
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{sequence}",
        "eventName": "aws:kinesis:record",
    }


def test_an_invocation_is_a_batch_a_shard_with_the_sequence_numbers_to_report() -> None:
    sequence = 49590338271490256608559692538361571095921575989136588898
    records = [
        lambda_record("shardId-000000000006", sequence, of(event(1), event(2))),
        lambda_record("shardId-000000000007", 7, of(event(3))),
        lambda_record("shardId-000000000006", sequence + 5, FOREIGN),
    ]

    six, seven = batches_of(orjson.loads(orjson.dumps({"Records": records})))

    assert [Position("shardId-000000000006", sequence, sub) for sub in (0, 1)] == six.batch.positions
    assert str(sequence) == str(six.batch.positions[0].sequence)
    assert six.batch.recorded_us == [1_545_084_650_987_000] * 2
    assert [event(1), event(2)] == events_of(six)
    assert [event(3)] == events_of(seven)
    assert [Unreadable(Position("shardId-000000000006", sequence + 5), Kind.FOREIGN, FOREIGN, six.unreadable[0].reason)] == list(
        six.unreadable
    )


def test_an_invocation_knows_strays_if_it_knows_the_shards_keys() -> None:
    told = {"Records": [lambda_record("s", 1, of(event(1), event(2, subject="other")))]}
    here = hash_of(b"alarm/a")

    assert [event(1), event(2, subject="other")] == events_of(batches_of(told)[0])
    assert [event(1)] == events_of(batches_of(told, lambda _: range(here, here + 1))[0])
