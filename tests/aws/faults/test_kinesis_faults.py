"""What boto3 makes of each fault of Kinesis, and what the server has stored meanwhile."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError, HTTPClientError, ReadTimeoutError

from tests.aws.clients import Server
from tests.aws.faults import kinesis as faults
from tests.aws.faults.connection import (
    dropped_after,
    dropped_before,
    failed_after,
    internal_failure,
    meanwhile,
    silent_after,
    silent_before,
)
from tests.aws.faults.exchange import Fault
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import Rule, Script
from tests.aws.streams import stream, wait_until_active

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, PutRecordsOutputTypeDef


class Shore:
    """A stream of one shard, and two ways to it: one through the faults, one beside them."""

    def __init__(self, name: str, faulty: "KinesisClient", honest: "KinesisClient", script: Script) -> None:
        self.name = name
        self.faulty = faulty
        self.honest = honest
        self.script = script

    def put(self, *texts: bytes) -> "PutRecordsOutputTypeDef":
        return self.faulty.put_records(StreamName=self.name, Records=[{"Data": text, "PartitionKey": "a"} for text in texts])

    def iterator(self) -> str:
        (shard,) = self.honest.list_shards(StreamName=self.name)["Shards"]
        start = self.honest.get_shard_iterator(StreamName=self.name, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        return start["ShardIterator"]

    def stored(self) -> list[bytes]:
        return texts(self.honest.get_records(ShardIterator=self.iterator()))


def texts(answer: "GetRecordsOutputTypeDef") -> list[bytes]:
    return [record["Data"] for record in answer["Records"]]


@contextmanager
def shore(server: Server, operation: str, fault: Fault, *, read_timeout_seconds: float = 20.0) -> Iterator[Shore]:
    """The fault strikes the first call of its operation."""
    script = Script(Rule(operation, fault, times=1))
    honest = server.client("kinesis")
    with stream(honest) as name, faulty(server, script) as shaky:
        yield Shore(name, shaky.client("kinesis", read_timeout_seconds=read_timeout_seconds), honest, script)


@pytest.mark.parametrize(
    ("fault", "code"),
    [
        (faults.throttled(), "ProvisionedThroughputExceededException"),
        (internal_failure(), "InternalFailure"),
    ],
    ids=["throttled", "internal failure"],
)
def test_a_refused_put_names_its_reason_and_stores_nothing(kinesalite: Server, fault: Fault, code: str) -> None:
    with shore(kinesalite, "PutRecords", fault) as ours:
        with pytest.raises(ClientError) as refusal:
            ours.put(b"a")

        assert refusal.value.response["Error"]["Code"] == code
        assert ours.stored() == []
        assert ours.script.injected == {fault.name: 1}


def test_a_put_may_be_stored_though_it_was_answered_with_an_error(kinesalite: Server) -> None:
    with shore(kinesalite, "PutRecords", failed_after()) as ours:
        with pytest.raises(ClientError):
            ours.put(b"a")

        assert ours.stored() == [b"a"]


@pytest.mark.parametrize(
    ("fault", "reason", "stored"),
    [
        (dropped_before(), ConnectionClosedError, []),
        (dropped_after(), ConnectionClosedError, [b"a"]),
        (silent_before(), ReadTimeoutError, []),
        (silent_after(), ReadTimeoutError, [b"a"]),
    ],
    ids=["dropped before", "dropped after", "silent before", "silent after"],
)
def test_a_put_without_an_answer_may_be_stored_or_not(
    kinesalite: Server, fault: Fault, reason: type[HTTPClientError], stored: list[bytes]
) -> None:
    with shore(kinesalite, "PutRecords", fault, read_timeout_seconds=0.3) as ours:
        with pytest.raises(reason):
            ours.put(b"a")

        assert ours.stored() == stored


def test_a_partial_failure_stores_what_it_does_not_report_and_answers_in_order(kinesalite: Server) -> None:
    sent = [b"%d" % number for number in range(40)]
    with shore(kinesalite, "PutRecords", faults.partial_failure(0.5)) as ours:
        told = ours.put(*sent)

        accepted = [text for text, answer in zip(sent, told["Records"], strict=True) if "SequenceNumber" in answer]
        numbers = [int(answer["SequenceNumber"]) for answer in told["Records"] if "SequenceNumber" in answer]
        assert ours.stored() == accepted
        assert numbers == sorted(numbers)
        assert told["FailedRecordCount"] == 40 - len(accepted)
        assert 10 < len(accepted) < 30


@pytest.mark.parametrize(("share", "stored"), [(0.0, 2), (1.0, 0)])
def test_a_partial_failure_fails_one_record_at_least_and_all_at_most(kinesalite: Server, share: float, stored: int) -> None:
    with shore(kinesalite, "PutRecords", faults.partial_failure(share)) as ours:
        told = ours.put(b"a", b"b", b"c")

        assert told["FailedRecordCount"] == 3 - stored
        assert len(ours.stored()) == stored


def test_a_partial_failure_leaves_a_server_s_own_refusal_as_it_is(kinesalite: Server) -> None:
    with shore(kinesalite, "PutRecords", faults.partial_failure(0.0)) as ours:
        ours.name = "nowhere"

        with pytest.raises(ours.faulty.exceptions.ResourceNotFoundException):
            ours.put(b"a", b"b")


def test_a_put_that_is_stored_twice_is_answered_once(kinesalite: Server) -> None:
    with shore(kinesalite, "PutRecords", faults.stored_twice()) as ours:
        told = ours.put(b"a", b"b")

        assert told["FailedRecordCount"] == 0
        assert ours.stored() == [b"a", b"b", b"a", b"b"]


def test_an_iterator_expires_and_a_new_one_goes_on(kinesalite: Server) -> None:
    with shore(kinesalite, "GetRecords", faults.expired_iterator()) as ours:
        ours.put(b"a")

        with pytest.raises(ours.faulty.exceptions.ExpiredIteratorException):
            ours.faulty.get_records(ShardIterator=ours.iterator())

        assert texts(ours.faulty.get_records(ShardIterator=ours.iterator())) == [b"a"]


def test_an_empty_answer_that_claims_to_be_at_the_tip_passes_nothing_over(kinesalite: Server) -> None:
    with shore(kinesalite, "GetRecords", faults.empty()) as ours:
        ours.put(b"a")

        first = ours.faulty.get_records(ShardIterator=ours.iterator())
        second = ours.faulty.get_records(ShardIterator=first["NextShardIterator"])

        assert (texts(first), first["MillisBehindLatest"]) == ([], 0)
        assert texts(second) == [b"a"]


def test_a_repeated_answer_comes_again_and_then_no_more(kinesalite: Server) -> None:
    with shore(kinesalite, "GetRecords", faults.repeated()) as ours:
        ours.put(b"a")

        first = ours.faulty.get_records(ShardIterator=ours.iterator())
        second = ours.faulty.get_records(ShardIterator=first["NextShardIterator"])
        third = ours.faulty.get_records(ShardIterator=second["NextShardIterator"])

        assert [texts(answer) for answer in (first, second, third)] == [[b"a"], [b"a"], []]


def test_a_doubled_answer_holds_its_records_twice(kinesalite: Server) -> None:
    with shore(kinesalite, "GetRecords", faults.doubled()) as ours:
        ours.put(b"a", b"b")

        assert texts(ours.faulty.get_records(ShardIterator=ours.iterator())) == [b"a", b"b", b"a", b"b"]


@pytest.mark.parametrize("fault", [faults.repeated(), faults.doubled()], ids=["repeated", "doubled"])
def test_a_refusal_of_the_server_is_not_repeated(kinesalite: Server, fault: Fault) -> None:
    with shore(kinesalite, "GetRecords", fault) as ours, pytest.raises(ClientError):
        ours.faulty.get_records(ShardIterator="none")


def test_a_shard_can_split_under_its_reader(kinesis_local: Server) -> None:
    def split() -> None:
        (shard,) = ours.honest.list_shards(StreamName=ours.name)["Shards"]
        ours.honest.split_shard(StreamName=ours.name, ShardToSplit=shard["ShardId"], NewStartingHashKey=str(1 << 127))
        wait_until_active(ours.honest, ours.name)

    with shore(kinesis_local, "GetRecords", meanwhile("split", split)) as ours:
        ours.put(b"a")
        read = ours.faulty.get_records(ShardIterator=ours.iterator())
        shards = ours.honest.list_shards(StreamName=ours.name)["Shards"]

        assert texts(read) == [b"a"]
        assert [shard.get("ParentShardId") for shard in shards] == [None, shards[0]["ShardId"], shards[0]["ShardId"]]


def test_what_a_hook_raises_comes_out_at_the_end(kinesalite: Server) -> None:
    def fail() -> None:
        message = "this hook has a mistake"
        raise LookupError(message)

    with (
        pytest.raises(LookupError, match="this hook has a mistake"),
        shore(kinesalite, "PutRecords", meanwhile("mistake", fail)) as ours,
        pytest.raises(ConnectionClosedError),
    ):
        ours.put(b"a")
