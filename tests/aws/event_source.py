"""A Kinesis event source mapping as AWS Lambda documents it, for functions in this process and streams on any local server.

Its parallelisation factor is 1, ``ReportBatchItemFailures`` is on, nothing is bisected; retries and the age of records have no
limit.

Sources, in the AWS Lambda Developer Guide:
    POLLING   "Using Lambda to process records from Amazon Kinesis Data Streams"
    BATCHING  "How Lambda processes records from stream and queue-based event sources", batching behavior
    PARTIAL   "Configuring partial batch response with Kinesis Data Streams and Lambda"
    LIMITS    "Lambda parameters for Amazon Kinesis Data Streams event source mappings"
"""

import base64
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from tests.aws.clients import ACCOUNT, REGION
from tests.aws.invocation import Disturb, Disturbance, Handler, Killed, StillFailing, failed_items, invoke, undisturbed
from tests.aws.shards import Checkpoints, ShardReader, Tail

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient
    from types_boto3_kinesis.type_defs import RecordTypeDef

PAYLOAD_BYTES = 6 * 1024 * 1024
"""The most that an event may measure (BATCHING)."""
RECORD_BYTES = 600
"""About what a record measures in an event beside its data and partition key."""
_IDLE_SECONDS = 0.005


@dataclass(slots=True)
class _Attempt:
    """What is known of a shard's next batch."""

    since: float | None = None
    """When its first record was read, or came to be the first."""
    retrying: int = 0
    """How many records it has, if it failed before: it is delivered again as it was."""
    failures: int = 0


class EventSource:
    """Invokes ``handler`` with batches of the stream's records, from the beginning of the stream or from the checkpoints.

    Order: a batch holds records of one shard, in order; the next one of that shard comes when this one was processed (POLLING).
    At least once: ``disturb`` is asked after each invocation, and may have the batch delivered again (POLLING).
    """

    def __init__(
        self,
        kinesis: "KinesisClient",
        stream: str,
        handler: Handler,
        *,
        checkpoints: Checkpoints | None = None,
        batch_size: int = 100,
        window: timedelta = timedelta(0),
        max_attempts: int = 20,
        disturb: Disturb = undisturbed,
        monotonic_seconds: Callable[[], float] = time.monotonic,
    ) -> None:
        self.checkpoints = Checkpoints() if checkpoints is None else checkpoints
        self.reader = ShardReader(kinesis, stream, self.checkpoints)
        self.invocations = 0
        self._stream = stream
        self._handler = handler
        self._batch_size = batch_size
        self._window_seconds = window.total_seconds()
        self._max_attempts = max_attempts
        self._disturb = disturb
        self._now = monotonic_seconds
        self._attempts: dict[str, _Attempt] = {}

    def run_until(self, condition: Callable[[], bool], seconds: float = 60.0) -> None:
        """Poll until ``condition`` holds; fail at the deadline. Faults that hide records cannot end it too early."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, "the event source did not get as far as was waited for"
            if not self.poll():
                time.sleep(_IDLE_SECONDS)

    def drain(self, quiet_rounds: int = 2) -> None:
        """Poll until nothing came in so many rounds, waiting for no window. Faults that hide records may end it too early."""
        quiet = 0
        while quiet < quiet_rounds:
            quiet = 0 if self.poll(flush=True) else quiet + 1

    def poll(self, *, flush: bool = False) -> bool:
        """Take from each shard whose turn it is, and deliver at most one batch of each. Whether anything happened.

        ``flush`` ends the batching windows. Raises ``Killed`` and ``StillFailing``.
        """
        failed_before = self.reader.failed_reads
        moved = [self._turn(tail, flush=flush) for tail in self.reader.readable()]
        return any(moved) or self.reader.failed_reads > failed_before

    def _turn(self, tail: Tail, *, flush: bool) -> bool:
        attempt = self._attempts.setdefault(tail.shard, _Attempt())
        moved = not tail.ended and len(tail.waiting) < self._batch_size and self.reader.read(tail)
        if tail.waiting and attempt.since is None:
            attempt.since = self._now()
        if self._due(tail, attempt, flush=flush):
            self._deliver(tail, attempt)
            moved = True
        if tail.ended and not tail.waiting:
            self.reader.finish(tail)
            moved = True
        return moved

    def _due(self, tail: Tail, attempt: _Attempt, *, flush: bool) -> bool:
        """Whether to invoke: the batch has its records or bytes, or its window is over (BATCHING), or it failed before."""
        if attempt.since is None:
            return False
        full = len(tail.waiting) >= self._batch_size or self._length(tail, attempt) < len(tail.waiting)
        late = self._now() - attempt.since >= self._window_seconds
        return full or late or flush or bool(attempt.retrying)

    def _length(self, tail: Tail, attempt: _Attempt) -> int:
        """How many of the waiting records make up the next batch; one at least."""
        sizes = accumulate(_event_bytes(record) for record in tail.waiting[: attempt.retrying or self._batch_size])
        return max(1, sum(size <= PAYLOAD_BYTES for size in sizes))

    def _deliver(self, tail: Tail, attempt: _Attempt) -> None:
        """Invoke the function with one batch, and go on behind what it has done."""
        batch = tail.waiting[: self._length(tail, attempt)]
        done, cause = self._invoke(tail.shard, batch)
        match self._disturb():
            case Disturbance.KILLED:
                raise Killed(tail.shard)
            case Disturbance.AGAIN:
                attempt.retrying = len(batch)
            case Disturbance.NONE:
                self._settle(tail, batch, done)
                self._count(tail.shard, attempt, done, left=len(batch) - done, cause=cause)
                attempt.since = self._now() if tail.waiting else None

    def _invoke(self, shard: str, batch: Sequence["RecordTypeDef"]) -> tuple[int, Exception | None]:
        """How many records the function has done: none if it raised, else those before the lowest that it reports (PARTIAL)."""
        self.invocations += 1
        event = {"Records": [_event_record(self._stream, shard, record) for record in batch]}
        try:
            answer = invoke(self._handler, event, f"{shard}-{self.invocations}")
        except Exception as reason:  # noqa: BLE001  # a function's error, whichever, fails its batch
            return 0, reason
        failed = failed_items(answer, [record["SequenceNumber"] for record in batch])
        return (failed[0] if failed else len(batch)), None

    def _settle(self, tail: Tail, batch: Sequence["RecordTypeDef"], done: int) -> None:
        """Move the checkpoint to the last record done (PARTIAL)."""
        if done:
            self.checkpoints.after[tail.shard] = batch[done - 1]["SequenceNumber"]
        del tail.waiting[:done]

    def _count(self, shard: str, attempt: _Attempt, done: int, *, left: int, cause: Exception | None) -> None:
        """What is left of the batch is delivered again, and again (LIMITS), until a test's patience ends."""
        attempt.retrying = left
        attempt.failures = 0 if done else attempt.failures + 1
        if attempt.failures >= self._max_attempts:
            message = f"{shard}: a batch of {left} failed {attempt.failures} times"
            raise StillFailing(message) from cause


def _event_bytes(record: "RecordTypeDef") -> int:
    return len(record["Data"]) * 4 // 3 + len(record["PartitionKey"]) + RECORD_BYTES


def _event_record(stream: str, shard: str, record: "RecordTypeDef") -> dict[str, Any]:
    """A record as a function sees it (POLLING, example event)."""
    return {
        "kinesis": {
            "kinesisSchemaVersion": "1.0",
            "partitionKey": record["PartitionKey"],
            "sequenceNumber": record["SequenceNumber"],
            "data": base64.b64encode(record["Data"]).decode(),
            "approximateArrivalTimestamp": record["ApproximateArrivalTimestamp"].timestamp(),
        },
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": f"{shard}:{record['SequenceNumber']}",
        "eventName": "aws:kinesis:record",
        "invokeIdentityArn": f"arn:aws:iam::{ACCOUNT}:role/function",
        "awsRegion": REGION,
        "eventSourceARN": f"arn:aws:kinesis:{REGION}:{ACCOUNT}:stream/{stream}",
    }
