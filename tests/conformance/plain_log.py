"""The model of the embedded log: lists in memory, and the contract in as few lines as it takes."""

from collections.abc import Callable, Mapping, Sequence
from threading import Condition

from pipeline.log.port import Batch, Columns, Outcome, Position, Receipt, Record, Shard, shard_for
from schemas.envelope import Envelope


class PlainLog:
    """A log that refuses known ids and numbers the events of each shard 0, 1, 2, …"""

    def __init__(self, *, shards: int, clock: Callable[[], int]) -> None:
        self._clock = clock
        self._records: dict[str, list[Record]] = {f"shard-{number}": [] for number in range(shards)}
        self._known: dict[str, Position] = {}
        self._changed = Condition()

    def shards(self) -> Sequence[Shard]:
        return [Shard(name) for name in self._records]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        with self._changed:
            self._changed.notify_all()
            return [self._append(event) for event in events]

    def _append(self, event: Envelope) -> Receipt:
        if event.id in self._known:
            return Receipt(event.id, Outcome.DUPLICATE, self._known[event.id])
        shard = shard_for(event.subject, len(self._records))
        records = self._records[shard]
        recorded_us = max([self._clock(), *[record.recorded_us for record in records[-1:]]])
        position = self._known[event.id] = Position(shard, len(records))
        records.append(Record(position, recorded_us, event))
        return Receipt(event.id, Outcome.ACCEPTED, position)

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        start = 0 if after is None else after.sequence + 1
        return batch_of(shard, self._records.get(shard, [])[start : start + limit])

    def since(self, shard: str, recorded_us: int) -> Position | None:
        before = [record.position for record in self._records.get(shard, []) if record.recorded_us < recorded_us]
        return before[-1] if before else None

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        held = {record.position: record for records in self._records.values() for record in records}
        return [held.get(position) for position in positions]

    def find(self, event_id: str) -> Position | None:
        return self._known.get(event_id)

    def heads(self) -> Mapping[str, Position]:
        return {shard: records[-1].position for shard, records in self._records.items() if records}

    def behind(self, positions: Mapping[str, Position]) -> int:
        return sum(
            shard not in positions or record.position > positions[shard]
            for shard, records in self._records.items()
            for record in records
        )

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.behind(seen) > 0, timeout_seconds)


def batch_of(shard: str, records: Sequence[Record]) -> Batch:
    """These records as a batch."""
    columns = Columns()
    for record in records:
        for name in Columns.__slots__:
            value = getattr(record.event, name)
            getattr(columns, name).append(list(value) if name == "resources" else value)
    positions = [record.position for record in records]
    recorded_us = [record.recorded_us for record in records]
    return Batch(shard, positions, recorded_us, columns, [record.event.body for record in records])
