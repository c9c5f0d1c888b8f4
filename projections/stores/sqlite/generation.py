"""One generation of a projection in one SQLite file.

Commit:  one transaction; WAL and synchronous=NORMAL, since rows can be folded again from the log.
Reading: each reader has a connection of its own; transactions are as short as the ``reading`` context.
Build:   a generation that does not serve yet is written without a journal; a broken build is thrown away, never repaired.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from pipeline.log.port import Position
from projections.errors import Fenced, GenerationGone
from projections.event_index import Direction, PackedSegment, Sought
from projections.projection import CountKey, Document, Parked
from projections.stores.port import Commit, GenerationInfo, GenerationRows, Marker
from projections.stores.sqlite import counter_table, segment_table
from projections.stores.sqlite.connections import Connections, connect, translated

_SCHEMA: Final = """
CREATE TABLE checkpoint(shard TEXT PRIMARY KEY, token TEXT NOT NULL, sequence TEXT, sub INTEGER) WITHOUT ROWID;
CREATE TABLE marker(hour INTEGER NOT NULL, day INTEGER NOT NULL, small INTEGER NOT NULL, ids BLOB NOT NULL);
CREATE INDEX marker_by_hour ON marker(hour, day);
CREATE INDEX marker_small ON marker(hour, day) WHERE small;
CREATE TABLE parked(
  number INTEGER PRIMARY KEY, key TEXT NOT NULL, shard TEXT NOT NULL, sequence TEXT NOT NULL, sub INTEGER NOT NULL,
  recorded_us INTEGER NOT NULL, event BLOB NOT NULL, error TEXT NOT NULL
);
CREATE INDEX parked_by_position ON parked(shard, sequence, sub);
CREATE TABLE document(key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
"""

_SMALL_MARKER: Final = 64 * 18
_SMALL_MARKERS: Final = 64
_SMALL: Final = "FROM marker WHERE hour = ? AND day = ? AND small"
_VARIABLES: Final = 500
"""Bound to one statement; SQLite's limit is 32,766 (SQLite, "Implementation Limits")."""
_FROM: Final = "SELECT key, value FROM document WHERE key > ? AND key < ? ORDER BY key LIMIT ?"
_OF_KIND: Final = "SELECT key, value FROM document WHERE key >= ? AND key < ? ORDER BY key"
_DOCUMENTS: Final = "SELECT key, value FROM document WHERE key IN ({})"


def create(path: Path, *, serving: bool) -> None:
    """Make an empty generation file. Nobody else knows it yet, so that changing the kind of its journal waits for nobody."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = OFF")
        connection.execute("PRAGMA synchronous = OFF")
        connection.executescript(_SCHEMA + segment_table.SCHEMA + counter_table.SCHEMA)
    if serving:
        make_crash_safe(path)


def make_crash_safe(path: Path) -> None:
    """Give a file that was built without a journal its WAL."""
    with translated(path), closing(connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")


def _connect_builder(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA journal_mode = OFF")
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("PRAGMA cache_size = -32768")
    return connection


def _connect_reader(path: Path) -> sqlite3.Connection:
    connection = connect(path)
    connection.execute("PRAGMA query_only = ON")
    return connection


class _Rows:
    """The rows as one connection sees them."""

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self._path = path
        self._connection = connection

    def checkpoints(self) -> dict[str, Position]:
        rows = self._select("SELECT shard, sequence, sub FROM checkpoint WHERE sequence IS NOT NULL")
        return {shard: Position(shard, int(sequence), sub) for shard, sequence, sub in rows}

    def segments(self, sought: Sought, direction: Direction) -> Iterator[PackedSegment]:
        with translated(self._path):
            yield from segment_table.select(self._connection, sought, direction)

    def counts(self, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
        with translated(self._path):
            yield from counter_table.select(self._connection, since_hour, until_hour)

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        rows = (row for some in _batched(list(keys)) for row in self._select(_DOCUMENTS.format(", ".join("?" * len(some))), some))
        return {key: orjson.loads(value) for key, value in rows}

    def all_documents(self, kind: str = "") -> Iterator[tuple[str, Document]]:
        if kind:
            rows = self._select(_OF_KIND, (f"{kind}/", f"{kind}0"))  # 0 stands behind the slash
        else:
            rows = self._select("SELECT key, value FROM document ORDER BY key")
        return ((key, orjson.loads(value)) for key, value in rows)

    def documents_from(self, kind: str, after: str, limit: int) -> list[tuple[str, Document]]:
        rows = self._select(_FROM, (max(after, f"{kind}//"), f"{kind}/0", limit))
        return [(key, orjson.loads(value)) for key, value in rows]

    def parked(self) -> list[Parked]:
        rows = self._select("SELECT key, shard, sequence, sub, recorded_us, event, error FROM parked ORDER BY number")
        return [
            Parked(key, Position(shard, int(sequence), sub), recorded_us, event, error)
            for key, shard, sequence, sub, recorded_us, event, error in rows
        ]

    def waiting(self) -> dict[str, int]:
        return dict(self._select("SELECT key, count(*) FROM parked GROUP BY key"))

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        rows = self._select(
            "SELECT hour, day, ids FROM marker WHERE hour IN (SELECT value FROM json_each(?)) AND day >= ?",
            (orjson.dumps(list(hours)).decode(), since_day),
        )
        return (Marker(*row) for row in rows)

    def _select(self, statement: str, parameters: Any = ()) -> Iterator[Any]:
        """The rows, one by one as they are asked for."""
        with translated(self._path):
            yield from self._connection.execute(statement, parameters)


def _batched(keys: list[str]) -> Iterator[list[str]]:
    return (keys[begin : begin + _VARIABLES] for begin in range(0, len(keys), _VARIABLES))


class SqliteGeneration(_Rows):
    """A generation file, open. Commits come from one thread at a time; ``reading`` may be entered by any."""

    def __init__(self, path: Path, info: GenerationInfo, *, building: bool) -> None:
        self._info = info
        self._readers = Connections(path, _connect_reader)
        with translated(path):
            try:
                connection = _connect_builder(path) if building else connect(path)
            except sqlite3.OperationalError:
                if path.exists():
                    raise
                message = f"generation {info.number} of {info.projection} is gone"
                raise GenerationGone(message) from None
        super().__init__(path, connection)

    @property
    def info(self) -> GenerationInfo:
        """Which one it is."""
        return self._info

    def claim(self, token: str, shards: Collection[str]) -> None:
        """Become the writer of these shards: commits of theirs under any other token are refused from now on."""
        with translated(self._path):
            self._connection.execute(
                "INSERT INTO checkpoint(shard, token) SELECT value, ? FROM json_each(?) WHERE true"
                " ON CONFLICT DO UPDATE SET token = excluded.token",
                (token, orjson.dumps(sorted(shards)).decode()),
            )

    def forget_markers(self, before_day: int) -> None:
        """Delete the markers recorded before this day."""
        with translated(self._path):
            self._connection.execute("DELETE FROM marker WHERE day < ?", (before_day,))

    def forget_documents(self, kind: str, before: str) -> None:
        """Delete the documents of a kind whose keys sort before this."""
        with translated(self._path):
            self._connection.execute("DELETE FROM document WHERE key >= ? AND key < ?", (f"{kind}//", f"{kind}//{before}"))

    def commit(self, token: str, commit: Commit) -> None:
        """Keep a commit in one transaction. Raises ``Fenced``; then, or on any error, nothing of it is kept."""
        connection = self._connection
        with translated(self._path):
            try:
                connection.execute("BEGIN IMMEDIATE")
                self._move_checkpoints(token, commit.expected, commit.reached)
                self._write(commit)
                connection.execute("COMMIT")
            except BaseException:
                if connection.in_transaction:  # some errors, a full disk among them, have ended it already
                    connection.execute("ROLLBACK")
                raise

    def _move_checkpoints(self, token: str, expected: Mapping[str, Position | None], reached: Mapping[str, Position]) -> None:
        """Comes first in the transaction: a refused commit has written nothing."""
        holders = dict(self._connection.execute("SELECT shard, token FROM checkpoint"))
        found = self.checkpoints()
        for shard, position in expected.items():
            if holders.get(shard) != token:
                message = f"generation {self._info.number} of {self._info.projection} has another writer of {shard} by now"
                raise Fenced(message)
            if found.get(shard) != position:
                message = f"{self._info.projection}: checkpoint of {shard} is {found.get(shard)}, expected {position}"
                raise Fenced(message)
        self._connection.executemany(
            "UPDATE checkpoint SET sequence = ?, sub = ? WHERE shard = ?",
            [(str(p.sequence), p.sub, p.shard) for p in reached.values()],
        )

    def _write(self, commit: Commit) -> None:
        connection, changes = self._connection, commit.changes
        if len(changes.entries):
            segment_table.insert(connection, changes.entries)
        if changes.counts:
            counter_table.insert(connection, changes.counts)
        if changes.documents:
            connection.executemany(
                "INSERT INTO document VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value",
                [(key, orjson.dumps(document)) for key, document in changes.documents.items()],
            )
        for marker in commit.markers:
            self._mark(marker)
        connection.executemany(
            "DELETE FROM parked WHERE shard = ? AND sequence = ? AND sub = ?",
            [(p.shard, str(p.sequence), p.sub) for p in commit.unparked],
        )
        connection.executemany(
            "UPDATE parked SET error = ? WHERE shard = ? AND sequence = ? AND sub = ?",
            [(p.error, p.position.shard, str(p.position.sequence), p.position.sub) for p in commit.retraced],
        )
        connection.executemany(
            "INSERT INTO parked(key, shard, sequence, sub, recorded_us, event, error) VALUES (?, ?, ?, ?, ?, ?, ?)",
            [
                (p.key, p.position.shard, str(p.position.sequence), p.position.sub, p.recorded_us, p.event, p.error)
                for p in commit.parked
            ],
        )

    def _mark(self, marker: Marker) -> None:
        """Add a marker row. Many small ones of an hour become one."""
        connection = self._connection
        of_hour = (marker.hour, marker.day)
        (count,) = connection.execute(f"SELECT count(*) {_SMALL}", of_hour).fetchone()
        ids = marker.ids
        if count >= _SMALL_MARKERS:
            ids = b"".join(row[0] for row in connection.execute(f"SELECT ids {_SMALL}", of_hour)) + ids
            connection.execute(f"DELETE {_SMALL}", of_hour)
        connection.execute("INSERT INTO marker VALUES (?, ?, ?, ?)", (*of_hour, len(ids) < _SMALL_MARKER, ids))

    @contextmanager
    def reading(self) -> Iterator[GenerationRows]:
        """The rows as of one moment: that of the first question."""
        with self._readers.lent() as connection:
            connection.execute("BEGIN")
            yield _Rows(self._path, connection)
            connection.execute("COMMIT")

    def close(self) -> None:
        """Close all connections, readers' when they are done. Closing twice is harmless."""
        self._readers.close()
        self._connection.close()
