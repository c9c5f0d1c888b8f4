"""The log on a Kinesis stream: the port over boto3, for any number of producers and readers.

Order:      append order per subject of each producer, across retries, splits and merges; see ``appending``.
Delivery:   at least once: a retry, ours or the caller's, may store an event twice. No id is refused.
Durability: an accepted event is on the stream, which keeps it for its retention.
Recorded:   Kinesis' approximate arrival time, in milliseconds; it may run back a little.
Resharding: shards are listed parents first; a child is to be read after its parents' end.
Genesis:    ``Shard.complete`` while the stream is younger than its retention.
"""

from collections.abc import Callable, Mapping, Sequence
from threading import Condition, Lock
from typing import Final

from pipeline.errors import LogUnavailable
from pipeline.log.group_commit import GroupCommit
from pipeline.log.kinesis.appending import Appender, Entry, prepare
from pipeline.log.kinesis.calls import Kinesis, Pace
from pipeline.log.kinesis.cursor import Cursors
from pipeline.log.kinesis.decoding import ALL_KEYS
from pipeline.log.kinesis.reading import ShardReader
from pipeline.log.kinesis.topology import Topology
from pipeline.log.kinesis.unreadable import Sink
from pipeline.log.port import Batch, Outcome, Position, Receipt, Record, Shard
from schemas.envelope import Envelope

AGGREGATE_BYTES: Final = 250 << 10
"""Ten payload units of 25 KiB: little is lost to rounding, and a throttled shard takes it sooner than a whole MiB."""

DEADLINE_SECONDS: Final = 30.0
POLL_SECONDS: Final = 1.0
"""A shard answers five calls a second, over all its readers."""
REFRESH_SECONDS: Final = 1.0
LOOK_BACK_US: Final = (60_000_000, 3_600_000_000, 86_400_000_000)
"""How far back to look for a shard's last event before all is read: first a minute, for most shards are busy."""

_RUNS_BACK_US: Final = 60_000_000


class KinesisLog:
    """The log on ``stream``, which exists. All that is not determined enters here.

    ``clock`` gives microseconds since the epoch, ``monotonic`` seconds, ``random`` numbers from 0 up to 1. ``on_unreadable``
    keeps what is no event before reading passes it. ``deadline_seconds`` is how long a call goes on trying.
    """

    def __init__(
        self,
        kinesis: Kinesis,
        stream: str,
        *,
        on_unreadable: Sink,
        clock: Callable[[], int],
        monotonic: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
        compress_bodies: bool = False,
        aggregate_bytes: int = AGGREGATE_BYTES,
        deadline_seconds: float = DEADLINE_SECONDS,
        poll_seconds: float = POLL_SECONDS,
        refresh_seconds: float = REFRESH_SECONDS,
        look_back_us: Sequence[int] = LOOK_BACK_US,
    ) -> None:
        pace = Pace(monotonic, sleep, random, deadline_seconds)
        self._monotonic = monotonic
        self._clock = clock
        self._since_us = lambda: [clock() - span_us for span_us in look_back_us]
        self._on_unreadable = on_unreadable
        self._compress = compress_bodies
        self._poll_seconds = poll_seconds
        self._topology = Topology(kinesis, stream, pace, clock=clock, refresh_seconds=refresh_seconds)
        self._cursors = Cursors(kinesis, stream, pace)
        appender = Appender(kinesis, stream, self._topology, pace, aggregate_bytes)
        self._commits: GroupCommit[list[Entry], list[Receipt]] = GroupCommit(appender.write)
        self._readers: dict[str, ShardReader] = {}
        self._making = Lock()
        self._appended = Condition()
        self._appends = 0

    def shards(self) -> Sequence[Shard]:
        """All shards that the stream lists, parents before children. Raises ``LogUnavailable``."""
        complete = self._topology.complete()
        return [Shard(shard.id, shard.parents, shard.closed, complete) for shard in self._topology.shards()]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """Append events; callers at once share records. What is too large for Kinesis has failed, with the reason.

        Raises ``LogUnavailable`` if nothing was accepted and retrying may help.
        """
        entries = prepare(events, compress=self._compress)
        tried = [index for index, entry in enumerate(entries) if entry.receipt is None]
        receipts = self._commits.submit(entries) if entries else []
        if tried and all(receipt.outcome is Outcome.FAILED for receipt in receipts):
            raise LogUnavailable(receipts[tried[0]].reason)
        with self._appended:
            self._appends += 1
            self._appended.notify_all()
        return receipts

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        """At most ``limit`` events behind ``after``. What is no event was handed to ``on_unreadable`` before.

        Raises ``LogUnavailable``, also if a closed shard does not come to its end, or what ``on_unreadable`` raises.
        """
        return self._reader(shard).read(after, limit)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        """Before the first record that arrived a minute before ``recorded_us`` or later: arrival times may run back."""
        return self._reader(shard).since(min(recorded_us, self._clock()) - _RUNS_BACK_US)

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions; None where there is none, or none any more. A call a Kinesis record."""
        records = dict.fromkeys((position.shard, position.sequence) for position in positions)
        found = {record.position: record for shard, sequence in records for record in self._reader(shard).at(sequence).records()}
        return [found.get(position) for position in positions]

    def heads(self) -> Mapping[str, Position]:
        """The last position of every shard that holds events: what is behind the one found last is read. Dear at first."""
        heads = ((shard.id, self._reader(shard.id).head()) for shard in self._topology.shards())
        return {shard: head for shard, head in heads if head is not None}

    def behind(self, positions: Mapping[str, Position]) -> int:
        """How many events stand behind these positions, at least: Kinesis does not count. 0 where it says that nothing does."""
        return sum(self._reader(shard.id).waiting(positions.get(shard.id)) for shard in self._topology.shards())

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        """Wait for events behind ``seen``: at once for appends of this process, polling for others'."""
        deadline = self._monotonic() + timeout_seconds
        while True:
            appends = self._appends
            if self._holds_more_than(seen):
                return True
            left = deadline - self._monotonic()
            if left <= 0:
                return False
            with self._appended:
                self._appended.wait_for(lambda: self._appends != appends, min(left, self._poll_seconds))  # noqa: B023

    def keys_of(self, shard: str) -> range:
        """The hash keys that a shard owns, for ``batches_of``; all of them if the stream lists no such shard."""
        found = self._topology.get(shard)
        return found.keys if found else ALL_KEYS

    def _holds_more_than(self, seen: Mapping[str, Position]) -> bool:
        return any(self._reader(shard.id).waiting(seen.get(shard.id)) for shard in self._topology.shards())

    def _reader(self, shard: str) -> ShardReader:
        with self._making:
            if shard not in self._readers:
                self._readers[shard] = ShardReader(
                    shard, self._cursors, self._topology, on_unreadable=self._on_unreadable, since_us=self._since_us
                )
            return self._readers[shard]
