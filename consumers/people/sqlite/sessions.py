"""Sessions in SQLite, as the port says."""

from typing import Final

from consumers.people.errors import NobodyThere, TokenRefused, TokenReused
from consumers.people.session import Session
from consumers.people.sqlite.users import FIELDS, user_of
from consumers.people.user import User
from pipeline.sqlite_file import SqliteFile

_BOTH: Final = f"SELECT {FIELDS}, token_hash FROM user JOIN session ON user_id = user.id"  # noqa: S608 -- our own columns
_OPEN: Final = f"""{_BOTH}
WHERE session.id = :id AND user_id = :user_id AND active AND session.epoch = user.epoch AND expires_us > :now_us"""
_LOGGED_IN: Final = "UPDATE user SET last_login_us = :created_us WHERE id = :user_id AND active AND epoch = :epoch"
_ADD: Final = "INSERT INTO session VALUES (:id, :user_id, :epoch, :token_hash, :created_us, :expires_us)"
_RENEW: Final = "UPDATE session SET token_hash = ?, expires_us = ? WHERE id = ?"


class SqliteSessions:
    """The port ``Sessions``."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file

    def open(self, session: Session) -> None:
        """Keep a new session, as the port says; those long over go."""
        told = {name: getattr(session, name) for name in Session.__slots__}
        with self._file.writing() as db:
            if not db.execute(_LOGGED_IN, told).rowcount:
                message = "this user may not sign in (any more)"
                raise NobodyThere(message)
            db.execute(_ADD, told)
            db.execute("DELETE FROM session WHERE expires_us < ?", (session.created_us,))

    def user(self, user_id: str, session_id: str, *, now_us: int) -> User | None:
        """The user, if the session is open."""
        with self._file.reading() as db:
            row = db.execute(_OPEN, {"id": session_id, "user_id": user_id, "now_us": now_us}).fetchone()
        return user_of(row[:-1]) if row else None

    def renew(self, user_id: str, session_id: str, presented: str, fresh: str, *, now_us: int, expires_us: int) -> User:
        """Exchange a refresh token, as the port says."""
        with self._file.writing() as db:
            row = db.execute(_OPEN, {"id": session_id, "user_id": user_id, "now_us": now_us}).fetchone()
            good = row is not None and row[-1] == presented
            if good:
                db.execute(_RENEW, (fresh, expires_us, session_id))
            elif row is not None:
                db.execute("DELETE FROM session WHERE id = ?", (session_id,))
        if row is None:
            message = "this session is over"
            raise TokenRefused(message)
        if not good:
            message = "this refresh token was used before; the session has ended"
            raise TokenReused(message)
        return user_of(row[:-1])

    def end(self, user_id: str, session_id: str) -> None:
        """End a session."""
        with self._file.writing() as db:
            db.execute("DELETE FROM session WHERE id = ? AND user_id = ?", (session_id, user_id))

    def end_all(self, user_id: str) -> None:
        """End all sessions of a user, as the port says."""
        with self._file.writing() as db:
            if not db.execute("UPDATE user SET epoch = epoch + 1, version = version + 1 WHERE id = ?", (user_id,)).rowcount:
                message = f"no user has the id {user_id}"
                raise NobodyThere(message)
            db.execute("DELETE FROM session WHERE user_id = ?", (user_id,))
