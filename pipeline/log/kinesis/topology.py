"""Which shards the stream has, which hash keys each owns, and which came of which.

Freshness: at most ``refresh_seconds`` old; looked up anew at once where an answer does not fit it. What a shard owns never
           changes; that it is open may.
Genesis:   a shard counts as complete while the stream is younger than its retention: then nothing can have expired. Kinesis tells
           no shard's age, nor whether the retention was shorter once: who lowers it and raises it again loses events unseen.

Source: Amazon Kinesis Data Streams API Reference, "ListShards" and "DescribeStreamSummary".
"""

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from graphlib import TopologicalSorter
from threading import Lock
from typing import Any, Final

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis.calls import Kinesis, Pace

_HOUR_US: Final = 3_600_000_000
_SUMMARY_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class StreamShard:
    """A shard as ListShards tells it. ``keys`` are the hash keys that it owns; ``digits`` are those of its sequence numbers."""

    id: str
    parents: tuple[str, ...]
    keys: range
    closed: bool
    digits: int

    def number(self, sequence: int) -> str:
        """A sequence number of this shard as the service writes it: some emulators write leading zeros."""
        return str(sequence).zfill(self.digits)


@dataclass(frozen=True, slots=True)
class _Seen:
    shards: Mapping[str, StreamShard]
    """Parents first."""
    starts: Sequence[int]
    """The first hash key of each open shard, ascending."""
    open: Sequence[StreamShard]
    at: float

    @classmethod
    def of(cls, shards: Iterable[StreamShard], at: float) -> "_Seen":
        listed = {shard.id: shard for shard in shards}
        active = sorted((shard for shard in listed.values() if not shard.closed), key=lambda shard: shard.keys.start)
        return cls(_parents_first(listed), [shard.keys.start for shard in active], active, at)


class Topology:
    """The shards of ``stream``. ``clock`` gives microseconds since the epoch. Its methods raise ``LogUnavailable``."""

    def __init__(self, kinesis: Kinesis, stream: str, pace: Pace, *, clock: Callable[[], int], refresh_seconds: float) -> None:
        self._kinesis = kinesis
        self._stream = stream
        self._pace = pace
        self._clock = clock
        self._refresh_seconds = refresh_seconds
        self._lock = Lock()
        self._seen: _Seen | None = None
        self._expires_us = 0
        self._summary_at: float | None = None

    def shards(self) -> Sequence[StreamShard]:
        """All that the stream lists, parents before children."""
        return list(self._current().shards.values())

    def get(self, shard_id: str) -> StreamShard | None:
        """That shard, looked up anew if it is not known; None if the stream does not list it."""
        return self._current().shards.get(shard_id) or self.refresh().get(shard_id)

    def route(self, hash_key: int) -> StreamShard:
        """The open shard that owns a hash key."""
        seen = self._current()
        if not seen.open:
            message = f"the stream {self._stream} has no open shard"
            raise LogUnavailable(message)
        return seen.open[max(0, bisect_right(seen.starts, hash_key) - 1)]

    def refresh(self) -> Mapping[str, StreamShard]:
        """Look the shards up now, because what was seen does not fit them."""
        with self._lock:
            self._seen = self._look()
            return self._seen.shards

    def complete(self) -> bool:
        """Whether nothing of the stream can have expired yet."""
        now = self._pace.monotonic()
        if self._summary_at is None or now - self._summary_at >= _SUMMARY_SECONDS:
            request = {"StreamName": self._stream}
            answer = self._pace.retried(lambda: self._kinesis.describe_stream_summary(**request))
            summary = answer["StreamDescriptionSummary"]
            created_us = round(summary["StreamCreationTimestamp"].timestamp() * 1e6)
            self._expires_us = created_us + summary["RetentionPeriodHours"] * _HOUR_US
            self._summary_at = now
        return self._clock() < self._expires_us

    def _current(self) -> _Seen:
        with self._lock:
            if self._seen is None or self._pace.monotonic() - self._seen.at >= self._refresh_seconds:
                self._seen = self._look()
            return self._seen

    def _look(self) -> _Seen:
        at = self._pace.monotonic()
        shards: list[StreamShard] = []
        request: dict[str, Any] = {"StreamName": self._stream}
        while True:
            asked = request
            page = self._pace.retried(lambda asked=asked: self._kinesis.list_shards(**asked))  # type: ignore[misc]
            shards += map(_shard, page["Shards"])
            if not page.get("NextToken"):
                return _Seen.of(shards, at)
            request = {"NextToken": page["NextToken"]}


def _shard(told: Mapping[str, Any]) -> StreamShard:
    keys, sequences = told["HashKeyRange"], told["SequenceNumberRange"]
    parents = (told.get("ParentShardId"), told.get("AdjacentParentShardId"))
    return StreamShard(
        told["ShardId"],
        tuple(parent for parent in parents if parent),
        range(int(keys["StartingHashKey"]), int(keys["EndingHashKey"]) + 1),
        bool(sequences.get("EndingSequenceNumber")),
        len(sequences.get("StartingSequenceNumber", "")),
    )


def _parents_first(listed: Mapping[str, StreamShard]) -> dict[str, StreamShard]:
    order = TopologicalSorter({name: [parent for parent in shard.parents if parent in listed] for name, shard in listed.items()})
    return {name: listed[name] for name in order.static_order()}
