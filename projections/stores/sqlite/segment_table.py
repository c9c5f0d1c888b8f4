"""Segments of the event index in SQLite: packed rows by day, and fingerprints of the words and values in the sealed ones.

Commits append small segments; when a day's small ones add up, they are merged, sorted, and sealed. A question with terms looks at
the fingerprints of the sealed segments in its range, some 15 bytes an entry, and opens those that hold all, and every small one.
"""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Final

from projections.event_index import Direction, PackedSegment, Sought
from projections.segments import DAY_US, SEALED_ENTRIES, Entries, chunks, pack, prints, prints_of, unpack

SCHEMA: Final = """
CREATE TABLE segment(
  number INTEGER PRIMARY KEY, day INTEGER NOT NULL, min_us INTEGER NOT NULL, max_us INTEGER NOT NULL,
  max_severity INTEGER NOT NULL, count INTEGER NOT NULL, prints BLOB, blob BLOB NOT NULL
);
CREATE INDEX segment_by_end ON segment(day, max_us);
CREATE INDEX segment_by_start ON segment(day, min_us);
CREATE INDEX segment_small ON segment(day) WHERE prints IS NULL;
"""

_SMALL_SEGMENTS: Final = 32
"""A day's small segments, at most, before they are merged into one that is not sealed yet."""


def insert(connection: sqlite3.Connection, entries: Entries) -> None:
    """Add entries, in the caller's transaction."""
    for day, indices in entries.by_day().items():
        rows, count = connection.execute(
            "SELECT count(*), coalesce(sum(count), 0) FROM segment WHERE day = ? AND prints IS NULL", (day,)
        ).fetchone()
        seal = count + len(indices) >= SEALED_ENTRIES
        if rows and (seal or rows >= _SMALL_SEGMENTS):
            whole = _take_small(connection, day)
            whole.extend(entries.select(indices))
            _insert(connection, day, whole, whole.by_day()[day], seal=seal)
        else:
            _insert(connection, day, entries, indices, seal=seal)


def _take_small(connection: sqlite3.Connection, day: int) -> Entries:
    """Take a day's small segments out of the table; returns their entries."""
    small = Entries()
    for (blob,) in connection.execute("SELECT blob FROM segment WHERE day = ? AND prints IS NULL ORDER BY number", (day,)):
        small.extend(unpack(blob))
    connection.execute("DELETE FROM segment WHERE day = ? AND prints IS NULL", (day,))
    return small


def _insert(connection: sqlite3.Connection, day: int, entries: Entries, indices: Sequence[int], *, seal: bool) -> None:
    """Write the rows at ``indices``, which are sorted, as one small segment, or as sealed ones of the usual size."""
    for chunk in chunks(indices) if seal else (indices,):
        part = entries.select(chunk)
        connection.execute(
            "INSERT INTO segment(day, min_us, max_us, max_severity, count, prints, blob) VALUES (?, ?, ?, ?, ?, ?, ?)",
            (
                day,
                part.time_us[0],
                part.time_us[-1],
                max(part.severity),
                len(part),
                prints(part) if seal else None,
                pack(part),
            ),
        )


def select(connection: sqlite3.Connection, sought: Sought, direction: Direction) -> Iterator[PackedSegment]:
    """Segments that may hold what is sought, read one by one as they are asked for."""
    order = "day DESC, max_us DESC" if direction == "desc" else "day, min_us"
    columns = "number, prints" if sought.terms else "min_us, max_us, blob"
    rows = connection.execute(
        f"SELECT {columns} FROM segment WHERE day BETWEEN :first AND :last"  # noqa: S608  # fixed parts only
        f" AND min_us < :until AND max_us >= :since AND max_severity >= :severity ORDER BY {order}",
        {
            "first": sought.since_us // DAY_US,
            "last": (sought.until_us - 1) // DAY_US,
            "since": sought.since_us,
            "until": sought.until_us,
            "severity": sought.min_severity,
        },
    )
    if not sought.terms:
        yield from (PackedSegment(*row) for row in rows)
        return
    wanted = prints_of(sought.terms)
    for number, held in rows:
        if held is None or all(map(held.__contains__, wanted)):
            yield _segment(connection, number)


def _segment(connection: sqlite3.Connection, number: int) -> PackedSegment:
    return PackedSegment(*connection.execute("SELECT min_us, max_us, blob FROM segment WHERE number = ?", (number,)).fetchone())
