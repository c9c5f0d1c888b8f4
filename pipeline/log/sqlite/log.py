"""The embedded log: the port over one SQLite file, for many threads and processes at once.

Order:      append order per subject, also between processes; sequences of a shard are 0, 1, 2, … without a gap.
Delivery:   exactly once: a known id is refused, and its receipt tells where it stands.
Durability: ``append`` returns after a sync; concurrent callers of a process share one.
Recorded:   the clock's time, but never before the shard's last event's.
Atomicity:  a call is stored whole or not at all.
Genesis:    nothing is ever forgotten.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from pipeline.errors import LogCorrupted
from pipeline.log.group_commit import GroupCommit
from pipeline.log.port import Batch, Columns, Position, Receipt, Record, Shard
from pipeline.log.sqlite import known
from pipeline.log.sqlite.appending import Prepared, Storing, prepare
from pipeline.log.sqlite.checking import Problem, check
from pipeline.log.sqlite.keys import LAST_SEQUENCE, address_of, position_at, shard_name, shard_number
from pipeline.log.sqlite.layout import ERRORS, head, schema, shards_of
from pipeline.log.sqlite.reading import Reader
from pipeline.log.sqlite.repacking import Repacked, repack
from pipeline.log.sqlite.tailing import Tail
from pipeline.sqlite_backup import back_up
from pipeline.sqlite_file import Connect, SqliteFile, connect
from schemas.envelope import Envelope


class SqliteLog:
    """The log in the file at ``path``, made with ``shards`` shards if there is none; an existing one keeps its number.

    ``clock`` gives microseconds since the epoch. Raises ``LogUnavailable``, or ``UnknownFormat`` if the file is no log.
    """

    def __init__(self, path: Path, *, shards: int = 4, clock: Callable[[], int], connect: Connect = connect) -> None:
        self._clock = clock
        self._file = SqliteFile(path, schema(shards), ERRORS, connect=connect)
        try:
            with self._file.reading() as connection:
                self._shards = shards_of(connection)
        except LogCorrupted:
            self._file.close()
            raise
        self._reader = Reader(self._file)
        self._tail = Tail(self._file)
        self._commits: GroupCommit[Prepared, list[Receipt]] = GroupCommit(self._write)

    def shards(self) -> Sequence[Shard]:
        """All shards, by number. Their number is fixed when the log is made."""
        return [Shard(shard_name(number)) for number in range(self._shards)]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        """Append events, all or none. A repeated id, also within ``events``, is a duplicate and keeps its first position.

        Raises ``LogFull`` or ``LogUnavailable``; then none of them was accepted, and retrying is safe.
        """
        return self._commits.submit(prepare(events, self._shards)) if events else []

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        """At most ``limit`` events behind ``after``. Bodies are read and decompressed on access.

        Raises ``LogUnavailable`` or ``LogCorrupted``, both also on access to a body.
        """
        number = shard_number(shard)
        sequence = 0 if after is None else after.sequence + 1
        if number is None or number >= self._shards or sequence > LAST_SEQUENCE:
            return Batch(shard, [], [], Columns(), [])
        return self._reader.batch(number, sequence, limit)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        """The last event recorded before ``recorded_us``, exactly; None if there is none."""
        number = shard_number(shard)
        if number is None or number >= self._shards:
            return None
        sequence = self._reader.since(number, recorded_us)
        return Position(shard, sequence - 1) if sequence else None

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions; None where there is none."""
        found = {position: self._record(position) for position in sorted(set(positions))}
        return [found[position] for position in positions]

    def find(self, event_id: str) -> Position | None:
        """Where the event with this id stands; None if the log does not hold it."""
        with self._file.reading() as connection:
            address = known.address_of_id(connection, event_id)
        return None if address is None else position_at(address)

    def heads(self) -> Mapping[str, Position]:
        """The last position of every shard that holds events."""
        with self._file.reading() as connection:
            ends = [(shard, head(connection, shard)[0]) for shard in range(self._shards)]
        return {shard_name(shard): position_at(end - 1) for shard, end in ends if end > address_of(shard, 0)}

    def behind(self, positions: Mapping[str, Position]) -> int:
        """How many events stand behind these positions, exactly: sequence numbers have no gaps."""
        return sum(
            head.sequence - (positions[shard].sequence if shard in positions else -1) for shard, head in self.heads().items()
        )

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        """Wait for events behind ``seen``, from this process or another; it takes no CPU worth mentioning."""
        return self._tail.wait(lambda: self._holds_more_than(seen), timeout_seconds)

    def repack(self, limit: int = 16, *, tail: bool = False) -> Repacked:
        """Merge small neighbouring blocks, at most ``limit`` times: a few tens of milliseconds each, writers wait for less.

        Runs that do not fill a block yet are left for later, unless ``tail``. Call it now and then, and again while it
        returns something. Raises ``LogFull``, ``LogUnavailable`` or ``LogCorrupted``; nothing is lost by either.
        """
        return repack(self._file, self._shards, limit, tail=tail)

    def check(self) -> list[Problem]:
        """Read everything back; what is wrong, named. Empty if all is well. Raises ``LogUnavailable``."""
        return check(self._file, self._shards)

    def backup(self, target: Path) -> None:
        """Copy the log as it is at one moment to ``target``, replacing it; appends go on meanwhile. Raises ``BackupFailed``."""
        back_up(self._file, target)

    def close(self) -> None:
        """Give all files back. Later calls raise ``LogUnavailable``, and so do those that wait."""
        self._file.close()
        self._tail.announce()

    def _write(self, calls: Sequence[Prepared]) -> list[list[Receipt]]:
        with self._file.writing() as connection:
            storing = Storing(connection, self._clock())
            receipts = [storing.store(call) for call in calls]
        self._tail.announce()
        return receipts

    def _record(self, position: Position) -> Record | None:
        batch = self.read(position.shard, position._replace(sequence=position.sequence - 1), 1)
        return batch.record(0) if len(batch) and batch.positions[0] == position else None

    def _holds_more_than(self, seen: Mapping[str, Position]) -> bool:
        return any(shard not in seen or last > seen[shard] for shard, last in self.heads().items())
