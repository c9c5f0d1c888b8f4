"""A desk that takes input in: the real log and quarantine in a folder, and what stands in them afterwards."""

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from pipeline.ingest import Ingest
from pipeline.log.port import Record
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.port import Quarantined
from pipeline.quarantine.sqlite import SqliteQuarantine
from schemas.envelope import Envelope
from tests.log.made_up import Clock


@dataclass
class Desk:
    ingest: Ingest
    log: SqliteLog
    quarantine: SqliteQuarantine

    @property
    def records(self) -> list[Record]:
        """All of the log, shard after shard."""
        return [record for shard in self.log.shards() for record in self.log.read(shard.id, None, 100_000).records()]

    @property
    def events(self) -> list[Envelope]:
        return [record.event for record in self.records]

    @property
    def held(self) -> list[Quarantined]:
        """What the quarantine holds, oldest first."""
        found: list[Quarantined] = []
        while page := self.quarantine.list(limit=500, after=found[-1].id if found else ""):
            found += page
        return found[::-1]


@contextmanager
def desk(folder: Path, *, custom: frozenset[str] = frozenset()) -> Iterator[Desk]:
    """A desk over files in ``folder``, which stay when it closes."""
    clock = Clock()
    with (
        closing(SqliteLog(folder / "log.db", shards=4, clock=clock)) as log,
        closing(SqliteQuarantine(folder / "quarantine.db", clock=clock)) as quarantine,
    ):
        yield Desk(Ingest(log, quarantine, clock=clock, custom_sources=custom), log, quarantine)
