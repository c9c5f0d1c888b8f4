"""What the items of people hold, and where they stand."""

from random import Random
from typing import Any, Final

import orjson

from consumers.people.principal import Role
from consumers.people.session import Session
from consumers.people.user import User
from pipeline.dynamodb_table import Action, Item, Key, Value, update

USERS: Final = "people#user"
KEYS: Final = "people#key"
ADMINS: Final = Key("people#admins", "active")
ABSENT: Final = "attribute_not_exists(pk)"
PRESENT: Final = "attribute_exists(pk)"
TRIES: Final = 20
"""How often a change that others overtook is decided anew."""

_SECOND_US: Final = 1_000_000


def user_key(user_id: str) -> Key:
    """Where a user stands."""
    return Key(USERS, user_id)


def email_key(email: str) -> Key:
    """Where it stands whose an e-mail address is."""
    return Key("people#email", email)


def sessions_of(user_id: str) -> str:
    """The partition of a user's sessions."""
    return f"people#session#{user_id}"


def attempt_key(key: str) -> Key:
    """Where failed attempts stand."""
    return Key(f"people#attempt#{key}", "failures")


def secret_key(secret_hash: str) -> Key:
    """Where it stands which key has a secret."""
    return Key("people#key_hash", secret_hash)


def told(user: User) -> dict[str, Value]:
    """What an item tells of a user, but for the password and the last login."""
    return {
        "email": user.email,
        "full_name": user.full_name,
        "role": user.role.value,
        "active": int(user.active),
        "preferences": orjson.dumps(user.preferences),
        "created": user.created_us,
        "updated": user.updated_us,
        "epoch": user.epoch,
        "version": user.version,
    }


def user_of(item: Item) -> User:
    """A user from its item."""
    return User(
        str(item["sk"]),
        str(item["email"]),
        str(item["full_name"]),
        Role(str(item["role"])),
        int(item["created"]),
        int(item["updated"]),
        active=bool(item["active"]),
        preferences=_preferences(item),
        last_login_us=int(item["last_login"]) if "last_login" in item else None,
        epoch=int(item["epoch"]),
        version=int(item["version"]),
    )


def session_item(session: Session) -> Item:
    """What an item tells of a session."""
    return {
        "epoch": session.epoch,
        "token": session.token_hash,
        "created": session.created_us,
        "until": session.expires_us,
        "expires": ttl(session.expires_us),
    }


def ttl(time_us: int) -> int:
    """When DynamoDB may delete an item, in its unit."""
    return time_us // _SECOND_US + 1


def admins_by(number: int) -> list[Action]:
    """Count the active admins on by one, back by one if another remains, or not at all."""
    if not number:
        return []
    condition, values = ("", {}) if number > 0 else ("#number > :one", {"one": 1})
    return [update(ADMINS, "ADD #number :by", condition, {"by": number, **values})]


def named(dice: Random) -> str:
    """A name for a transaction."""
    return f"{dice.getrandbits(128):032x}"


def _preferences(item: Item) -> dict[str, Any]:
    kept = item["preferences"]
    found: dict[str, Any] = orjson.loads(kept if isinstance(kept, bytes) else b"{}")
    return found
