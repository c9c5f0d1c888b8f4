import base64
from collections.abc import Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.aws.clients import Server
from tests.aws.event_source import EventSource
from tests.aws.faults.connection import dropped_before, internal_failure
from tests.aws.faults.kinesis import empty, expired_iterator, repeated, throttled
from tests.aws.faults.proxy import faulty
from tests.aws.faults.script import Rule, Script
from tests.aws.invocation import Disturbance, Killed, StillFailing
from tests.aws.shards import Checkpoints
from tests.aws.streams import stream, wait_until_active

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient


class Function:
    """Keeps the batches that it was given, and answers or raises what stands in its list of answers; then it succeeds."""

    def __init__(self, *answers: Any) -> None:
        self.events: list[dict[str, Any]] = []
        self.answers = list(answers)

    def __call__(self, event: dict[str, Any], _: Any) -> Any:
        self.events.append(event)
        answer = self.answers.pop(0) if self.answers else None
        if isinstance(answer, Exception):
            raise answer
        return answer(event) if callable(answer) else answer

    @property
    def batches(self) -> list[str]:
        """The texts of each batch, joined."""
        return ["".join(texts(event)) for event in self.events]


def texts(event: dict[str, Any]) -> list[str]:
    return [base64.b64decode(record["kinesis"]["data"]).decode() for record in event["Records"]]


def reporting(*wanted: str) -> Any:
    """An answer that reports the records with these texts."""

    def answer(event: dict[str, Any]) -> dict[str, Any]:
        numbers = [record["kinesis"]["sequenceNumber"] for record in event["Records"]]
        failed = [number for number, text in zip(numbers, texts(event), strict=True) if text in wanted]
        return {"batchItemFailures": [{"itemIdentifier": number} for number in reversed(failed)]}

    return answer


class Clock:
    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def put(kinesis: "KinesisClient", name: str, letters: str) -> None:
    kinesis.put_records(StreamName=name, Records=[{"Data": letter.encode(), "PartitionKey": letter} for letter in letters])


@pytest.fixture
def kinesis(kinesalite: Server) -> "KinesisClient":
    return kinesalite.client("kinesis")


@pytest.fixture
def name(kinesis: "KinesisClient") -> Iterator[str]:
    with stream(kinesis) as name:
        yield name


def test_a_function_gets_records_as_lambda_gives_them(kinesis: "KinesisClient", name: str) -> None:
    stored = kinesis.put_record(StreamName=name, Data=b"hello", PartitionKey="key")
    function = Function()

    EventSource(kinesis, name, function).drain()

    ((record,),) = (event["Records"] for event in function.events)
    assert record["kinesis"].pop("approximateArrivalTimestamp") > 1_600_000_000
    assert record == {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": "key",
            "sequenceNumber": stored["SequenceNumber"],
            "data": "aGVsbG8=",
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"shardId-000000000000:{stored['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": "arn:aws:iam::123456789012:role/function",
        "awsRegion": "eu-central-1",
        "eventSourceARN": f"arn:aws:kinesis:eu-central-1:123456789012:stream/{name}",
    }


def test_batches_are_in_order_and_of_the_batch_size(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "abcde")
    function = Function()

    EventSource(kinesis, name, function, batch_size=2).drain()

    assert function.batches == ["ab", "cd", "e"]


def test_a_batch_ends_before_its_event_measures_more_than_6_mb(kinesis: "KinesisClient", name: str) -> None:
    for letter in "abcdef":
        kinesis.put_record(StreamName=name, Data=letter.encode() * 1_000_000, PartitionKey=letter)
    function = Function()

    EventSource(kinesis, name, function).drain()

    assert [[text[0] for text in texts(event)] for event in function.events] == [["a", "b", "c", "d"], ["e", "f"]]


def test_a_record_larger_than_an_event_may_be_is_delivered_alone(kinesis: "KinesisClient", name: str, monkeypatch: Any) -> None:
    monkeypatch.setattr("tests.aws.event_source.PAYLOAD_BYTES", 10)
    put(kinesis, name, "ab")
    function = Function()

    EventSource(kinesis, name, function).drain()

    assert function.batches == ["a", "b"]


def test_a_batch_waits_for_its_window_or_its_size(kinesis: "KinesisClient", name: str) -> None:
    function, clock = Function(), Clock()
    source = EventSource(kinesis, name, function, batch_size=3, window=timedelta(seconds=10), monotonic_seconds=clock)

    put(kinesis, name, "a")
    source.poll()
    clock.seconds = 109.9
    put(kinesis, name, "b")
    source.poll()
    assert function.batches == []

    clock.seconds = 110.0
    source.poll()
    assert function.batches == ["ab"]

    put(kinesis, name, "cdef")
    source.poll()
    clock.seconds = 119.9
    source.poll()
    assert function.batches == ["ab", "cde"]

    clock.seconds = 120.0
    source.poll()
    assert function.batches == ["ab", "cde", "f"]


def test_a_reported_failure_comes_again_from_the_lowest_on(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "abcde")
    function = Function(reporting("d", "b"))

    EventSource(kinesis, name, function, batch_size=4).drain()

    assert function.batches == ["abcd", "bcd", "e"]


def test_a_failed_batch_is_not_filled_up_and_does_not_wait_for_its_window(kinesis: "KinesisClient", name: str) -> None:
    function = Function(reporting("b"), reporting("b"))
    source = EventSource(kinesis, name, function, batch_size=2, window=timedelta(days=1))

    put(kinesis, name, "ab")
    source.poll()
    source.poll()
    put(kinesis, name, "c")
    source.poll()

    assert function.batches == ["ab", "b", "b"]


@pytest.mark.parametrize("answer", [{"batchItemFailures": [{"itemIdentifier": ""}]}, ValueError("no"), reporting("a")])
def test_a_whole_failure_brings_the_whole_batch_again(kinesis: "KinesisClient", name: str, answer: Any) -> None:
    put(kinesis, name, "ab")
    function = Function(answer)

    EventSource(kinesis, name, function).drain()

    assert function.batches == ["ab", "ab"]


def test_nothing_is_skipped_however_often_it_fails(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "ab")
    function = Function(*[ValueError("no")] * 9)

    EventSource(kinesis, name, function, max_attempts=10).drain()

    assert function.batches == ["ab"] * 10


def test_the_patience_of_a_test_ends_with_the_function_s_error(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "ab")
    function = Function(reporting("b"), *[ValueError("no")] * 3)

    with pytest.raises(StillFailing, match="a batch of 1 failed 3 times") as end:
        EventSource(kinesis, name, function, max_attempts=3).drain()

    assert repr(end.value.__cause__) == "ValueError('no')"


def test_a_new_mapping_goes_on_behind_the_checkpoint(kinesis: "KinesisClient", name: str) -> None:
    first, second, checkpoints = Function(), Function(), Checkpoints()
    put(kinesis, name, "ab")
    EventSource(kinesis, name, first, checkpoints=checkpoints).drain()
    put(kinesis, name, "c")
    EventSource(kinesis, name, second, checkpoints=checkpoints).drain()

    assert (first.batches, second.batches) == (["ab"], ["c"])


def test_a_mapping_killed_before_its_checkpoint_delivers_again_when_restarted(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "abc")
    function, checkpoints = Function(), Checkpoints()
    fates = iter([Disturbance.NONE, Disturbance.KILLED])

    with pytest.raises(Killed):
        EventSource(kinesis, name, function, checkpoints=checkpoints, batch_size=2, disturb=lambda: next(fates)).drain()
    EventSource(kinesis, name, function, checkpoints=checkpoints, batch_size=2).drain()

    assert function.batches == ["ab", "c", "c"]


def test_a_batch_can_come_twice_though_it_succeeded(kinesis: "KinesisClient", name: str) -> None:
    put(kinesis, name, "ab")
    function = Function(lambda _: put(kinesis, name, "c"))
    fates = iter([Disturbance.AGAIN])

    EventSource(kinesis, name, function, disturb=lambda: next(fates, Disturbance.NONE)).drain()

    assert function.batches == ["ab", "ab", "c"]


def test_a_source_runs_until_it_has_delivered_what_is_waited_for(kinesis: "KinesisClient", name: str) -> None:
    function = Function(lambda _: put(kinesis, name, "b"))
    put(kinesis, name, "a")

    EventSource(kinesis, name, function).run_until(lambda: function.batches == ["a", "b"])


def test_what_never_comes_true_ends_at_the_deadline(kinesis: "KinesisClient", name: str) -> None:
    with pytest.raises(AssertionError, match="did not get as far"):
        EventSource(kinesis, name, Function()).run_until(lambda: False, seconds=0.05)


def test_a_stream_that_is_not_there_is_an_error(kinesis: "KinesisClient") -> None:
    with pytest.raises(kinesis.exceptions.ResourceNotFoundException):
        EventSource(kinesis, "nowhere", Function()).poll()


def test_reading_survives_what_passes(kinesalite: Server, name: str) -> None:
    script = Script(
        Rule("ListShards", throttled(), times=1),
        Rule("GetShardIterator", internal_failure(), times=1),
        Rule("GetRecords", expired_iterator(), times=2),
        Rule("GetRecords", dropped_before(), times=2),
        Rule("GetRecords", empty(), times=2),
    )
    function = Function()
    put(kinesalite.client("kinesis"), name, "abc")

    with faulty(kinesalite, script) as shaky:
        source = EventSource(shaky.client("kinesis"), name, function)
        source.run_until(lambda: function.batches == ["abc"])

    assert script.injected == {
        "ProvisionedThroughputExceededException": 1,
        "InternalFailure": 1,
        "ExpiredIteratorException": 2,
        "dropped before": 2,
        "empty": 2,
    }
    assert source.reader.failed_reads == 6
    assert script.calls["GetShardIterator"] == 6, "after each error there is a new iterator"


def test_what_waits_for_its_window_is_not_read_again_when_the_iterator_expires(kinesalite: Server, name: str) -> None:
    kinesis, function = kinesalite.client("kinesis"), Function()
    script = Script(Rule("GetRecords", expired_iterator(), skip=1, times=1))

    with faulty(kinesalite, script) as shaky:
        source = EventSource(shaky.client("kinesis"), name, function, window=timedelta(days=1))
        put(kinesis, name, "a")
        source.poll()
        put(kinesis, name, "b")
        source.poll()
        source.poll()
        assert function.batches == []
        source.drain()

    assert script.injected == {"ExpiredIteratorException": 1}
    assert "".join(function.batches) == "ab"


def test_what_is_read_twice_is_delivered_twice(kinesalite: Server, name: str) -> None:
    function = Function()
    put(kinesalite.client("kinesis"), name, "ab")

    with faulty(kinesalite, Script(Rule("GetRecords", repeated(), times=1))) as shaky:
        EventSource(shaky.client("kinesis"), name, function).drain()

    assert function.batches == ["ab", "ab"]


def test_children_are_read_after_their_parents_also_while_a_parent_fails(kinesis_local: Server) -> None:
    kinesis = kinesis_local.client("kinesis")
    with stream(kinesis) as name:
        put(kinesis, name, "abcd")
        kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
        wait_until_active(kinesis, name)
        put(kinesis, name, "efghijkl")
        kinesis.merge_shards(StreamName=name, ShardToMerge="shardId-000000000001", AdjacentShardToMerge="shardId-000000000002")
        wait_until_active(kinesis, name)
        put(kinesis, name, "mnop")
        function, checkpoints = Function(*[ValueError("no")] * 3), Checkpoints()
        fates = iter([*[Disturbance.NONE] * 6, Disturbance.KILLED])

        with pytest.raises(Killed):
            EventSource(kinesis, name, function, checkpoints=checkpoints, batch_size=2, disturb=lambda: next(fates)).drain()
        EventSource(kinesis, name, function, checkpoints=checkpoints, batch_size=2).drain()

    generations = [{"abcd": 0, "efghijkl": 1, "mnop": 2}[part] for batch in function.batches for part in generation(batch)]
    assert function.batches[:5] == ["ab", "ab", "ab", "ab", "cd"]
    assert generations == sorted(generations)
    assert set("".join(function.batches)) == set("abcdefghijklmnop")
    assert checkpoints.finished == {"shardId-000000000000", "shardId-000000000001", "shardId-000000000002"}


def generation(batch: str) -> list[str]:
    return [letters for letters in ("abcd", "efghijkl", "mnop") if set(batch) & set(letters)]


def test_a_shard_that_splits_while_it_is_read_is_followed_by_its_children(kinesis_local: Server) -> None:
    kinesis = kinesis_local.client("kinesis")

    def split(_: dict[str, Any]) -> None:
        kinesis.split_shard(StreamName=ours, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
        wait_until_active(kinesis, ours)
        put(kinesis, ours, "cdef")

    function = Function(split)
    with stream(kinesis) as ours:
        put(kinesis, ours, "ab")
        EventSource(kinesis, ours, function).drain()

    assert function.batches[0] == "ab"
    assert sorted("".join(function.batches[1:])) == ["c", "d", "e", "f"]


def test_a_parent_that_is_listed_no_more_holds_up_nobody(kinesis_local: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    kinesis = kinesis_local.client("kinesis")
    with stream(kinesis) as name:
        put(kinesis, name, "ab")
        kinesis.split_shard(StreamName=name, ShardToSplit="shardId-000000000000", NewStartingHashKey=str(1 << 127))
        wait_until_active(kinesis, name)
        put(kinesis, name, "cd")
        kept = kinesis.list_shards(StreamName=name)["Shards"][1:]
        monkeypatch.setattr(kinesis, "list_shards", lambda **_: {"Shards": kept})
        function = Function()
        EventSource(kinesis, name, function).drain()

    assert sorted("".join(function.batches)) == ["c", "d"]


def test_shards_on_several_pages_are_all_read(kinesis: "KinesisClient", monkeypatch: pytest.MonkeyPatch) -> None:
    list_shards = kinesis.list_shards

    def page(NextToken: str = "", **_: Any) -> dict[str, Any]:  # noqa: N803  # AWS's name
        shards = list_shards(StreamName=ours)["Shards"]
        return {"Shards": shards[1:]} if NextToken else {"Shards": shards[:1], "NextToken": "more"}

    function = Function()
    with stream(kinesis, shards=3) as ours:
        put(kinesis, ours, "abcdefghij")
        monkeypatch.setattr(kinesis, "list_shards", page)
        EventSource(kinesis, ours, function).drain()

    assert sorted("".join(function.batches)) == list("abcdefghij")
    assert len(function.batches) == 3
