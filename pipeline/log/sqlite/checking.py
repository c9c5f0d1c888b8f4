"""Whether the file still holds what was put in: every block read back, every id where it should be.

Promise: a list of named problems, empty if all is well; at most ``MOST`` of them. It sees one committed state and disturbs
no writer, but the WAL cannot shrink meanwhile; it reads the whole log, some 100,000 events a second.
"""

import sqlite3
from collections.abc import Generator, Iterator
from contextlib import closing
from dataclasses import dataclass
from enum import StrEnum
from io import BytesIO
from itertools import islice
from typing import Final, NamedTuple

from pipeline.errors import LogCorrupted
from pipeline.log.sqlite import known
from pipeline.log.sqlite.blocks import decode_bodies
from pipeline.log.sqlite.keys import SEQUENCE_BITS, address_of, keys_of, position_at, shard_of
from pipeline.log.sqlite.layout import COVERING
from pipeline.log.sqlite.reading import decoded, of_block
from pipeline.sqlite_file import SqliteFile

MOST: Final = 100

_ROWS: Final = """
SELECT address, count, since_us, until_us, headers, bodies FROM block WHERE address >= ? AND address < ? ORDER BY address
"""
_COVERED: Final = f"""
SELECT 1 FROM block WHERE address = ({COVERING.replace(":start", "0").replace(":address", "known.address")})
AND known.address < block.address + block.count
"""  # noqa: S608 constants
_STRAYS: Final = f"""
SELECT hex(id), address FROM known
WHERE NOT EXISTS ({_COVERED}) OR address IN (SELECT address FROM known GROUP BY address HAVING count(*) > 1) LIMIT :most
"""  # noqa: S608 constants


class Flaw(StrEnum):
    """What can be wrong."""

    FILE_DAMAGED = "file-damaged"
    """SQLite itself finds the file inconsistent."""
    BLOCK_UNREADABLE = "block-unreadable"
    EVENTS_MISSING = "events-missing"
    """Sequence numbers are skipped."""
    BLOCKS_OVERLAP = "blocks-overlap"
    TIME_RUNS_BACK = "time-runs-back"
    """An event was recorded before the one that stands before it, or not when its block says."""
    WRONG_SHARD = "wrong-shard"
    """A subject's event stands in another shard than the subject's."""
    ID_UNKNOWN = "id-unknown"
    """An event's id would not be refused."""
    ID_MISPLACED = "id-misplaced"
    """An id is said to stand where another event stands."""
    ID_WITHOUT_EVENT = "id-without-event"
    """An id would be refused, though the log does not hold its event."""


@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that is wrong. ``where`` is a position, or empty if it is the whole file."""

    flaw: Flaw
    where: str
    detail: str


class _Row(NamedTuple):
    """A row of ``block``."""

    address: int
    size: int
    since_us: int
    until_us: int
    headers: bytes
    bodies: bytes


def check(file: SqliteFile, shards: int) -> list[Problem]:
    """Read everything back. Raises ``LogUnavailable``."""
    problems: list[Problem] = []
    try:
        with file.snapshot() as connection, closing(_problems(connection, shards)) as found:
            problems.extend(islice(found, MOST))
    except LogCorrupted as broken:
        problems.append(Problem(Flaw.FILE_DAMAGED, "", str(broken)))
    return problems


def _problems(connection: sqlite3.Connection, shards: int) -> Generator[Problem, None, None]:
    for (line,) in connection.execute(f"PRAGMA quick_check({MOST})"):
        if line != "ok":
            yield Problem(Flaw.FILE_DAMAGED, "", line)
    events = 0
    for shard in range(shards):
        due, until_us = address_of(shard, 0), 0
        span = due, address_of(shard + 1, 0)
        with closing(connection.execute(_ROWS, span)) as rows:
            for row in map(_Row._make, rows):
                yield from _place(row, due, until_us)
                yield from _contents(connection, row, shards)
                due, until_us = row.address + row.size, row.until_us
                events += row.size
    (ids,) = connection.execute("SELECT count(*) FROM known").fetchone()
    if ids != events:
        yield from _strays(connection)


def _place(row: _Row, due: int, until_us: int) -> Iterator[Problem]:
    """What is wrong with where a block stands, behind one that ended before ``due`` at the time ``until_us``."""
    where = str(position_at(row.address))
    if row.address > due:
        yield Problem(Flaw.EVENTS_MISSING, str(position_at(due)), f"{row.address - due} events, up to {where}")
    if row.address < due:
        yield Problem(Flaw.BLOCKS_OVERLAP, where, f"the block before it ends behind {position_at(due - 1)}")
    if row.since_us < until_us:
        yield Problem(Flaw.TIME_RUNS_BACK, where, f"recorded at {row.since_us}, the event before it at {until_us}")


def _contents(connection: sqlite3.Connection, row: _Row, shards: int) -> Iterator[Problem]:
    """What is wrong within a block."""
    where = str(position_at(row.address))
    try:
        block = decoded(row.address, row.size, row.since_us, row.headers)
        with of_block(row.address):
            bodies = sum(len(frame.bodies) for frame in decode_bodies(BytesIO(row.bodies)))
    except LogCorrupted as broken:
        yield Problem(Flaw.BLOCK_UNREADABLE, where, str(broken))
        return
    if bodies != row.size:
        yield Problem(Flaw.BLOCK_UNREADABLE, where, f"{bodies} bodies for {row.size} events")
    times = [row.since_us, *block.recorded_us, row.until_us]
    if times != sorted(times) or times[0] != times[1] or times[-1] != times[-2]:
        yield Problem(Flaw.TIME_RUNS_BACK, where, f"not all recorded in order from {row.since_us} to {row.until_us}")
    standing = known.find(connection, keys_of(block.columns.id))
    for number, (event_id, subject) in enumerate(zip(block.columns.id, block.columns.subject, strict=True)):
        here = row.address + number
        if shard_of(subject, shards) != here >> SEQUENCE_BITS:
            yield Problem(Flaw.WRONG_SHARD, str(position_at(here)), f"subject {subject}")
        if number not in standing:
            yield Problem(Flaw.ID_UNKNOWN, str(position_at(here)), event_id)
        elif standing[number] != here:
            yield Problem(
                Flaw.ID_MISPLACED, str(position_at(here)), f"{event_id} is said to stand at {position_at(standing[number])}"
            )


def _strays(connection: sqlite3.Connection) -> Iterator[Problem]:
    """Ids of no event: what they point at is in no block, or is another event's."""
    for key, address in connection.execute(_STRAYS, {"most": MOST}):
        yield Problem(Flaw.ID_WITHOUT_EVENT, str(position_at(address)), f"key {key}")
