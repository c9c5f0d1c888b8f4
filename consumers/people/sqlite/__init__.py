"""The store of people in one SQLite file.

Erasing: what is deleted is overwritten in the file (``secure_delete``) and leaves the write-ahead log at once, unless somebody
         reads just then; then with the next checkpoint. Backups made before still hold it.
Source: SQLite's pages "PRAGMA secure_delete" and "PRAGMA wal_checkpoint".
"""

import sqlite3
from pathlib import Path
from typing import Final

from consumers.people.errors import PeopleUnavailable, PeopleUnreadable
from consumers.people.passwords import Passwords
from consumers.people.sqlite.keys import SqliteAttempts, SqliteKeys
from consumers.people.sqlite.sessions import SqliteSessions
from consumers.people.sqlite.users import SqliteUsers
from pipeline.sqlite_backup import back_up
from pipeline.sqlite_file import Connect, Errors, Schema, SqliteFile, connect

_ERRORS: Final = Errors(PeopleUnavailable, PeopleUnavailable, PeopleUnreadable)
_SCHEMA: Final = Schema(
    0x66737065,  # "fspe" in ASCII
    1,
    (
        """CREATE TABLE user (
        id TEXT PRIMARY KEY, email TEXT NOT NULL UNIQUE, full_name TEXT NOT NULL, role TEXT NOT NULL, active INTEGER NOT NULL,
        preferences BLOB NOT NULL, created_us INTEGER NOT NULL, updated_us INTEGER NOT NULL, last_login_us INTEGER,
        epoch INTEGER NOT NULL, version INTEGER NOT NULL, hash TEXT NOT NULL) STRICT, WITHOUT ROWID""",
        """CREATE TABLE session (
        id TEXT PRIMARY KEY, user_id TEXT NOT NULL REFERENCES user ON DELETE CASCADE, epoch INTEGER NOT NULL,
        token_hash TEXT NOT NULL, created_us INTEGER NOT NULL, expires_us INTEGER NOT NULL) STRICT, WITHOUT ROWID""",
        "CREATE INDEX session_by_user ON session (user_id)",
        "CREATE INDEX session_by_end ON session (expires_us)",
        """CREATE TABLE attempt (
        key TEXT PRIMARY KEY, failures INTEGER NOT NULL, last_us INTEGER NOT NULL, expires_us INTEGER NOT NULL)
        STRICT, WITHOUT ROWID""",
        "CREATE INDEX attempt_by_end ON attempt (expires_us)",
        """CREATE TABLE ingest_key (
        id TEXT PRIMARY KEY, name TEXT NOT NULL, created_us INTEGER NOT NULL, created_by TEXT NOT NULL, last_used_us INTEGER,
        revoked_us INTEGER, hash TEXT NOT NULL UNIQUE) STRICT, WITHOUT ROWID""",
    ),
)


class SqlitePeople:
    """The port of people on the file at ``path``, which is made if it is missing, for its owner only.

    Raises ``PeopleUnavailable``, ``PeopleUnreadable``, or ``UnknownFormat`` if the file is no store of this build.
    """

    def __init__(self, path: Path, *, passwords: Passwords | None = None, connect: Connect = connect) -> None:
        def careful(path: Path) -> sqlite3.Connection:
            connection = connect(path)
            connection.execute("PRAGMA secure_delete = ON").fetchall()
            connection.execute("PRAGMA foreign_keys = ON")
            return connection

        self._file = SqliteFile(path, _SCHEMA, _ERRORS, connect=careful)
        for side in path.parent.glob(f"{path.name}*"):
            side.chmod(0o600)
        self.users = SqliteUsers(self._file, passwords or Passwords())
        self.sessions = SqliteSessions(self._file)
        self.attempts = SqliteAttempts(self._file)
        self.keys = SqliteKeys(self._file)

    def backup(self, target: Path) -> None:
        """Copy the store as it is at one moment to ``target``, replacing it. Raises ``BackupFailed``."""
        back_up(self._file, target)

    def close(self) -> None:
        """Give all files back. Later calls raise ``PeopleUnavailable``."""
        self._file.close()
