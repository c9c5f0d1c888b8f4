"""A log whose events are fetched from the bodies first: for readers, who must not depend on how long a stream keeps them."""

from collections.abc import Mapping, Sequence

from pipeline.bodies.port import Bodies
from pipeline.log.port import Batch, Log, Position, Receipt, Record, Shard
from schemas.envelope import Envelope


class LogWithBodies:
    """The port of the log: ``log``, but ``fetch`` asks ``bodies`` first, and ``log`` for what is not there."""

    def __init__(self, log: Log, bodies: Bodies) -> None:
        self._log = log
        self._bodies = bodies

    def shards(self) -> Sequence[Shard]:
        """As the log says."""
        return self._log.shards()

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """As the log does."""
        return self._log.append(events)

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        """As the log does."""
        return self._log.read(shard, after, limit)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        """As the log says."""
        return self._log.since(shard, recorded_us)

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions, wherever they are."""
        found = self._bodies.fetch(positions)
        missing = [position for position, record in zip(positions, found, strict=True) if record is None]
        others = iter(self._log.fetch(missing)) if missing else iter(())
        return [next(others) if record is None else record for record in found]

    def heads(self) -> Mapping[str, Position]:
        """As the log says."""
        return self._log.heads()

    def behind(self, positions: Mapping[str, Position]) -> int:
        """As the log says."""
        return self._log.behind(positions)

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        """As the log does."""
        return self._log.wait(seen, timeout_seconds)
