"""The log read in lockstep: all shards about equally far by recorded time, up to where it ended when the reading began.

Order:  per shard, in log order, a shard's parents first; among shards, the one that is furthest behind is read next.
Memory: one batch at a time, whatever the length of the log.
"""

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, NamedTuple

from consumers.rules.history.errors import Cancelled
from pipeline.log.port import Batch, Log, Position, Shard

BATCH_EVENTS: Final = 5_000
ENDED_US: Final = 1 << 62
"""Later than anything is recorded."""
_UNREAD_US: Final = -1


class Step(NamedTuple):
    """A batch that was read; ``read_us``: what was recorded before then, on any shard, has been read with it."""

    batch: Batch
    read_us: int


class Progress(NamedTuple):
    """How far a reading is, in events."""

    done: int
    total: int


@dataclass(slots=True)
class Watch:
    """How a long reading goes: ``cancelled`` is asked before each batch of ``batch_events``, ``on_progress`` told after it."""

    on_progress: Callable[[Progress], None] = lambda _: None
    cancelled: Callable[[], bool] = lambda: False
    batch_events: int = BATCH_EVENTS


@dataclass(slots=True)
class _Lane:
    """One shard's reading. ``last`` is where it ends, None if it held nothing when the reading began."""

    shard: Shard
    after: Position | None
    last: Position | None
    read_us: int = _UNREAD_US


def steps(log: Log, recorded_us: int, watch: Watch, until: Mapping[str, Position] | None = None) -> Iterator[Step]:
    """All that was recorded from ``recorded_us`` on, and perhaps some before; nothing behind ``until``, if that is given.

    Raises ``Cancelled``, ``LogUnavailable`` or ``LogCorrupted``.
    """
    shards = log.shards()  # before the heads: a shard that is made meanwhile holds nothing that belongs to this reading
    heads = log.heads()
    if until is not None:
        heads = {shard: min(head, until[shard]) for shard, head in heads.items() if shard in until}
    lanes = {shard.id: _Lane(shard, log.since(shard.id, recorded_us), heads.get(shard.id)) for shard in shards}
    total = log.behind({name: lane.after for name, lane in lanes.items() if lane.after})
    done = 0
    while open_lanes := _readable(lanes):
        if watch.cancelled():
            raise Cancelled
        lane = min(open_lanes, key=lambda each: each.read_us)
        batch = _next(log, lane, watch.batch_events)
        if not len(batch) or batch.positions[-1] == lane.last:
            del lanes[lane.shard.id]
        done += len(batch)
        yield Step(batch, min((each.read_us for each in _readable(lanes)), default=ENDED_US))
        watch.on_progress(Progress(done, max(done, total)))


def complete_since(log: Log, recorded_us: int, shards: Sequence[Shard] | None = None) -> bool:
    """Whether the log still holds all that was recorded from ``recorded_us`` on."""
    for shard in log.shards() if shards is None else shards:
        if not shard.complete:
            first = log.read(shard.id, None, 1)
            if len(first) and first.recorded_us[0] > recorded_us:
                return False
    return True


def _readable(lanes: Mapping[str, _Lane]) -> list[_Lane]:
    """The lanes whose parents have been read to their end. What a child holds was recorded later than all of its parents'."""
    return [lane for lane in lanes.values() if lanes.keys().isdisjoint(lane.shard.parents)]


def _next(log: Log, lane: _Lane, limit: int) -> Batch:
    batch = log.read(lane.shard.id, lane.after, limit)
    if lane.last is None:
        return batch.select(())
    count = bisect_right(batch.positions, lane.last)
    if count < len(batch):
        batch = batch.select(range(count))
    if count:
        lane.after = batch.positions[-1]
        lane.read_us = max(lane.read_us, batch.recorded_us[-1])
    return batch
