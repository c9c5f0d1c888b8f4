"""The quarantine in one SQLite file of its own, so that a damaged or full log does not take it along.

Identity:   ``pipeline.quarantine.identity``. Told again, an item keeps its place, and its newest reason and origin.
Order:      newest first, by when an item first came.
Durability: ``put`` and ``mark`` return after a sync. A call is kept whole or not at all.
Size:       payloads are compressed; a listing ends after ``MOST_BYTES`` of payloads, so it may be shorter than asked: the
            end is where nothing is returned.
"""

from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import zstandard

from pipeline.errors import QuarantineUnavailable
from pipeline.quarantine.identity import item_id
from pipeline.quarantine.port import Quarantined, Reject, Status
from pipeline.sqlite_backup import back_up
from pipeline.sqlite_file import Connect, Errors, Schema, SqliteFile, connect

MOST_ITEMS: Final = 500
MOST_BYTES: Final = 16 << 20

_ERRORS: Final = Errors(QuarantineUnavailable, QuarantineUnavailable, QuarantineUnavailable)
_SCHEMA: Final = Schema(
    0x66737172,  # "fsqr" in ASCII
    1,
    (
        """CREATE TABLE item (
        number INTEGER PRIMARY KEY AUTOINCREMENT, id TEXT NOT NULL UNIQUE, status TEXT NOT NULL, reason TEXT NOT NULL,
        field TEXT NOT NULL, origin TEXT NOT NULL, first_us INTEGER NOT NULL, last_us INTEGER NOT NULL, times INTEGER NOT NULL,
        payload BLOB NOT NULL) STRICT""",
        "CREATE INDEX item_by_status ON item (status, number)",
    ),
)
_PUT: Final = """
INSERT INTO item (id, status, reason, field, origin, first_us, last_us, times, payload)
VALUES (:id, 'held', :reason, :field, :origin, :now_us, :now_us, 1, :payload)
ON CONFLICT (id) DO UPDATE SET
status = iif(status = 'released', 'held', status), reason = excluded.reason, field = excluded.field, origin = excluded.origin,
last_us = excluded.last_us, times = times + 1
"""
_COLUMNS: Final = "SELECT id, status, reason, field, origin, first_us, last_us, times, payload FROM item"
_GET: Final = f"{_COLUMNS} WHERE id = ?"
_BEHIND: Final = "number < coalesce((SELECT number FROM item WHERE id = :after), :end) ORDER BY number DESC LIMIT :limit"
_LIST: Final = f"{_COLUMNS} WHERE {_BEHIND}"
_LIST_STATUS: Final = f"{_COLUMNS} WHERE status = :status AND {_BEHIND}"
_BEFORE_ALL: Final = 2**63 - 1
_LEVEL: Final = 3


class SqliteQuarantine:
    """The quarantine in the file at ``path``, made if there is none. ``clock`` gives microseconds since the epoch.

    Every method raises ``QuarantineUnavailable``; the constructor also ``UnknownFormat``.
    """

    def __init__(self, path: Path, *, clock: Callable[[], int], connect: Connect = connect) -> None:
        self._clock = clock
        self._file = SqliteFile(path, _SCHEMA, _ERRORS, connect=connect)

    def put(self, rejects: Sequence[Reject]) -> list[str]:
        """Keep each reject; returns their ids in order. A known one is counted again, and held again if it was released."""
        compress = zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress
        now_us = self._clock()
        items = [
            {
                "id": item_id(reject),
                "reason": reject.reason,
                "field": reject.field,
                "origin": reject.origin,
                "now_us": now_us,
                "payload": compress(reject.payload),
            }
            for reject in rejects
        ]
        if items:
            with self._file.writing() as connection:
                connection.executemany(_PUT, items)
        return [str(item["id"]) for item in items]

    def list(self, *, status: Status | None = Status.HELD, after: str = "", limit: int = 50) -> list[Quarantined]:
        """At most ``limit`` (and 500) items of ``status`` (None: of any), newest first, behind the item ``after``."""
        asked = {"status": status, "after": after, "end": 0 if after else _BEFORE_ALL, "limit": min(limit, MOST_ITEMS)}
        statement = _LIST if status is None else _LIST_STATUS
        found: list[Quarantined] = []
        size = 0
        with self._file.reading() as connection, closing(connection.execute(statement, asked)) as rows:
            for row in rows:
                item = _item(row)
                size += len(item.reject.payload)
                if found and size > MOST_BYTES:
                    break
                found.append(item)
        return found

    def get(self, item_id: str) -> Quarantined | None:
        """One item, or None."""
        with self._file.reading() as connection:
            row = connection.execute(_GET, (item_id,)).fetchone()
        return _item(row) if row else None

    def mark(self, item_id: str, status: Status) -> bool:
        """Set an item's status; False if there is no such item."""
        with self._file.writing() as connection:
            return connection.execute("UPDATE item SET status = ? WHERE id = ?", (status, item_id)).rowcount > 0

    def count(self) -> dict[Status, int]:
        """How many items have each status, zero included."""
        with self._file.reading() as connection:
            counts = dict(connection.execute("SELECT status, count(*) FROM item GROUP BY status").fetchall())
        return {status: counts.get(status, 0) for status in Status}

    def backup(self, target: Path) -> None:
        """Copy the quarantine as it is at one moment to ``target``, replacing it. Raises ``BackupFailed``."""
        back_up(self._file, target)

    def close(self) -> None:
        """Give all files back. Later calls raise ``QuarantineUnavailable``."""
        self._file.close()


def _item(row: tuple[Any, ...]) -> Quarantined:
    item_id, status, reason, field, origin, first_us, last_us, times, payload = row
    try:
        reject = Reject(zstandard.ZstdDecompressor().decompress(payload), reason, field, origin)
    except zstandard.ZstdError as broken:
        message = f"item {item_id} cannot be read back: {broken}"
        raise QuarantineUnavailable(message) from broken
    return Quarantined(item_id, reject, Status(status), first_us, last_us, times)
