"""Appending: events grouped by shard, packed into aggregates, put, and put again until they stand or the deadline passes.

Order:     a shard has one record in flight at a time, and the events behind it wait until it stands. Kinesis keeps no order
           between the records of a call of which some failed, nor between calls; so what fails or is unsure is sent again,
           the very same, before anything of its shard follows. What stands twice stands first in order, and readers drop repeats.
Shards:    events are grouped by the shard that owns the MD5 of their subject. After a split or merge the answer names another
           shard than was meant. If that owns all that the record holds, it stands. If not, all of it is appended again by
           the new map, before anything behind it: KCL readers drop such an aggregate whole, ours its strays.
Time-outs: the record may stand. It is sent again; only a named sequence number counts as accepted.
Deadline:  what does not stand by then has failed, and so has everything of its shard behind it, untried.

Source: Amazon Kinesis Data Streams API Reference, "PutRecords": 500 records and 5 MiB a call, partition keys included.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import kpl, user_record
from pipeline.log.kinesis.calls import Kinesis, Pace, Passing, translated
from pipeline.log.kinesis.topology import StreamShard, Topology
from pipeline.log.port import Outcome, Position, Receipt
from schemas.envelope import Envelope

MAX_CALL_RECORDS: Final = 500
MAX_CALL_BYTES: Final = 5 << 20

_MAX_KEY_CHARACTERS: Final = 256
"""Of a partition key, which must have one at least."""


class Entry:
    """An event on its way: encoded, then with its receipt."""

    __slots__ = ("data", "hash_key", "id", "key", "receipt")

    def __init__(self, event: Envelope, *, compress: bool) -> None:
        self.id = event.id
        self.key = event.subject.encode()
        self.hash_key = kpl.hash_of(self.key)
        self.data = user_record.encode(event, compress=compress)
        self.receipt: Receipt | None = None

    @property
    def partition_key(self) -> str:
        """What the event is put under if it stands alone: its subject, as far as Kinesis takes it."""
        return self.key.decode()[:_MAX_KEY_CHARACTERS] or "-"

    @property
    def size(self) -> int:
        """Its bytes as a plain record."""
        key = self.key if 0 < len(self.key) <= _MAX_KEY_CHARACTERS else self.partition_key.encode()
        return len(self.data) + len(key)

    def fail(self, reason: str, outcome: Outcome = Outcome.FAILED) -> None:
        """It was not stored, or is not known to be."""
        self.receipt = Receipt(self.id, outcome, None, reason)


def prepare(events: Iterable[Envelope], *, compress: bool) -> list[Entry]:
    """Encode events. What no Kinesis record can hold is refused at once; later events of its subject do not wait for it."""
    entries = [Entry(event, compress=compress) for event in events]
    for entry in entries:
        if entry.size > kpl.MAX_RECORD_BYTES:
            entry.fail(
                f"the event takes {entry.size} bytes with its partition key, and a Kinesis record {kpl.MAX_RECORD_BYTES} at most;"
                " it can never be stored as it is",
                Outcome.REFUSED,
            )
    return entries


class _Record:
    """Some events of one shard as one Kinesis record. A single event is put plainly, as the KPL does."""

    def __init__(self, waiting: Iterable[Entry], most_bytes: int) -> None:
        aggregate = kpl.Aggregate(most_bytes)
        self.entries: list[Entry] = []
        for entry in waiting:
            if not aggregate.add(entry.key, entry.data) and self.entries:
                break
            self.entries.append(entry)
            if not aggregate.count:
                break
        first = self.entries[0]
        alone = len(self.entries) == 1
        self.request: Mapping[str, Any] = {
            "Data": first.data if alone else aggregate.encode(),
            "PartitionKey": first.partition_key if alone else kpl.PARTITION_KEY,
            "ExplicitHashKey": str(first.hash_key),
        }
        self.size = len(self.request["Data"]) + len(self.request["PartitionKey"].encode())


class _Lane:
    """What waits for one shard, in order, and when to try (again)."""

    def __init__(self, shard: StreamShard) -> None:
        self.shard = shard
        self.waiting: deque[Entry] = deque()
        self.not_before = 0.0
        self.attempts = 0
        self.reason = ""
        self._record: _Record | None = None

    def record(self, most_bytes: int) -> _Record:
        """What to put next: after a failure the very same."""
        self._record = self._record or _Record(self.waiting, most_bytes)
        return self._record

    def stands(self, record: _Record, shard: str, sequence: int) -> None:
        """The record is stored: accept its events and let what is behind them follow."""
        for sub, entry in enumerate(record.entries):
            entry.receipt = Receipt(entry.id, Outcome.ACCEPTED, Position(shard, sequence, sub))
            self.waiting.popleft()
        self._record = None
        self.attempts = 0

    def failed(self, reason: str, pace: Pace) -> None:
        """Try again after a pause."""
        self.reason = reason
        self.attempts += 1
        self.not_before = pace.monotonic() + pace.pause(self.attempts)


@dataclass(frozen=True, slots=True)
class Appender:
    """Puts prepared events. One call at a time (``GroupCommit`` sees to that), so that no two carry the same subject."""

    kinesis: Kinesis
    stream: str
    topology: Topology
    pace: Pace
    aggregate_bytes: int

    def write(self, calls: Sequence[Sequence[Entry]]) -> list[list[Receipt]]:
        """Put the events of several calls, in order; a receipt for each of them. Raises ``LogUnavailable`` if none was tried."""
        pending = [entry for entries in calls for entry in entries if entry.receipt is None]
        if pending:
            _Writing(pending, self).run()
        return [[entry.receipt for entry in entries if entry.receipt] for entries in calls]


class _Writing:
    """One run of ``Appender.write``."""

    def __init__(self, pending: Iterable[Entry], appender: Appender) -> None:
        self._appender = appender
        self._pace = appender.pace
        self._lanes = self._grouped(pending)
        self._deadline = self._pace.monotonic() + self._pace.deadline_seconds
        self._strayed = 0
        """How many calls in a row put something where it does not belong."""

    def run(self) -> None:
        """Until everything stands or has failed."""
        reason = ""
        try:
            while self._lanes and (now := self._pace.monotonic()) < self._deadline:
                ready = [lane for lane in self._lanes.values() if lane.not_before <= now]
                if ready:
                    self._put(ready)
                else:
                    earliest = min(lane.not_before for lane in self._lanes.values())
                    self._pace.sleep(min(earliest, self._deadline) - now)
        except LogUnavailable as refused:
            reason = str(refused)
        seconds = self._pace.deadline_seconds
        for lane in self._lanes.values():
            for entry in lane.waiting:
                entry.fail(reason or f"not stored within {seconds:g} s, and not known to be: {lane.reason}")

    def _grouped(self, entries: Iterable[Entry]) -> dict[str, _Lane]:
        lanes: dict[str, _Lane] = {}
        for entry in entries:
            shard = self._appender.topology.route(entry.hash_key)
            if shard.id not in lanes:
                lanes[shard.id] = _Lane(shard)
            lanes[shard.id].waiting.append(entry)
        return lanes

    def _put(self, ready: Sequence[_Lane]) -> None:
        """One call with a record of each shard that is ready, as many as fit; the others go first the next time."""
        records = list(self._fitting(ready))
        request = {"StreamName": self._appender.stream, "Records": [record.request for _, record in records]}
        try:
            answers = translated(lambda: self._appender.kinesis.put_records(**request))["Records"]
        except Passing as passing:
            for lane, _ in records:
                lane.failed(str(passing), self._pace)
            return
        moved = any(
            answer.get("ShardId") not in {None, lane.shard.id} for (lane, _), answer in zip(records, answers, strict=True)
        )
        if moved:
            self._appender.topology.refresh()
        strays = [lane for (lane, record), answer in zip(records, answers, strict=True) if self._strays(lane, record, answer)]
        for lane, _ in records:
            del self._lanes[lane.shard.id]
            if lane.waiting:
                self._lanes[lane.shard.id] = lane
        self._strayed = self._strayed + 1 if strays else 0
        if moved:
            self._regroup()

    def _fitting(self, ready: Iterable[_Lane]) -> Iterator[tuple[_Lane, _Record]]:
        size = 0
        for count, lane in enumerate(ready):
            record = lane.record(self._appender.aggregate_bytes)
            size += record.size
            if count == MAX_CALL_RECORDS or size > MAX_CALL_BYTES:
                return
            yield lane, record

    def _strays(self, lane: _Lane, record: _Record, answer: Mapping[str, Any]) -> bool:
        """Take in what became of a record. True if it stands where readers will not take all that it holds."""
        if answer.get("ErrorCode"):
            lane.failed(f"{answer['ErrorCode']}: {answer.get('ErrorMessage', '')}", self._pace)
            return False
        landed = answer["ShardId"]
        shard = lane.shard if landed == lane.shard.id else self._appender.topology.get(landed)
        if shard is None or any(entry.hash_key not in shard.keys for entry in record.entries):
            return True
        lane.stands(record, landed, int(answer["SequenceNumber"]))
        return False

    def _regroup(self) -> None:
        """Share out all that waits by the new map, a subject's events in their order; pause if the map may still be old."""
        self._lanes = self._grouped([entry for lane in self._lanes.values() for entry in lane.waiting])
        if self._strayed:
            not_before = self._pace.monotonic() + self._pace.pause(self._strayed)
            for lane in self._lanes.values():
                lane.reason = "its shard was split or merged meanwhile"
                lane.not_before = not_before
