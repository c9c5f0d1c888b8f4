"""The way in, as the product takes a file of lines."""

from collections.abc import Sequence

from pipeline.ingest import Ingest
from pipeline.quarantine.sqlite import SqliteQuarantine
from tests.bench.setting import Ours


def ingest_of(parts: Ours) -> Ingest:
    """Ingest onto the log of ``parts``."""
    return Ingest(parts.log, SqliteQuarantine(parts.folder / "quarantine.db", clock=parts.clock), clock=parts.clock)


def ingest(into: Ingest, lines: Sequence[bytes]) -> None:
    """Parse, validate and append lines, in batches of 1,000."""
    tally = into.take_lines(lines, origin="bench")
    if tally.quarantined:
        message = f"{tally.quarantined} of the samples were quarantined"
        raise RuntimeError(message)
