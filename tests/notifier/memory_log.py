"""A log in memory, as forgetful of repeats as Kinesis: it takes every event it is given, known or not."""

from collections.abc import Mapping, Sequence
from threading import Condition

from pipeline.errors import LogUnavailable
from pipeline.log.port import Batch, Outcome, Position, Receipt, Record, Shard, shard_for
from schemas.envelope import Envelope
from tests.support.memory_log import batch_of


class MemoryLog:
    """The port. ``down`` makes it unavailable; ``refusing`` makes single events fail; ``lost`` positions cannot be fetched."""

    def __init__(self, shards: int = 2) -> None:
        self.layout = [Shard(f"shard-{number}") for number in range(shards)]
        self.down = False
        self.refusing: set[str] = set()
        self.lost: set[Position] = set()
        self._records: dict[str, list[Record]] = {}
        self._changed = Condition()

    def shards(self) -> Sequence[Shard]:
        self._check()
        return list(self.layout)

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        return [self.put(event, shard_for(event.subject, 2)) for event in events]

    def put(self, event: Envelope, shard: str) -> Receipt:
        self._check()
        if event.type in self.refusing:
            return Receipt(event.id, Outcome.FAILED, None, "refused by the test")
        with self._changed:
            records = self._records.setdefault(shard, [])
            position = Position(shard, len(records) + 1)
            records.append(Record(position, event.time_us, event))
            self._changed.notify_all()
        return Receipt(event.id, Outcome.ACCEPTED, position)

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        self._check()
        begin = after.sequence if after else 0
        records = self._records.get(shard, [])[begin : begin + limit]
        return batch_of(shard, records)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        self._check()
        before = [record.position for record in self._records.get(shard, []) if record.recorded_us < recorded_us]
        return before[-1] if before else None

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        self._check()
        return [None if place in self.lost else self._records[place.shard][place.sequence - 1] for place in positions]

    def heads(self) -> Mapping[str, Position]:
        self._check()
        return {shard: records[-1].position for shard, records in self._records.items() if records}

    def behind(self, positions: Mapping[str, Position]) -> int:
        return sum(
            head.sequence - (positions[shard].sequence if shard in positions else 0) for shard, head in self.heads().items()
        )

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: any(seen.get(k) != v for k, v in self.heads().items()), timeout_seconds)

    def events(self, prefix: str = "") -> list[Envelope]:
        """All events whose type begins with ``prefix``, shard by shard."""
        return [r.event for records in self._records.values() for r in records if r.event.type.startswith(prefix)]

    def _check(self) -> None:
        if self.down:
            message = "the test has taken the log down"
            raise LogUnavailable(message)
