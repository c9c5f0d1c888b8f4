"""The KPL format: what the reference library writes and reads, exact sizes, and nothing lost where that library loses."""

from base64 import b64decode

import pytest
from aws_kinesis_agg.aggregator import RecordAggregator  # type: ignore[import-untyped]
from aws_kinesis_agg.deaggregator import iter_deaggregate_records  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from pipeline.log.kinesis import kpl
from pipeline.log.kinesis.kpl import MAX_RECORD_BYTES, Aggregate, Damaged, UserRecord, expand, hash_of
from tests.log.kinesis.producing import aggregate, sealed

user_records = st.lists(st.tuples(st.text(min_size=1, max_size=300), st.binary(max_size=300)), min_size=1, max_size=200)


@given(user_records)
def test_what_is_aggregated_comes_out_in_order_with_the_hash_of_its_key(records: list[tuple[str, bytes]]) -> None:
    assert [UserRecord(data, hash_of(key.encode())) for key, data in records] == expand(aggregate(*records))


@given(user_records)
def test_the_reference_library_reads_ours(records: list[tuple[str, bytes]]) -> None:
    put = {"Data": aggregate(*records), "PartitionKey": "a", "SequenceNumber": "1", "ApproximateArrivalTimestamp": 1}

    read = [one["kinesis"] for one in iter_deaggregate_records([put], data_format="Boto3")]

    assert records == [(one["partitionKey"], b64decode(one["data"])) for one in read]


@given(user_records)
def test_ours_reads_the_reference_librarys(records: list[tuple[str, bytes]]) -> None:
    aggregator = RecordAggregator()
    for key, data in records:
        assert aggregator.add_user_record(key.encode(), data) is None
    _, _, data = aggregator.clear_and_get().get_contents()

    assert [UserRecord(data, hash_of(key.encode())) for key, data in records] == expand(data)


@given(user_records, st.integers(100, 20_000))
def test_an_aggregate_is_exactly_as_large_as_it_may_be(records: list[tuple[str, bytes]], most_bytes: int) -> None:
    filling = Aggregate(most_bytes)
    taken = [record for record in records if filling.add(record[0].encode(), record[1])]

    data = filling.encode()

    assert len(data) + len(kpl.PARTITION_KEY) <= most_bytes
    assert [one for _, one in taken] == [one.data for one in expand(data)]


@pytest.mark.parametrize("size", [1_048_544, 1_048_543, 1_048_536])
def test_a_user_record_of_a_whole_record_fits_to_the_byte(size: int) -> None:
    """One more byte of data makes one more byte of record: the largest that is taken fills it."""
    largest = next(n for n in range(MAX_RECORD_BYTES, 0, -1) if Aggregate().add(b"k", b"x" * n))
    filling = Aggregate()

    assert filling.add(b"k", b"x" * largest)
    assert len(filling.encode()) + 1 == MAX_RECORD_BYTES
    assert Aggregate().add(b"k", b"x" * size) is (size <= largest)


def test_a_key_is_written_once() -> None:
    apart, together = aggregate(("k" * 100, b"1"), ("l" * 100, b"2")), aggregate(("k" * 100, b"1"), ("k" * 100, b"2"))

    assert len(apart) - len(together) == 102


def test_more_keys_than_one_byte_counts_keep_their_records() -> None:
    records = [(f"key-{number % 300}", b"%d" % number) for number in range(1_000)]

    assert [hash_of(key.encode()) for key, _ in records] == [one.hash_key for one in expand(aggregate(*records))]


def test_an_explicit_hash_key_counts_for_its_record_alone() -> None:
    """In the reference library a record without one inherits the first one's."""
    filling = RecordAggregator()
    filling.add_user_record(b"k", b"1", "7")
    filling.add_user_record(b"k", b"2")
    message = kpl._AGGREGATE.FromString(filling.clear_and_get().get_contents()[2][4:-16])
    message.records[1].ClearField("explicit_hash_key_index")

    found = expand(sealed(message.SerializeToString()))

    assert [7, hash_of(b"k")] == [one.hash_key for one in found]


@pytest.mark.parametrize(
    ("keys", "explicit", "record", "flaw"),
    [
        ([b"k"], [], {"partition_key_index": 1}, "its partition key has the index 1 in a table of 1"),
        ([b"k"], [], {"partition_key_index": 2**60}, "its partition key has the index 1152921504606846976 in a table of 1"),
        ([b"k"], [b"7"], {"explicit_hash_key_index": 1}, "its explicit hash key has the index 1 in a table of 1"),
        ([b"k"], [b"x"], {"explicit_hash_key_index": 0}, "its explicit hash key is not a number"),
        ([b"k"], [b"\xb2"], {"explicit_hash_key_index": 0}, "its explicit hash key is not a number"),
    ],
)
def test_a_flaw_in_one_user_record_leaves_the_others(
    keys: list[bytes], explicit: list[bytes], record: dict[str, int], flaw: str
) -> None:
    message = kpl._AGGREGATE(partition_key_table=keys, explicit_hash_key_table=explicit)
    message.records.add(partition_key_index=0, data=b"before")
    message.records.add(data=b"flawed", **{"partition_key_index": 0} | record)
    message.records.add(partition_key_index=0, data=b"behind")

    before, flawed, behind = expand(sealed(message.SerializeToString()))

    assert (before.data, behind.data, before.flaw, behind.flaw) == (b"before", b"behind", "", "")
    assert (b"flawed", flaw) == (flawed.data, flawed.flaw)


@pytest.mark.parametrize("end", [*range(4, 30, 5), -1, -16])
def test_a_truncated_aggregate_is_damaged(end: int) -> None:
    with pytest.raises(Damaged, match="MD5"):
        expand(aggregate(("k", b"1"), ("l", b"2"))[:end])


@given(st.integers(4, 60), st.integers(1, 255))
def test_a_changed_byte_is_noticed(at: int, change: int) -> None:
    data = bytearray(aggregate(("key", b"some data"), ("other", b"some more data")))
    data[at % (len(data) - 4) + 4 if at >= len(data) else at] ^= change

    with pytest.raises(Damaged, match="MD5"):
        expand(bytes(data))


@pytest.mark.parametrize("message", [b"\x1a\xff", b"\x1a\x02\x08\x00", b"\xff" * 20])
def test_a_message_that_is_no_protobuf_is_damaged(message: bytes) -> None:
    with pytest.raises(Damaged, match="protobuf"):
        expand(sealed(message))


def test_an_aggregate_of_nothing_holds_nothing() -> None:
    assert expand(sealed(b"")) == []
