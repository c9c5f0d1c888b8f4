"""A month's bill for a steady rate of findings: this design's, and that of the classic one.

Classic: EventBridge calls a function for each finding, which puts one item into a table with three secondary indexes.
Ours:    EventBridge to a queue (or straight to the stream), batches to the stream, a batch a shard and window to the table.

Measured counts come from ``Counts``; what is assumed stands in ``Assumed`` and is printed beside the result.
Left out, since both designs pay it alike: EventBridge, the API and its reads, log lines, metrics, data transfer, Slack.
Sources: AWS Lambda Developer Guide, "Using Lambda with Amazon SQS" (five pollers at least, batching window); Amazon Kinesis
Data Streams Developer Guide, "Quotas and limits" (1 MB or 1,000 records a second and shard); Amazon DynamoDB Developer Guide,
"Read and write operations", "Amazon DynamoDB Transactions: How it works" (1 KB a write unit, two in a transaction).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import ceil
from typing import Final

from infra.cost.prices import Counts, Judged, Prices

HOURS: Final = 730
"""Of a month, as AWS's own calculator has it."""
SECONDS: Final = HOURS * 3600

_KB: Final = 1024
_GB: Final = 1 << 30
_PUT_UNIT: Final = 25 * _KB
_SHARD_BYTES: Final = 1 << 20
_QUEUE_BATCH: Final = 10
"""Messages that one receive, or one delete, takes at most."""
_POLLERS: Final = 5
_JUDGED_AT_ONCE: Final = 500
_JUDGED_SHARDS: Final = 2
"""Events a commit of the rules, and shards, where units were measured."""
_ITEM_OVERHEAD: Final = 100
"""Bytes that DynamoDB adds to what it bills for storing an item."""


@dataclass(frozen=True, slots=True)
class Assumed:
    """What no test measures."""

    retention_days: int = 90
    """Of entries and bodies; the classic design keeps its items as long."""
    marker_days: int = 38
    stream_days: int = 7
    headroom: float = 1.5
    """Shards are bought for so many times the steady rate."""
    ingest_seconds: float = 0.08
    ingest_seconds_an_event: float = 0.0005
    project_seconds: float = 0.25
    project_seconds_an_event: float = 0.0002
    notify_seconds: float = 0.05
    judge_seconds: float = 0.25
    judge_seconds_an_event: float = 0.0002
    function_gb: float = 1.0
    notify_window_seconds: float = 1.0
    classic_seconds: float = 0.03
    classic_gb: float = 0.125
    classic_index_bytes: int = 250
    """An index entry of the classic design: its keys and a few projected attributes."""
    classic_indexes: int = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """How this design is set for a rate: findings per second, seconds of the projector's batching window, options."""

    rate: float
    window_seconds: float
    compressed: bool = False
    """Whether ingest packs events on the stream (``FINDSTREAM_COMPRESS_BODIES``)."""
    queue: bool = True
    """False: EventBridge puts onto the stream itself, and one function publishes what it put as envelopes."""
    assumed: Assumed = field(default_factory=Assumed)


Bill = Mapping[str, float]
"""US dollars a month by what they are paid for."""


def shards(plan: Plan, counts: Counts) -> int:
    """How many shards the plan needs."""
    written = plan.rate * _on_stream(plan, counts) + (0 if plan.queue else plan.rate * counts.item_bytes)
    records = 0 if plan.queue else plan.rate / 1000
    return max(1, ceil(plan.assumed.headroom * max(written / _SHARD_BYTES, records)))


def batch(plan: Plan, counts: Counts) -> float:
    """Events that the projector gets of one shard in one window."""
    return max(1.0, plan.rate * plan.window_seconds / shards(plan, counts))


def put_units(plan: Plan, counts: Counts) -> float:
    """PUT payload units (25 KB) that an event takes on the stream: of the aggregates of a call of ingest, one a shard."""
    calls = _calls(plan, counts)
    aggregates = calls * min(shards(plan, counts), max(1.0, plan.rate / calls))
    units = aggregates * ceil(plan.rate / aggregates * _on_stream(plan, counts) / _PUT_UNIT)
    direct = 0 if plan.queue else ceil(counts.item_bytes / _PUT_UNIT)
    return units / plan.rate + direct


def ours(plan: Plan, counts: Counts, prices: Prices) -> Bill:
    """This design's bill."""
    return {
        "queue": _queue(plan, prices),
        "ingest function": _ingest(plan, counts, prices),
        "stream": _stream(plan, counts, prices),
        "projector and notifier": _readers(plan, counts, prices),
        "table: writes": _table(plan, counts, prices)[0],
        "table: reads by the projector": _table(plan, counts, prices)[1],
        "table: storage": _table(plan, counts, prices)[2],
        "bodies in S3": _bodies(plan, counts, prices),
        **judging(plan, counts, prices, counts.rules[1]),
    }


def judging(plan: Plan, counts: Counts, prices: Prices, judged: Judged) -> Bill:
    """What the rules cost. A commit of fewer events than were measured is counted as if it had so many.

    What is read beyond what no finding needs is of each shard.
    """
    a, number = plan.assumed, shards(plan, counts)
    calls = number / max(plan.window_seconds, number / plan.rate)
    busy = calls * a.judge_seconds + plan.rate * a.judge_seconds_an_event
    events = SECONDS * plan.rate * max(1.0, _JUDGED_AT_ONCE / batch(plan, counts))
    read = counts.rules[0].read + (judged.read - counts.rules[0].read) / _JUDGED_SHARDS * number
    return {
        "rules: function": SECONDS * (calls * prices.request + busy * a.function_gb * prices.gb_second),
        "rules: table": events * (judged.written * prices.write_unit + read * prices.read_unit),
    }


def classic(rate: float, counts: Counts, prices: Prices, assumed: Assumed) -> Bill:
    """The bill of a function call, a put and three index writes for each finding."""
    events = rate * SECONDS
    stored = counts.item_bytes + _ITEM_OVERHEAD + assumed.classic_indexes * (assumed.classic_index_bytes + _ITEM_OVERHEAD)
    return {
        "function": events * (prices.request + assumed.classic_seconds * assumed.classic_gb * prices.gb_second),
        "table: writes": events * classic_units(counts, assumed) * prices.write_unit,
        "table: storage": _kept(rate, assumed.retention_days) * stored / _GB * prices.table_gb_month,
    }


def classic_units(counts: Counts, assumed: Assumed) -> int:
    """Write units that a finding takes in the classic design: its item, and an entry in each index."""
    return ceil(counts.item_bytes / _KB) + assumed.classic_indexes * ceil(assumed.classic_index_bytes / _KB)


def total(bill: Bill) -> float:
    """The sum."""
    return sum(bill.values())


def _on_stream(plan: Plan, counts: Counts) -> float:
    return counts.compressed_bytes if plan.compressed else counts.record_bytes


def _kept(rate: float, days: float) -> float:
    return rate * 86_400 * days


def _queue(plan: Plan, prices: Prices) -> float:
    """A send an event; a receive and a delete for ten at most."""
    if not plan.queue:
        return 0.0
    batches = max(plan.rate / _QUEUE_BATCH, min(plan.rate, _POLLERS / plan.window_seconds))
    return SECONDS * (plan.rate + 2 * batches) * prices.queue_request


def _calls(plan: Plan, counts: Counts) -> float:
    """Calls of the ingest function a second: a batch a poller (or a shard) and window."""
    sources = _POLLERS if plan.queue else shards(plan, counts)
    return min(plan.rate, sources / plan.window_seconds)


def _ingest(plan: Plan, counts: Counts, prices: Prices) -> float:
    a, calls = plan.assumed, _calls(plan, counts)
    busy = calls * a.ingest_seconds + plan.rate * a.ingest_seconds_an_event
    return SECONDS * (calls * prices.request + busy * a.function_gb * prices.gb_second)


def _stream(plan: Plan, counts: Counts, prices: Prices) -> float:
    """Shard hours, kept for longer than a day, and PUT payload units."""
    hours = prices.shard_hour + (prices.extended_shard_hour if plan.assumed.stream_days > 1 else 0)
    return HOURS * shards(plan, counts) * hours + SECONDS * plan.rate * put_units(plan, counts) * prices.put_unit


def _readers(plan: Plan, counts: Counts, prices: Prices) -> float:
    a, number = plan.assumed, shards(plan, counts)
    folds = number / max(plan.window_seconds, number / plan.rate)
    notices = number / max(a.notify_window_seconds, number / plan.rate)
    busy = folds * a.project_seconds + plan.rate * a.project_seconds_an_event + notices * a.notify_seconds
    return SECONDS * ((folds + notices) * prices.request + busy * a.function_gb * prices.gb_second)


def _table(plan: Plan, counts: Counts, prices: Prices) -> tuple[float, float, float]:
    """Write units, read units, storage."""
    commit = counts.commit(batch(plan, counts))
    commits = SECONDS * plan.rate / min(commit.events, batch(plan, counts))
    entries = _kept(plan.rate, plan.assumed.retention_days) * commit.entry_bytes / commit.events
    markers = _kept(plan.rate, plan.assumed.marker_days) * commit.marker_bytes / commit.events
    return (
        commits * sum(commit.write_units.values()) * prices.write_unit,
        commits * commit.read_units * prices.read_unit,
        (entries + markers) / _GB * prices.table_gb_month,
    )


def _bodies(plan: Plan, counts: Counts, prices: Prices) -> float:
    """An object a batch."""
    puts = SECONDS * plan.rate / batch(plan, counts)
    stored = _kept(plan.rate, plan.assumed.retention_days) * counts.object_bytes
    return puts * prices.object_put + stored / _GB * prices.object_gb_month
