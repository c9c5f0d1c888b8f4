"""A stream in memory with the methods of boto3's client: as strict about limits as AWS, and as troublesome as it may be.

Troubles: ``trouble`` is asked before every call and names what goes wrong with it; ``meanwhile`` is called first, may reshard.
Truth:    what it does right is what the real servers do (``test_log_conformance``); what it does wrong is what AWS documents.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import Enum, auto
from hashlib import md5
from typing import Any

from botocore.exceptions import ClientError, EndpointConnectionError, ReadTimeoutError

from pipeline.log.kinesis import KinesisLog
from tests.aws.kinesis_logs import refuse_unreadable

KEYS = 1 << 128
FIRST = 10**55
BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
BEGIN_US = round(BEGIN.timestamp() * 1e6)


class Trouble(Enum):
    """What may go wrong with a call."""

    NONE = auto()
    THROTTLED = auto()
    FAULT = auto()
    UNREACHABLE = auto()
    TIME_OUT = auto()
    """Nothing was done, and no answer came."""
    TIME_OUT_AFTER = auto()
    """It was done, and no answer came."""
    TIME_OUT_LATE = auto()
    """No answer came, and it is done after the next call."""
    SOME_FAIL = auto()
    """Of a put: every other record, beginning with the first."""
    OTHERS_FAIL = auto()
    """Of a put: every other record, beginning with the second."""
    EXPIRED = auto()
    """Of a read: the iterator."""
    NOTHING_YET = auto()
    """Of a read: no records, although there are some."""
    NOTHING = auto()
    """Of a read: the same, and it says that this was all."""
    AGAIN = auto()
    """Of a read: the records come twice, and the iterator leads to them once more."""


@dataclass
class Record:
    sequence: int
    data: bytes
    key: str
    arrived: datetime


@dataclass
class FakeShard:
    id: str
    parents: tuple[str, ...]
    keys: range
    first: int
    records: list[Record] = field(default_factory=list)
    closed: bool = False


class Machine:
    """Its clock stands still but for sleeping, and its dice show what they are told."""

    def __init__(self, dice: float = 0.5) -> None:
        self.seconds = 0.0
        self.dice = dice
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds

    def now_us(self) -> int:
        return BEGIN_US + round(self.seconds * 1e6)

    def random(self) -> float:
        return self.dice


class FakeKinesis:
    """One stream, called ``stream``."""

    def __init__(self, shards: int = 1, *, page_records: int = 3) -> None:
        self.shards: dict[str, FakeShard] = {}
        self.calls: list[str] = []
        self.puts: list[list[Mapping[str, Any]]] = []
        self.trouble: Callable[[str], Trouble] = lambda _: Trouble.NONE
        self.meanwhile: Callable[[str], None] = lambda _: None
        self.retention_hours = 24
        self._page_records = page_records
        self._sequence = FIRST
        self._late: list[Callable[[], object]] = []
        for number in range(shards):
            self._make((), range(KEYS * number // shards, KEYS * (number + 1) // shards))

    def put_records(self, **request: Any) -> Mapping[str, Any]:
        records = request["Records"]
        assert len(records) <= 500
        assert all(1 <= len(one["PartitionKey"]) <= 256 for one in records)
        sizes = [len(one["Data"]) + len(one["PartitionKey"].encode()) for one in records]
        assert max(sizes) <= 1 << 20
        assert sum(sizes) <= 5 << 20
        self.puts.append(records)
        trouble, put = self._called("put_records"), lambda: self._put(records)
        if trouble in {Trouble.SOME_FAIL, Trouble.OTHERS_FAIL}:
            return self._put(records, failing=trouble is Trouble.OTHERS_FAIL)
        return self._carried_out(trouble, "PutRecords", put)

    def get_shard_iterator(self, **request: Any) -> Mapping[str, Any]:
        shard = self.shards.get(request["ShardId"])
        trouble = self._called("get_shard_iterator")
        kind, sequence = request["ShardIteratorType"], request.get("StartingSequenceNumber")
        if shard is None:
            error = refusal("GetShardIterator", "ResourceNotFoundException")
            raise error
        if sequence is not None and not shard.first <= int(sequence) <= self._sequence:
            error = refusal("GetShardIterator", "InvalidArgumentException")
            raise error
        start = {
            "TRIM_HORIZON": 0,
            "AT_SEQUENCE_NUMBER": int(sequence or 0),
            "AFTER_SEQUENCE_NUMBER": int(sequence or 0) + 1,
        }.get(kind)
        if start is None:
            start = next((one.sequence for one in shard.records if one.arrived >= request["Timestamp"]), self._sequence + 1)
        return self._carried_out(trouble, "GetShardIterator", lambda: {"ShardIterator": f"{shard.id} {start}"})

    def get_records(self, **request: Any) -> Mapping[str, Any]:
        name, _, start = request["ShardIterator"].partition(" ")
        trouble, shard = self._called("get_records"), self.shards[name]
        if trouble is Trouble.EXPIRED:
            error = refusal("GetRecords", "ExpiredIteratorException")
            raise error
        following = [one for one in shard.records if one.sequence >= int(start)]
        if trouble is Trouble.NOTHING_YET and following:
            return {"Records": [], "NextShardIterator": f"{name} {start}", "MillisBehindLatest": 5}
        if trouble is Trouble.NOTHING and (following or not shard.closed):
            return {"Records": [], "NextShardIterator": f"{name} {start}", "MillisBehindLatest": 0}
        page = following[: min(request["Limit"], self._page_records)]
        behind = page[-1].sequence + 1 if page else int(start)
        answer: dict[str, Any] = {
            "Records": [
                {"SequenceNumber": str(one.sequence), "Data": one.data, "ApproximateArrivalTimestamp": one.arrived}
                for one in page
            ],
            "NextShardIterator": None if shard.closed and len(page) == len(following) else f"{name} {behind}",
            "MillisBehindLatest": 0,
        }
        if trouble is Trouble.AGAIN and answer["NextShardIterator"]:
            return answer | {"Records": [*answer["Records"], *answer["Records"]], "NextShardIterator": f"{name} {start}"}
        return self._carried_out(trouble, "GetRecords", lambda: answer)

    def list_shards(self, **request: Any) -> Mapping[str, Any]:
        """Two a page, children first now and then."""
        first = int(request.get("NextToken", 0))
        listed = list(self.shards.values())[::-1]
        answer = {
            "Shards": [told(shard) for shard in listed[first : first + 2]],
            "NextToken": str(first + 2) if first + 2 < len(listed) else None,
        }
        return self._carried_out(self._called("list_shards"), "ListShards", lambda: answer)

    def describe_stream_summary(self, **_: Any) -> Mapping[str, Any]:
        summary = {"StreamCreationTimestamp": BEGIN, "RetentionPeriodHours": self.retention_hours}
        trouble = self._called("describe_stream_summary")
        return self._carried_out(trouble, "DescribeStreamSummary", lambda: {"StreamDescriptionSummary": summary})

    def put(self, data: bytes, *, shard: str = "", key: str = "plain") -> int:
        """Store a record as any producer might; returns its sequence number."""
        there = self.shards[shard] if shard else self.owner(hashed(key))
        self._sequence += 1
        arrived = BEGIN + timedelta(milliseconds=self._sequence - FIRST)
        there.records.append(Record(self._sequence, data, key, arrived))
        return self._sequence

    def owner(self, hash_key: int) -> FakeShard:
        """The open shard that owns a hash key."""
        return next(shard for shard in self.shards.values() if not shard.closed and hash_key in shard.keys)

    def open_shards(self) -> list[FakeShard]:
        return sorted((shard for shard in self.shards.values() if not shard.closed), key=lambda shard: shard.keys.start)

    def split(self, shard_id: str) -> None:
        parent = self.shards[shard_id]
        parent.closed = True
        middle = (parent.keys.start + parent.keys.stop) // 2
        self._make((shard_id,), range(parent.keys.start, middle))
        self._make((shard_id,), range(middle, parent.keys.stop))

    def merge(self, left: FakeShard, right: FakeShard) -> None:
        assert left.keys.stop == right.keys.start
        left.closed = right.closed = True
        self._make((left.id, right.id), range(left.keys.start, right.keys.stop))

    def settle(self) -> None:
        """Carry out what timed out and is still under way."""
        late, self._late = self._late, []
        for call in late:
            call()

    def _make(self, parents: tuple[str, ...], keys: range) -> None:
        name = f"shardId-{len(self.shards):012}"
        self._sequence += 1
        self.shards[name] = FakeShard(name, parents, keys, self._sequence)

    def _called(self, name: str) -> Trouble:
        self.calls.append(name)
        self.meanwhile(name)
        return self.trouble(name)

    def _carried_out(self, trouble: Trouble, name: str, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        match trouble:
            case Trouble.THROTTLED:
                raise refusal(name, "ProvisionedThroughputExceededException")
            case Trouble.FAULT:
                raise refusal(name, "Unheard", 500)
            case Trouble.UNREACHABLE:
                raise EndpointConnectionError(endpoint_url="http://nowhere")
            case Trouble.TIME_OUT:
                raise ReadTimeoutError(endpoint_url="http://nowhere")
            case Trouble.TIME_OUT_AFTER:
                call()
                raise ReadTimeoutError(endpoint_url="http://nowhere")
            case Trouble.TIME_OUT_LATE:
                self._late.append(call)
                raise ReadTimeoutError(endpoint_url="http://nowhere")
            case _:
                answer = call()
                self.settle()
                return answer

    def _put(self, records: list[Mapping[str, Any]], *, failing: bool | None = None) -> Mapping[str, Any]:
        answers: list[Mapping[str, Any]] = []
        for number, record in enumerate(records):
            if failing is not None and bool(number % 2) is failing:
                answers.append({"ErrorCode": "ProvisionedThroughputExceededException", "ErrorMessage": "Rate exceeded"})
                continue
            explicit = record.get("ExplicitHashKey")
            shard = self.owner(int(explicit) if explicit else hashed(record["PartitionKey"]))
            sequence = self.put(record["Data"], shard=shard.id, key=record["PartitionKey"])
            answers.append({"ShardId": shard.id, "SequenceNumber": str(sequence)})
        return {"Records": answers}


def told(shard: FakeShard) -> Mapping[str, Any]:
    sequences = {"StartingSequenceNumber": str(shard.first)}
    answer: dict[str, Any] = {
        "ShardId": shard.id,
        "HashKeyRange": {"StartingHashKey": str(shard.keys.start), "EndingHashKey": str(shard.keys.stop - 1)},
        "SequenceNumberRange": sequences | ({"EndingSequenceNumber": str(shard.first + 10**6)} if shard.closed else {}),
    }
    names = ("ParentShardId", "AdjacentParentShardId")
    return answer | dict(zip(names, shard.parents, strict=False))


def refusal(operation: str, code: str, status: int = 400) -> ClientError:
    error: Any = {"Error": {"Code": code, "Message": "refused"}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return ClientError(error, operation)


def hashed(key: str) -> int:
    return int.from_bytes(md5(key.encode(), usedforsecurity=False).digest())


def log_of(kinesis: FakeKinesis, machine: Machine | None = None, **settings: Any) -> KinesisLog:
    """A log on the fake, whose time passes only by sleeping."""
    machine = machine or Machine()
    chosen: dict[str, Any] = {
        "on_unreadable": refuse_unreadable,
        "clock": machine.now_us,
        "monotonic": machine.monotonic,
        "sleep": machine.sleep,
        "random": machine.random,
    }
    return KinesisLog(kinesis, "stream", **chosen | settings)
