"""The tables of the embedded log, and the few statements that several of its modules share.

``meta``   what was fixed when the log was made: its number of shards.
``block``  the events. ``address`` is the first one's (see ``keys``), ``count`` how many; since and until say when the first
           and the last were recorded, in microseconds since the epoch. ``headers`` stands before ``bodies``, so that
           reading it touches no page of the other.
``known``  every event's key, and where it stands.
``number`` 0, 1, 2, … ``NUMBERS``, to join with.
``packed`` up to which address (exclusive) a shard's blocks are as large as they get.
"""

import sqlite3
from typing import Final

from pipeline.errors import LogCorrupted, LogFull, LogUnavailable
from pipeline.log.sqlite.keys import address_of
from pipeline.sqlite_file import Errors, Schema

NUMBERS: Final = 4096
"""A block has fewer events, in this format."""

ERRORS: Final = Errors(LogUnavailable, LogFull, LogCorrupted)

_TABLES: Final = (
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    """CREATE TABLE block (
    address INTEGER PRIMARY KEY, count INTEGER NOT NULL, since_us INTEGER NOT NULL, until_us INTEGER NOT NULL,
    headers BLOB NOT NULL, bodies BLOB NOT NULL) STRICT""",
    "CREATE TABLE known (id BLOB PRIMARY KEY, address INTEGER NOT NULL) STRICT, WITHOUT ROWID",
    "CREATE TABLE number (i INTEGER PRIMARY KEY) STRICT",
    "CREATE TABLE packed (shard INTEGER PRIMARY KEY, address INTEGER NOT NULL) STRICT",
)

COVERING: Final = "SELECT address FROM block WHERE address BETWEEN :start AND :address ORDER BY address DESC LIMIT 1"
"""The address of the block that holds the event at an address, if any does; ``start`` is that of its shard."""

INSERT_BLOCK: Final = "INSERT INTO block (address, count, since_us, until_us, headers, bodies) VALUES (?, ?, ?, ?, ?, ?)"

_HEAD: Final = "SELECT address + count, until_us FROM block WHERE address BETWEEN ? AND ? ORDER BY address DESC LIMIT 1"


def schema(shards: int) -> Schema:
    """The schema of a new log with ``shards`` shards. The application id is ``fslg`` in ASCII."""
    rows = (
        f"INSERT INTO meta (name, value) VALUES ('shards', {int(shards)})",  # noqa: S608 an integer
        f"INSERT INTO number WITH n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {NUMBERS}) SELECT i FROM n",  # noqa: S608
    )
    return Schema(0x66736C67, 1, (*_TABLES, *rows))


def shards_of(connection: sqlite3.Connection) -> int:
    """The number of shards, as it was fixed when the log was made."""
    (number,) = connection.execute("SELECT value FROM meta WHERE name = 'shards'").fetchone()
    return int(number)


def head(connection: sqlite3.Connection, shard: int) -> tuple[int, int]:
    """The address for the next event of a shard, and when its last one was recorded (0 if it has none)."""
    start = address_of(shard, 0)
    found: tuple[int, int] | None = connection.execute(_HEAD, (start, address_of(shard + 1, 0) - 1)).fetchone()
    return found or (start, 0)
