"""A place in a shard from which to go on: an iterator, and what it takes to open another when that one expires.

Iterators: expire after five minutes; one is opened anew behind the last record seen. Each may be used more than once.
Order:     sequence numbers rise. What does not is a record given again, and is left out.
Gone:      a record that is no longer on the stream cannot be gone on from; the cursor then stands at the oldest, and says so.

Source: Amazon Kinesis Data Streams API Reference, "GetShardIterator" and "GetRecords".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

from pipeline.log.kinesis.calls import IteratorExpired, Kinesis, NotThere, Pace
from pipeline.log.kinesis.decoding import Stored
from pipeline.log.kinesis.topology import StreamShard

CALL_RECORDS: Final = 1_000
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Cursor:
    """``iterator`` is None at the end of a closed shard.

    ``sequence`` is the record that it stands behind, or at if ``at``; None at the oldest. ``gone`` if that was not there.
    """

    shard: StreamShard
    iterator: str | None
    sequence: int | None = None
    at: bool = False
    gone: bool = False


class Page(NamedTuple):
    """What a call gave, the cursor behind it, and whether that is known to be behind the newest record (0: it is not)."""

    records: Sequence[Stored]
    cursor: Cursor
    behind_ms: int


@dataclass(frozen=True, slots=True)
class Cursors:
    """Opens cursors on one stream and goes on from them. Raises ``LogUnavailable``."""

    kinesis: Kinesis
    stream: str
    pace: Pace

    def oldest(self, shard: StreamShard) -> Cursor:
        """Before the first record that the shard still holds."""
        return Cursor(shard, self._iterator(shard, "TRIM_HORIZON"))

    def since(self, shard: StreamShard, time_us: int) -> Cursor:
        """Before the first record that arrived at that time (microseconds since the epoch) or later."""
        return Cursor(shard, self._iterator(shard, "AT_TIMESTAMP", Timestamp=_EPOCH + time_us * _MICROSECOND))

    def at(self, shard: StreamShard, sequence: int) -> Cursor:
        """Before the record of that number."""
        return self._reopened(Cursor(shard, None, sequence, at=True))

    def page(self, cursor: Cursor, limit: int = CALL_RECORDS) -> Page:
        """The next records, at most ``limit``; there may be none although more follow."""
        if cursor.iterator is None:
            return Page((), cursor, 0)
        request = {"ShardIterator": cursor.iterator, "Limit": limit}
        try:
            answer = self.pace.retried(lambda: self.kinesis.get_records(**request))
        except IteratorExpired:
            return Page((), self._reopened(cursor), 1)
        given, following = answer["Records"], answer.get("NextShardIterator")
        records = _onwards(cursor, given)
        if records:
            gone = cursor.gone or (cursor.at and records[0].sequence != cursor.sequence)
            cursor = Cursor(cursor.shard, following, records[-1].sequence, gone=gone)
        else:
            cursor = replace(cursor, iterator=following)
        return Page(records, cursor, (answer.get("MillisBehindLatest") or 0) + len(given) - len(records))

    def _reopened(self, cursor: Cursor) -> Cursor:
        if cursor.sequence is None:
            return self.oldest(cursor.shard)
        kind = "AT_SEQUENCE_NUMBER" if cursor.at else "AFTER_SEQUENCE_NUMBER"
        try:
            iterator = self._iterator(cursor.shard, kind, StartingSequenceNumber=cursor.shard.number(cursor.sequence))
        except NotThere:
            return replace(self.oldest(cursor.shard), gone=True)
        return replace(cursor, iterator=iterator)

    def _iterator(self, shard: StreamShard, kind: str, **where: Any) -> str:
        request = {"StreamName": self.stream, "ShardId": shard.id, "ShardIteratorType": kind, **where}
        iterator: str = self.pace.retried(lambda: self.kinesis.get_shard_iterator(**request))["ShardIterator"]
        return iterator


def _onwards(cursor: Cursor, given: Sequence[Mapping[str, Any]]) -> Sequence[Stored]:
    """The records that the cursor was before, in order."""
    last = -1 if cursor.sequence is None else cursor.sequence - cursor.at
    records = []
    for one in given:
        sequence = int(one["SequenceNumber"])
        if sequence > last:
            arrived_us = (one["ApproximateArrivalTimestamp"] - _EPOCH) // _MICROSECOND
            records.append(Stored(sequence, one["Data"], arrived_us))
            last = sequence
    return records
