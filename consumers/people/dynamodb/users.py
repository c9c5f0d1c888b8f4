"""Users in DynamoDB, as the port says. The password's hash is read here only, and compared here."""

from collections.abc import Collection, Mapping
from dataclasses import replace
from random import Random
from typing import Final, Never

from consumers.people.directory import REMOVED
from consumers.people.dynamodb.items import (
    ABSENT,
    ADMINS,
    PRESENT,
    TRIES,
    USERS,
    admins_by,
    email_key,
    named,
    sessions_of,
    told,
    user_key,
    user_of,
)
from consumers.people.errors import EmailTaken, LastAdmin, NobodyThere, PeopleUnavailable, UserChanged
from consumers.people.passwords import Passwords
from consumers.people.port import Page, Wanted
from consumers.people.user import User
from pipeline.dynamodb_table import Action, Item, Key, Refused, Table, delete, key_of, put, update

_SET: Final = ("email", "full_name", "role", "active", "preferences", "updated", "epoch", "version")


class DynamoUsers:
    """The port ``Users``."""

    def __init__(self, table: Table, passwords: Passwords, dice: Random) -> None:
        self._table = table
        self._passwords = passwords
        self._dice = dice

    def add(self, user: User, password: str) -> None:
        """Keep a new user, as the port says."""
        item: Item = {**told(user), "hash": self._passwords.hashed(password)}
        writes = [
            put(user_key(user.id), item, ABSENT),
            put(email_key(user.email), {"user": user.id}, ABSENT),
            *admins_by(int(user.administers)),
        ]
        if not self._write(writes):
            _taken(user.email)

    def get(self, user_id: str) -> User | None:
        """The user of this id, or None."""
        item = self._table.get(user_key(user_id)) if user_id else None
        return user_of(item) if item else None

    def find(self, email: str) -> User | None:
        """The user of this e-mail address, or None."""
        item = self._item(email)
        return user_of(item) if item else None

    def list(self, wanted: Wanted) -> Page:
        """The users that are wanted; all are read for it."""
        users = [user for user in map(user_of, self._table.query(USERS)) if wanted.takes(user)]
        return Page(users[wanted.offset : wanted.offset + wanted.limit], len(users))

    def admins(self) -> int:
        """How many active admins there are."""
        return int((self._table.get(ADMINS) or {}).get("number", 0))

    def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """The full name of each id, as ``Directory`` says."""
        names = dict.fromkeys(user_ids, REMOVED)
        found = self._table.get_many([user_key(user_id) for user_id in names if user_id])
        return names | {key.sk: str(item["full_name"]) for key, item in found.items()}

    def verify(self, email: str, password: str) -> User | None:
        """The active user to whom both belong, as the port says."""
        item = self._item(email)
        alike = self._passwords.match(password, str(item["hash"]) if item else None)
        user = user_of(item) if item and alike else None
        return user if user and user.active else None

    def change(self, before: User, after: User) -> User:
        """Replace ``before``, as the port says."""
        ended = before.active and not after.active
        changed = replace(after, id=before.id, version=before.version + 1, epoch=before.epoch + ended)
        values = {name: value for name, value in told(changed).items() if name in _SET} | {"read": before.version}
        sets = f"SET {', '.join(f'#{name} = :{name}' for name in _SET)}"
        writes = [
            update(user_key(before.id), sets, f"{PRESENT} AND #version = :read", values),
            *(_moved(before, changed) if before.email != changed.email else []),
            *admins_by(changed.administers - before.administers),
        ]
        for _ in range(TRIES):
            if self._write(writes):
                return changed
            self._explain(before, changed)
        return _overtaken()

    def set_password(self, user_id: str, password: str, *, now_us: int, keep: str = "") -> None:
        """Set a password, as the port says."""
        hashed = self._passwords.hashed(password)
        for _ in range(TRIES):
            item, kept = self._with_session(user_id, keep)
            if item is None:
                _nobody(user_id)
            values: Item = {"hash": hashed, "now": now_us, "one": 1, "read": item["version"]}
            sets = "SET #hash = :hash, #updated = :now, #version = #version + :one, #epoch = #epoch + :one"
            writes = [update(user_key(user_id), sets, "#version = :read", values)]
            if kept is not None and kept["epoch"] == item["epoch"]:
                epoch = int(item["epoch"]) + 1
                writes.append(update(key_of(kept), "SET #epoch = :epoch", PRESENT, {"epoch": epoch}))
            if self._write(writes):
                return
        _overtaken()

    def erase(self, user_id: str) -> None:
        """Remove every trace of a user, as the port says. Sessions are void at once; their items go after."""
        for _ in range(TRIES):
            user = self.get(user_id)
            if user is None:
                _nobody(user_id)
            writes = [
                delete(user_key(user_id), "#version = :read", {"read": user.version}),
                delete(email_key(user.email)),
                *admins_by(-int(user.administers)),
            ]
            if self._write(writes):
                self._table.delete_many(map(key_of, self._table.query(sessions_of(user_id), keys_only=True)))
                return
            if user.administers and self.admins() <= 1:
                _last()
        _overtaken()

    def _with_session(self, user_id: str, session_id: str) -> tuple[Item | None, Item | None]:
        asked = [user_key(user_id)] if user_id else []
        session = Key(sessions_of(user_id), session_id)
        found = self._table.get_many([*asked, *([session] if session_id else [])])
        return found.get(user_key(user_id)), found.get(session)

    def _explain(self, before: User, changed: User) -> None:
        """Raise why a change was refused; return if that has passed."""
        now = self.get(before.id)
        if now is None:
            _nobody(before.id)
        if now.version != before.version:
            message = "somebody else changed this user meanwhile"
            raise UserChanged(message)
        owner = self._table.get(email_key(changed.email))
        if owner and owner["user"] != before.id:
            _taken(changed.email)
        if before.administers and not changed.administers and self.admins() <= 1:
            _last()

    def _item(self, email: str) -> Item | None:
        owner = self._table.get(email_key(email)) if email else None
        return self._table.get(user_key(str(owner["user"]))) if owner else None

    def _write(self, writes: Collection[Action]) -> bool:
        try:
            self._table.transact([*writes], named(self._dice))
        except Refused:
            return False
        return True


def _moved(before: User, after: User) -> tuple[Action, Action]:
    """Give one e-mail address back and take another."""
    return delete(email_key(before.email)), put(email_key(after.email), {"user": before.id}, ABSENT)


def _taken(email: str) -> Never:
    message = f"another user has the e-mail address {email}"
    raise EmailTaken(message)


def _last() -> Never:
    message = "the last active admin stays one; make another user an admin first"
    raise LastAdmin(message)


def _nobody(user_id: str) -> Never:
    message = f"no user has the id {user_id}"
    raise NobodyThere(message)


def _overtaken() -> Never:
    message = "others changed this user all the time; try again"
    raise PeopleUnavailable(message)
