"""Reads a stream shard by shard, parents before children, and survives what passes: expired iterators, throttles, lost answers.

Sources:
    RESHARDING  Amazon Kinesis Data Streams Developer Guide, "After resharding"
    READING     Amazon Kinesis Data Streams API Reference, "GetRecords", "GetShardIterator"
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, TypeVar

from botocore.exceptions import ClientError, HTTPClientError

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import GetRecordsOutputTypeDef, RecordTypeDef, ShardTypeDef

T = TypeVar("T")

TRANSIENT = frozenset(
    {
        "ExpiredIteratorException",
        "InternalFailure",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "ThrottlingException",
    }
)
"""Errors after which a reader asks again."""
READ_LIMIT = 10_000
"""The most records that one call of GetRecords gives (READING)."""


@dataclass(slots=True)
class Checkpoints:
    """How far each shard was processed. Lambda keeps them outside the function; here they outlive a killed mapping."""

    after: dict[str, str] = field(default_factory=dict)
    """The last processed sequence number of a shard."""
    finished: set[str] = field(default_factory=set)
    """Shards that ended and are processed whole."""


@dataclass(slots=True)
class Tail:
    """What is read of a shard and not processed, and where to read on."""

    shard: str
    waiting: list["RecordTypeDef"] = field(default_factory=list)
    iterator: str | None = None
    ended: bool = False


class ShardReader:
    """Reads from the beginning of the stream, or from behind the checkpoints."""

    def __init__(self, kinesis: "KinesisClient", stream: str, checkpoints: Checkpoints) -> None:
        self.failed_reads = 0
        """Calls that failed in passing, and are tried again."""
        self._kinesis = kinesis
        self._stream = stream
        self._checkpoints = checkpoints
        self._shards: list[ShardTypeDef] | None = None
        self._tails: dict[str, Tail] = {}

    def readable(self) -> list[Tail]:
        """The shards that are neither finished nor wait for a parent.

        A child is read when its parents are processed whole, for their records precede its own (RESHARDING). A parent that the
        stream lists no more, its records having expired, holds up nobody.
        """
        if self._shards is None:
            self._shards = self._ask(self._list_shards)
        unfinished = {shard["ShardId"] for shard in self._shards or []} - self._checkpoints.finished
        return [
            self._tails.setdefault(shard["ShardId"], Tail(shard["ShardId"]))
            for shard in self._shards or []
            if shard["ShardId"] in unfinished and unfinished.isdisjoint(_parents(shard))
        ]

    def read(self, tail: Tail) -> bool:
        """Ask once for more records; whether any came. None coming says nothing, whatever ``MillisBehindLatest`` claims."""
        answer = self._ask(partial(self._next, tail))
        if answer is None:
            tail.iterator = None
            return False
        tail.iterator = answer.get("NextShardIterator")
        tail.ended = tail.iterator is None
        tail.waiting += answer["Records"]
        return bool(answer["Records"])

    def finish(self, tail: Tail) -> None:
        """The shard ended and is processed whole. Its children may be listed only now."""
        self._checkpoints.finished.add(tail.shard)
        del self._tails[tail.shard]
        self._shards = None

    def _list_shards(self) -> list["ShardTypeDef"]:
        page = self._kinesis.list_shards(StreamName=self._stream)
        shards = page["Shards"]
        while token := page.get("NextToken"):
            page = self._kinesis.list_shards(NextToken=token)
            shards += page["Shards"]
        return shards

    def _next(self, tail: Tail) -> "GetRecordsOutputTypeDef":
        tail.iterator = tail.iterator or self._iterator(tail)
        return self._kinesis.get_records(ShardIterator=tail.iterator, Limit=READ_LIMIT)

    def _iterator(self, tail: Tail) -> str:
        """One that stands behind what was read; at first behind the checkpoint, or at the shard's beginning."""
        ask = partial(self._kinesis.get_shard_iterator, StreamName=self._stream, ShardId=tail.shard)
        after = tail.waiting[-1]["SequenceNumber"] if tail.waiting else self._checkpoints.after.get(tail.shard)
        if after is None:
            return ask(ShardIteratorType="TRIM_HORIZON")["ShardIterator"]
        return ask(ShardIteratorType="AFTER_SEQUENCE_NUMBER", StartingSequenceNumber=after)["ShardIterator"]

    def _ask(self, read: Callable[[], T]) -> T | None:
        """What Kinesis answers; None after an error that passes. A server that is gone, or a stream that is not there, raises."""
        try:
            return read()
        except ClientError as refusal:
            if refusal.response["Error"]["Code"] not in TRANSIENT:
                raise
        except HTTPClientError:
            pass
        self.failed_reads += 1
        return None


def _parents(shard: "ShardTypeDef") -> set[str]:
    return {parent for parent in (shard.get("ParentShardId"), shard.get("AdjacentParentShardId")) if parent}
