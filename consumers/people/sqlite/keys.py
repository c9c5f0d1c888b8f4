"""Failed attempts and ingest keys in SQLite, as the port says."""

from collections.abc import Sequence
from typing import Final

from consumers.people.errors import KeyUnknown
from consumers.people.session import Failures, IngestKey
from pipeline.sqlite_file import SqliteFile

_SWAP: Final = "INSERT OR REPLACE INTO attempt VALUES (?, ?, ?, ?)"
_KEY: Final = "SELECT id, name, created_us, created_by, last_used_us, revoked_us FROM ingest_key"


class SqliteAttempts:
    """The port ``Attempts``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def get(self, key: str) -> Failures | None:
        """What is known of a key."""
        with self._file.reading() as db:
            row = db.execute("SELECT failures, last_us FROM attempt WHERE key = ?", (key,)).fetchone()
        return Failures(*row) if row else None

    def swap(self, key: str, before: Failures | None, after: Failures, *, expires_us: int) -> bool:
        """Replace ``before``, as the port says; what is long over goes."""
        with self._file.writing() as db:
            row = db.execute("SELECT failures, last_us FROM attempt WHERE key = ?", (key,)).fetchone()
            if (Failures(*row) if row else None) != before:
                return False
            db.execute(_SWAP, (key, after.count, after.last_us, expires_us))
            db.execute("DELETE FROM attempt WHERE expires_us < ?", (after.last_us,))
        return True

    def forget(self, key: str) -> None:
        """Forget a key."""
        with self._file.writing() as db:
            db.execute("DELETE FROM attempt WHERE key = ?", (key,))


class SqliteKeys:
    """The port ``IngestKeys``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def add(self, key: IngestKey, secret_hash: str) -> None:
        """Keep a new key."""
        with self._file.writing() as db:
            db.execute(
                "INSERT INTO ingest_key VALUES (?, ?, ?, ?, ?, ?, ?)",
                (key.id, key.name, key.created_us, key.created_by, key.last_used_us, key.revoked_us, secret_hash),
            )

    def list(self) -> Sequence[IngestKey]:
        """All keys."""
        with self._file.reading() as db:
            return [IngestKey(*row) for row in db.execute(f"{_KEY} ORDER BY id").fetchall()]

    def find(self, secret_hash: str) -> IngestKey | None:
        """The key whose secret has this hash, unless it is revoked."""
        with self._file.reading() as db:
            row = db.execute(f"{_KEY} WHERE hash = ? AND revoked_us IS NULL", (secret_hash,)).fetchone()
        return IngestKey(*row) if row else None

    def used(self, key_id: str, now_us: int) -> None:
        """Note that a key was used."""
        with self._file.writing() as db:
            db.execute("UPDATE ingest_key SET last_used_us = ? WHERE id = ?", (now_us, key_id))

    def revoke(self, key_id: str, now_us: int) -> IngestKey:
        """Refuse a key from now on, as the port says."""
        with self._file.writing() as db:
            db.execute("UPDATE ingest_key SET revoked_us = ? WHERE id = ? AND revoked_us IS NULL", (now_us, key_id))
            row = db.execute(f"{_KEY} WHERE id = ?", (key_id,)).fetchone()
        if row is None:
            message = f"no key has the id {key_id}"
            raise KeyUnknown(message)
        return IngestKey(*row)
