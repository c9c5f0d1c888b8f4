"""What ingest needs of a log and a quarantine, as a few dictionaries."""

from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256

from pipeline.log.port import Outcome, Position, Receipt, shard_for
from pipeline.quarantine.port import Quarantined, Reject, Status
from schemas.envelope import Envelope


class MemoryLog:
    """Four shards; a known id is refused. ``failures`` events more are answered with FAILED; bodies over ``most`` are refused."""

    def __init__(self, *, failures: int = 0, most: int = 1 << 30) -> None:
        self.most = most
        self.events: dict[str, list[Envelope]] = {f"shard-{n}": [] for n in range(4)}
        self.known: dict[str, Position] = {}
        self.appends: list[int] = []
        self.failures = failures

    @property
    def all(self) -> list[Envelope]:
        return [event for events in self.events.values() for event in events]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        self.appends.append(len(events))
        return [self._one(event) for event in events]

    def _one(self, event: Envelope) -> Receipt:
        if self.failures:
            self.failures -= 1
            return Receipt(event.id, Outcome.FAILED, None, "throttled")
        if len(event.body) > self.most:
            return Receipt(event.id, Outcome.REFUSED, None, "too large for this log")
        if event.id in self.known:
            return Receipt(event.id, Outcome.DUPLICATE, self.known[event.id])
        shard = shard_for(event.subject, 4)
        self.events[shard].append(event)
        self.known[event.id] = Position(shard, len(self.events[shard]))
        return Receipt(event.id, Outcome.ACCEPTED, self.known[event.id])


class MemoryQuarantine:
    """Keeps rejects by the digest of their bytes."""

    def __init__(self) -> None:
        self.items: dict[str, Quarantined] = {}

    @property
    def reasons(self) -> list[str]:
        return [item.reject.reason for item in self.items.values()]

    def put(self, rejects: Sequence[Reject]) -> list[str]:
        return [self._one(reject) for reject in rejects]

    def _one(self, reject: Reject) -> str:
        name = sha256(reject.payload).hexdigest()[:16]
        times = self.items[name].times if name in self.items else 0
        self.items[name] = Quarantined(name, reject, Status.HELD, 0, 0, times + 1)
        return name

    def list(self, *, status: Status | None = Status.HELD, after: str = "", limit: int = 50) -> list[Quarantined]:
        raise NotImplementedError

    def get(self, item_id: str) -> Quarantined | None:
        return self.items.get(item_id)

    def mark(self, item_id: str, status: Status) -> bool:
        self.items[item_id] = replace(self.items[item_id], status=status)
        return True

    def count(self) -> dict[Status, int]:
        return {status: sum(item.status is status for item in self.items.values()) for status in Status}
