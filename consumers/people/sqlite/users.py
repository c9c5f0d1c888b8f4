"""Users in SQLite, as the port says. The password's hash is read here only, and compared here."""

import sqlite3
from collections.abc import Collection, Mapping
from contextlib import closing
from dataclasses import replace
from typing import Any, Final, Never

import orjson

from consumers.people.directory import REMOVED
from consumers.people.errors import EmailTaken, LastAdmin, NobodyThere, UserChanged
from consumers.people.passwords import Passwords
from consumers.people.port import Page, Wanted
from consumers.people.principal import Role
from consumers.people.user import User
from pipeline.sqlite_file import SqliteFile

FIELDS: Final = (
    "user.id, email, full_name, role, active, preferences, user.created_us, updated_us, last_login_us, user.epoch, version"
)
_ALL: Final = f"SELECT {FIELDS} FROM user"  # noqa: S608 -- our own columns
_GET: Final = f"{_ALL} WHERE id = ?"
_FIND: Final = f"SELECT {FIELDS}, hash FROM user WHERE email = ?"  # noqa: S608 -- our own columns
_WHERE: Final = "WHERE (:role IS NULL OR role = :role) AND (:active IS NULL OR active = :active)"
_LIST: Final = f"{_ALL} {_WHERE} ORDER BY id LIMIT :limit OFFSET :offset"
_TOTAL: Final = f"SELECT count(*) FROM user {_WHERE}"  # noqa: S608 -- our own condition
_ADMINS: Final = "SELECT count(*) FROM user WHERE active AND role = 'admin'"
_ADD: Final = """INSERT INTO user VALUES (:id, :email, :full_name, :role, :active, :preferences, :created_us, :updated_us,
:last_login_us, :epoch, :version, :hash)"""
_CHANGE: Final = """UPDATE user SET email = :email, full_name = :full_name, role = :role, active = :active,
preferences = :preferences, updated_us = :updated_us, epoch = :epoch, version = :version
WHERE id = :id AND version = :version - 1"""
_RENEWED: Final = """UPDATE user SET hash = :hash, epoch = epoch + 1, version = version + 1, updated_us = :now_us
WHERE id = :id RETURNING epoch"""
_MOST_NAMES: Final = 500


def user_of(row: tuple[Any, ...]) -> User:
    """A row of ``FIELDS`` as a user."""
    user_id, email, full_name, role, active, preferences, created_us, updated_us, last_login_us, epoch, version = row
    return User(
        user_id,
        email,
        full_name,
        Role(role),
        created_us,
        updated_us,
        active=bool(active),
        preferences=orjson.loads(preferences),
        last_login_us=last_login_us,
        epoch=epoch,
        version=version,
    )


class SqliteUsers:
    """The port ``Users``."""

    def __init__(self, file: SqliteFile, passwords: Passwords) -> None:
        self._file = file
        self._passwords = passwords

    def add(self, user: User, password: str) -> None:
        """Keep a new user, as the port says."""
        told = _told(user) | {"hash": self._passwords.hashed(password)}
        with self._file.writing() as db:
            if db.execute("SELECT 1 FROM user WHERE email = ?", (user.email,)).fetchone():
                _taken(user.email)
            db.execute(_ADD, told)

    def get(self, user_id: str) -> User | None:
        """The user of this id, or None."""
        with self._file.reading() as db:
            row = db.execute(_GET, (user_id,)).fetchone()
        return user_of(row) if row else None

    def find(self, email: str) -> User | None:
        """The user of this e-mail address, or None."""
        with self._file.reading() as db:
            row = db.execute(_FIND, (email,)).fetchone()
        return user_of(row[:-1]) if row else None

    def list(self, wanted: Wanted) -> Page:
        """The users that are wanted."""
        asked = {"role": wanted.role, "active": wanted.active, "limit": wanted.limit, "offset": wanted.offset}
        with self._file.snapshot() as db:
            rows = db.execute(_LIST, asked).fetchall()
            (total,) = db.execute(_TOTAL, asked).fetchone()
        return Page([user_of(row) for row in rows], total)

    def admins(self) -> int:
        """How many active admins there are."""
        with self._file.reading() as db:
            return int(db.execute(_ADMINS).fetchone()[0])

    def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """The full name of each id, as ``Directory`` says."""
        asked = list(dict.fromkeys(user_ids))
        names = dict.fromkeys(asked, REMOVED)
        with self._file.reading() as db:
            for begin in range(0, len(asked), _MOST_NAMES):
                some = asked[begin : begin + _MOST_NAMES]
                marks = ",".join("?" * len(some))
                names |= dict(db.execute(f"SELECT id, full_name FROM user WHERE id IN ({marks})", some).fetchall())  # noqa: S608 -- marks only
        return names

    def verify(self, email: str, password: str) -> User | None:
        """The active user to whom both belong, as the port says."""
        with self._file.reading() as db:
            row = db.execute(_FIND, (email,)).fetchone()
        alike = self._passwords.match(password, row[-1] if row else None)
        user = user_of(row[:-1]) if row and alike else None
        return user if user and user.active else None

    def change(self, before: User, after: User) -> User:
        """Replace ``before``, as the port says."""
        ended = before.active and not after.active
        changed = replace(after, id=before.id, version=before.version + 1, epoch=before.epoch + ended)
        with self._file.writing() as db:
            other = db.execute("SELECT id FROM user WHERE email = ?", (changed.email,)).fetchone()
            if other and other != (before.id,):
                _taken(changed.email)
            if not db.execute(_CHANGE, _told(changed)).rowcount:
                _gone_or_changed(db, before.id)
            if before.administers:
                _expect_admin(db)
        return changed

    def set_password(self, user_id: str, password: str, *, now_us: int, keep: str = "") -> None:
        """Set a password, as the port says."""
        hashed = self._passwords.hashed(password)
        with self._file.writing() as db:
            rows = db.execute(_RENEWED, {"hash": hashed, "id": user_id, "now_us": now_us}).fetchall()
            if not rows:
                _nobody(user_id)
            db.execute("DELETE FROM session WHERE user_id = ? AND id != ?", (user_id, keep))
            db.execute("UPDATE session SET epoch = ? WHERE id = ? AND user_id = ?", (rows[0][0], keep, user_id))

    def erase(self, user_id: str) -> None:
        """Remove every trace of a user, as the port says."""
        with self._file.writing() as db:
            row = db.execute(_GET, (user_id,)).fetchone()
            if not row:
                _nobody(user_id)
            db.execute("DELETE FROM user WHERE id = ?", (user_id,))
            if user_of(row).administers:
                _expect_admin(db)
        with self._file.reading() as db, closing(db.execute("PRAGMA wal_checkpoint(TRUNCATE)")) as told:
            told.fetchall()


def _told(user: User) -> dict[str, Any]:
    return {
        "id": user.id,
        "email": user.email,
        "full_name": user.full_name,
        "role": user.role.value,
        "active": int(user.active),
        "preferences": orjson.dumps(user.preferences),
        "created_us": user.created_us,
        "updated_us": user.updated_us,
        "last_login_us": user.last_login_us,
        "epoch": user.epoch,
        "version": user.version,
    }


def _expect_admin(db: sqlite3.Connection) -> None:
    if not db.execute(_ADMINS).fetchone()[0]:
        message = "the last active admin stays one; make another user an admin first"
        raise LastAdmin(message)


def _gone_or_changed(db: sqlite3.Connection, user_id: str) -> Never:
    if db.execute("SELECT 1 FROM user WHERE id = ?", (user_id,)).fetchone():
        message = "somebody else changed this user meanwhile"
        raise UserChanged(message)
    _nobody(user_id)


def _taken(email: str) -> Never:
    message = f"another user has the e-mail address {email}"
    raise EmailTaken(message)


def _nobody(user_id: str) -> Never:
    message = f"no user has the id {user_id}"
    raise NobodyThere(message)
