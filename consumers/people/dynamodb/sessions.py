"""Sessions in DynamoDB, as the port says."""

from random import Random

from consumers.people.dynamodb.items import PRESENT, named, session_item, sessions_of, ttl, user_key, user_of
from consumers.people.errors import NobodyThere, TokenRefused, TokenReused
from consumers.people.session import Session
from consumers.people.user import User
from pipeline.dynamodb_table import Item, Key, Refused, Table, delete, put, update


class DynamoSessions:
    """The port ``Sessions``."""

    def __init__(self, table: Table, dice: Random) -> None:
        self._table = table
        self._dice = dice

    def open(self, session: Session) -> None:
        """Keep a new session, as the port says."""
        values = {"now": session.created_us, "epoch": session.epoch, "yes": 1}
        logged_in = update(user_key(session.user_id), "SET #last_login = :now", "#active = :yes AND #epoch = :epoch", {**values})
        try:
            self._table.transact([logged_in, put(_at(session.user_id, session.id), session_item(session))], named(self._dice))
        except Refused as refused:
            message = "this user may not sign in (any more)"
            raise NobodyThere(message) from refused

    def user(self, user_id: str, session_id: str, *, now_us: int) -> User | None:
        """The user, if the session is open."""
        user, session = self._both(user_id, session_id, now_us)
        return user if session is not None else None

    def renew(self, user_id: str, session_id: str, presented: str, fresh: str, *, now_us: int, expires_us: int) -> User:
        """Exchange a refresh token, as the port says."""
        user, session = self._both(user_id, session_id, now_us)
        if user is None or session is None:
            message = "this session is over"
            raise TokenRefused(message)
        values: Item = {"fresh": fresh, "presented": presented, "until": expires_us, "expires": ttl(expires_us)}
        sets = "SET #token = :fresh, #until = :until, #expires = :expires"
        try:
            self._table.write(update(_at(user_id, session_id), sets, f"{PRESENT} AND #token = :presented", values))
        except Refused as refused:
            if (now := self._table.get(_at(user_id, session_id))) and now["token"] == fresh:
                return user  # it was this very exchange, whose answer was lost on its way
            self.end(user_id, session_id)
            message = "this refresh token was used before; the session has ended"
            raise TokenReused(message) from refused
        return user

    def end(self, user_id: str, session_id: str) -> None:
        """End a session."""
        self._table.write(delete(_at(user_id, session_id)))

    def end_all(self, user_id: str) -> None:
        """End all sessions of a user, as the port says: no older reading brings their epoch back."""
        try:
            sets = "SET #epoch = #epoch + :one, #version = #version + :one"
            self._table.write(update(user_key(user_id), sets, PRESENT, {"one": 1}))
        except Refused as refused:
            message = f"no user has the id {user_id}"
            raise NobodyThere(message) from refused

    def _both(self, user_id: str, session_id: str, now_us: int) -> tuple[User | None, Item | None]:
        """The user and the session, if that is open."""
        if not user_id or not session_id:
            return None, None
        found = self._table.get_many([user_key(user_id), _at(user_id, session_id)])
        item, session = found.get(user_key(user_id)), found.get(_at(user_id, session_id))
        user = user_of(item) if item else None
        if user is None or session is None or not user.active:
            return None, None
        if int(session["epoch"]) != user.epoch or int(session["until"]) <= now_us:
            return None, None
        return user, session


def _at(user_id: str, session_id: str) -> Key:
    return Key(sessions_of(user_id), session_id)
