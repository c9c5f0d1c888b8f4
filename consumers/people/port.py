"""The store of people: users, their sessions, failed attempts, ingest keys. One store, four questions.

Hashes:      of passwords, tokens and keys go in and are compared inside; none ever comes out.
Atomic:      each method is, also against all others in other processes and functions.
Freshness:   every read sees every write that returned before it began.
Errors:      every method may raise ``PeopleUnavailable``.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from consumers.people.directory import Directory
from consumers.people.principal import Role
from consumers.people.session import Failures, IngestKey, Session
from consumers.people.user import User


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which users: of this role, of this activity; ``None`` for either. ``offset`` are left out first."""

    role: Role | None = None
    active: bool | None = None
    limit: int = 50
    offset: int = 0

    def takes(self, user: User) -> bool:
        """Whether this user is wanted."""
        return self.role in (None, user.role) and self.active in (None, user.active)


@dataclass(frozen=True, slots=True)
class Page:
    """Users in the order in which they were made. ``total`` counts all that are wanted."""

    users: Sequence[User]
    total: int


class Users(Directory, Protocol):
    """Who may sign in."""

    def add(self, user: User, password: str) -> None:
        """Keep a new user. Raises ``EmailTaken``, ``PasswordRefused``."""
        ...

    def get(self, user_id: str) -> User | None:
        """The user of this id, or None."""
        ...

    def find(self, email: str) -> User | None:
        """The user of this e-mail address (as ``email_of`` writes it), or None."""
        ...

    def list(self, wanted: Wanted) -> Page:
        """The users that are wanted."""
        ...

    def admins(self) -> int:
        """How many active admins there are."""
        ...

    def verify(self, email: str, password: str) -> User | None:
        """The active user to whom both belong; None if there is none. Takes as long either way: a bcrypt."""
        ...

    def change(self, before: User, after: User) -> User:
        """Replace ``before`` as it was read by ``after``; returns it with its new version. Who is no longer active is signed out.

        Raises ``NobodyThere``, ``UserChanged``, ``EmailTaken``, ``LastAdmin``.
        """
        ...

    def set_password(self, user_id: str, password: str, *, now_us: int, keep: str = "") -> None:
        """Set a password and end all sessions but ``keep``. Raises ``NobodyThere``, ``PasswordRefused``."""
        ...

    def erase(self, user_id: str) -> None:
        """Remove every trace of a user: the e-mail address is free again, all sessions end.

        Raises ``NobodyThere``, ``LastAdmin``.
        """
        ...


class Sessions(Protocol):
    """Who is signed in."""

    def open(self, session: Session) -> None:
        """Keep a new session and its time as the user's last login.

        Raises ``NobodyThere`` if the user is gone, inactive, or of another epoch than the session.
        """
        ...

    def user(self, user_id: str, session_id: str, *, now_us: int) -> User | None:
        """The user, if the session is open and the user active; else None."""
        ...

    def renew(self, user_id: str, session_id: str, presented: str, fresh: str, *, now_us: int, expires_us: int) -> User:
        """Exchange the refresh token of hash ``presented`` for the one of hash ``fresh``: of concurrent calls one succeeds.

        Raises ``TokenRefused`` if the session is not open; ``TokenReused`` if ``presented`` was exchanged before, and ends it.
        """
        ...

    def end(self, user_id: str, session_id: str) -> None:
        """End a session. One that is not there is fine."""
        ...

    def end_all(self, user_id: str) -> None:
        """End all sessions of a user. Raises ``NobodyThere``."""
        ...


class Attempts(Protocol):
    """Failed attempts, by keys that name nobody."""

    def get(self, key: str) -> Failures | None:
        """What is known of a key; None if nothing is, or no longer."""
        ...

    def swap(self, key: str, before: Failures | None, after: Failures, *, expires_us: int) -> bool:
        """Replace ``before`` as it was read; False if it is another by now. After ``expires_us`` it may be forgotten."""
        ...

    def forget(self, key: str) -> None:
        """Forget a key."""
        ...


class IngestKeys(Protocol):
    """What producers hold."""

    def add(self, key: IngestKey, secret_hash: str) -> None:
        """Keep a new key."""
        ...

    def list(self) -> Sequence[IngestKey]:
        """All keys, revoked ones included, in the order in which they were made."""
        ...

    def find(self, secret_hash: str) -> IngestKey | None:
        """The key whose secret has this hash, unless it is revoked."""
        ...

    def used(self, key_id: str, now_us: int) -> None:
        """Note that a key was used. One that is not there is fine."""
        ...

    def revoke(self, key_id: str, now_us: int) -> IngestKey:
        """Refuse a key from now on; again is fine, and keeps the first time. Raises ``KeyUnknown``."""
        ...


class People(Protocol):
    """The whole store."""

    @property
    def users(self) -> Users:
        """Who may sign in."""
        ...

    @property
    def sessions(self) -> Sessions:
        """Who is signed in."""
        ...

    @property
    def attempts(self) -> Attempts:
        """Failed attempts."""
        ...

    @property
    def keys(self) -> IngestKeys:
        """What producers hold."""
        ...

    def close(self) -> None:
        """Give all files back."""
        ...
