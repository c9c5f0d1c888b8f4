"""A log in memory that is as awkward as Kinesis may be.

It takes every event it is given, known or not; packs several events into one record, told apart by sub-sequence; numbers records
beyond 64 bits and across a power of ten, so that comparing numbers as text fails; splits and merges shards; forgets.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from hashlib import md5
from threading import Condition

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Columns, Outcome, Position, Receipt, Record, Shard
from schemas.envelope import Envelope

EVENTS_A_RECORD = 3
FIRST_SEQUENCE = 10**21 - 3
_KEYS = 1 << 32


def soon_after(event: Envelope) -> int:
    """The recorded time of an event that travelled for a second."""
    return event.time_us + 1_000_000


@dataclass
class _Shard:
    told: Shard
    keys: range
    records: list[Record] = field(default_factory=list)


class MemoryLog:
    """The port. ``recorded`` gives an event's recorded time; while ``down``, every call raises ``LogUnavailable``."""

    def __init__(self, *, shards: int = 2, recorded: Callable[[Envelope], int] = soon_after) -> None:
        self.down = False
        self._recorded = recorded
        self._changed = Condition()
        self._shards: dict[str, _Shard] = {}
        self._made = 0
        for number in range(shards):
            self._make((), range(_KEYS * number // shards, _KEYS * (number + 1) // shards))

    def shards(self) -> Sequence[Shard]:
        with self._up():
            return [shard.told for shard in self._shards.values()]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        return [Receipt(event.id, Outcome.ACCEPTED, self.put(event)) for event in events]

    def put(self, event: Envelope, *, shard: str = "", recorded_us: int | None = None) -> Position:
        """Append one event, to its subject's shard or to another open one."""
        with self._up():
            there = self._shards[shard or self.shard_of(event.subject)]
            assert not there.told.closed, f"{there.told.id} is closed"
            sequence, sub = FIRST_SEQUENCE, 0
            if there.records:
                _, sequence, sub = there.records[-1].position
                sequence, sub = (sequence, sub + 1) if sub + 1 < EVENTS_A_RECORD else (sequence + 1, 0)
            position = Position(there.told.id, sequence, sub)
            there.records.append(Record(position, self._recorded(event) if recorded_us is None else recorded_us, event))
            self._changed.notify_all()
            return position

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        with self._up():
            records = [r for r in self._shards[shard].records if after is None or r.position > after][:limit]
        return batch_of(shard, records)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        with self._up():
            records = self._shards[shard].records
        before = next((number for number, r in enumerate(records) if r.recorded_us >= recorded_us), len(records))
        return records[before - 1].position if before else None

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        with self._up():
            held = {record.position: record for shard in self._shards.values() for record in shard.records}
            return [held.get(position) for position in positions]

    def heads(self) -> Mapping[str, Position]:
        with self._up():
            return {shard.told.id: shard.records[-1].position for shard in self._shards.values() if shard.records}

    def behind(self, positions: Mapping[str, Position]) -> int:
        with self._up():
            return sum(
                name not in positions or record.position > positions[name]
                for name, shard in self._shards.items()
                for record in shard.records
            )

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        with self._up():
            return self._changed.wait_for(lambda: self.behind(seen) > 0, timeout_seconds)

    def shard_of(self, subject: str) -> str:
        """The open shard that takes this subject's events."""
        key = int.from_bytes(md5(subject.encode(), usedforsecurity=False).digest()[:4])
        return next(name for name, shard in self._shards.items() if not shard.told.closed and key in shard.keys)

    def open_shards(self) -> list[str]:
        return [name for name, shard in self._shards.items() if not shard.told.closed]

    def neighbours(self) -> list[tuple[str, str]]:
        """The pairs of open shards that can be merged."""
        ends = {shard.keys.stop: name for name, shard in self._shards.items() if not shard.told.closed}
        return [
            (ends[self._shards[name].keys.start], name) for name in self.open_shards() if self._shards[name].keys.start in ends
        ]

    def split(self, parent: str) -> tuple[str, str]:
        """Close a shard and share its keys between two children."""
        with self._changed:
            keys = self._close(parent).keys
            middle = (keys.start + keys.stop) // 2
            return self._make((parent,), range(keys.start, middle)), self._make((parent,), range(middle, keys.stop))

    def merge(self, left: str, right: str) -> str:
        """Close two shards of adjacent keys and give both's to one child."""
        with self._changed:
            low, high = sorted((self._close(left).keys, self._close(right).keys), key=lambda keys: keys.start)
            assert low.stop == high.start, f"{left} and {right} are no neighbours"
            return self._make((left, right), range(low.start, high.stop))

    def forget(self, shard: str, events: int) -> None:
        """Let the first events of a shard pass out of retention."""
        with self._changed:
            there = self._shards[shard]
            del there.records[:events]
            there.told = replace(there.told, complete=False)

    def records(self) -> list[Record]:
        """All that it holds, shard by shard, parents before children."""
        return [record for shard in self._shards.values() for record in shard.records]

    def _make(self, parents: tuple[str, ...], keys: range) -> str:
        name = f"shard-{self._made}"
        self._made += 1
        self._shards[name] = _Shard(Shard(name, parents), keys)
        return name

    def _close(self, shard: str) -> _Shard:
        there = self._shards[shard]
        assert not there.told.closed, f"{shard} is closed"
        there.told = replace(there.told, closed=True)
        return there

    def _up(self) -> Condition:
        if self.down:
            message = "the log is down"
            raise LogUnavailable(message)
        return self._changed


def batch_of(shard: str, records: Sequence[Record]) -> Batch:
    """Records of one shard as a batch."""
    columns = Columns(*([getattr(record.event, name) for record in records] for name in Columns.__slots__))
    columns.resources = [list(resources) for resources in columns.resources]
    bodies = [record.event.body for record in records]
    return Batch(shard, [r.position for r in records], [r.recorded_us for r in records], columns, bodies)
