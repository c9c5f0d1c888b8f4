"""How small blocks become large ones, so that a log written in drops reads and compresses like one written in bulk.

Positions: do not move. A merged block holds the same events under the same numbers, and begins where the first one began.
Rewriting: an event is written once more, rarely twice: runs are merged when they are full, from a shard's first block on;
           what is behind the mark in ``packed`` is not looked at again.
Readers:   see the old blocks or the new one, never both nor neither. Compression happens outside the writer's turn.
Crash:     a re-pack that was killed has merged some runs and not others.
Space:     freed pages are used by the next appends; the file does not shrink.
"""

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from io import BytesIO
from typing import Final, NamedTuple

from pipeline.log.port import Columns
from pipeline.log.sqlite.blocks import BLOCK_EVENTS, COLUMNS, SMALL, decode_bodies, encode_bodies, encode_headers
from pipeline.log.sqlite.keys import address_of
from pipeline.log.sqlite.layout import INSERT_BLOCK
from pipeline.log.sqlite.reading import decoded, of_block
from pipeline.sqlite_file import SqliteFile

_MERGED_BYTES: Final = 4 << 20
"""Compressed; bounds the memory and time of one merge."""

_SIZES: Final = "SELECT address, count, length(bodies) FROM block WHERE address >= ? AND address < ? ORDER BY address"
_ROWS: Final = "SELECT address, count, since_us, headers, bodies FROM block WHERE address >= ? AND address < ? ORDER BY address"
_COUNTS: Final = "SELECT address, count FROM block WHERE address >= ? AND address < ? ORDER BY address"


@dataclass(frozen=True, slots=True)
class Repacked:
    """What a re-pack did: ``events`` events that stood in ``before`` blocks stand in ``after`` now."""

    events: int = 0
    before: int = 0
    after: int = 0


class _Run(NamedTuple):
    """Neighbouring blocks, as (address, count), that fit into one. ``full``: the block behind them would not fit in."""

    blocks: Sequence[tuple[int, int]]
    full: bool

    @property
    def start(self) -> int:
        return self.blocks[0][0]

    @property
    def end(self) -> int:
        address, count = self.blocks[-1]
        return address + count


def repack(file: SqliteFile, shards: int, limit: int, *, tail: bool) -> Repacked:
    """Merge at most ``limit`` runs; with ``tail`` also those at the end of a shard that are not full yet."""
    done = Repacked()
    for shard in range(shards):
        mark = start = _mark(file, shard)
        while done.after < limit:
            run = _next_run(file, start, address_of(shard + 1, 0))
            if not run.blocks or not (run.full or tail):
                break
            start = run.end
            mark = start if run.full else mark
            if len(run.blocks) > 1 and _merge(file, run):
                done = Repacked(done.events + run.end - run.start, done.before + len(run.blocks), done.after + 1)
        if mark != _mark(file, shard):
            with file.writing() as connection:
                connection.execute("INSERT OR REPLACE INTO packed (shard, address) VALUES (?, ?)", (shard, mark))
    return done


def _mark(file: SqliteFile, shard: int) -> int:
    with file.reading() as connection:
        row = connection.execute("SELECT address FROM packed WHERE shard = ?", (shard,)).fetchone()
    return row[0] if row else address_of(shard, 0)


def _next_run(file: SqliteFile, start: int, end: int) -> _Run:
    """The longest run of blocks from ``start`` on that fit into one; at least one block, if there is one."""
    blocks: list[tuple[int, int]] = []
    events = size = 0
    with file.reading() as connection, closing(connection.execute(_SIZES, (start, end))) as rows:
        for address, count, more in rows:
            if blocks and (events + count > BLOCK_EVENTS or size + more > _MERGED_BYTES):
                return _Run(blocks, full=True)
            blocks.append((address, count))
            events, size = events + count, size + more
    return _Run(blocks, full=False)


def _merge(file: SqliteFile, run: _Run) -> bool:
    """Put one block in the place of those of ``run``; false if another process did meanwhile."""
    merged = _merged(file, run)
    span = (run.start, run.end)
    with file.writing() as connection:
        if connection.execute(_COUNTS, span).fetchall() != run.blocks:
            return False
        connection.execute("DELETE FROM block WHERE address >= ? AND address < ?", span)
        connection.execute(INSERT_BLOCK, merged)
    return True


def _merged(file: SqliteFile, run: _Run) -> tuple[int, int, int, int, bytes, bytes]:
    """The row of the block that holds all events of ``run``."""
    columns = Columns()
    recorded_us: list[int] = []
    bodies: list[bytes] = []
    with file.reading() as connection, closing(connection.execute(_ROWS, (run.start, run.end))) as rows:
        for address, count, since_us, headers, packed_bodies in rows:
            block = decoded(address, count, since_us, headers)
            recorded_us += block.recorded_us
            for name in COLUMNS:
                getattr(columns, name).extend(getattr(block.columns, name))
            with of_block(address):
                for frame in decode_bodies(BytesIO(packed_bodies)):
                    bodies += frame.bodies
    times = recorded_us if recorded_us[0] != recorded_us[-1] else []
    headers = encode_headers(columns, times, bodies=bodies, level=SMALL)
    return run.start, len(recorded_us), recorded_us[0], recorded_us[-1], headers, encode_bodies(bodies, level=SMALL)
