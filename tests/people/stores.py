"""What the tests of people share: users, sessions and keys made up, and a clock that a test moves."""

from dataclasses import replace
from itertools import count
from typing import Any

from consumers.people.passwords import Passwords
from consumers.people.principal import Role
from consumers.people.session import IngestKey, Session, digest
from consumers.people.user import User, new_id

NOW_US = 1_795_219_200_000_000
SECOND_US = 1_000_000
DAY_US = 86_400 * SECOND_US
PASSWORD = "correct horse battery"
QUICK = Passwords(rounds=4)
"""Fit for tests only."""

_drawn = count(1)


def entropy(size: int) -> bytes:
    """Never the same twice, and the same in every run."""
    return next(_drawn).to_bytes(size)


def user(email: str = "ada@example.org", role: Role = Role.USER, **more: Any) -> User:
    made = User(new_id(NOW_US, entropy), email, "Ada Lovelace", role, NOW_US, NOW_US)
    return replace(made, **more)


def admin(email: str = "grace@example.org", **more: Any) -> User:
    return user(email, Role.ADMIN, **{"full_name": "Grace Hopper", **more})


def session(of: User, token: str = "first", **more: Any) -> Session:
    made = Session(new_id(NOW_US, entropy), of.id, of.epoch, digest(token), NOW_US, NOW_US + 7 * DAY_US)
    return replace(made, **more)


def key(name: str = "agent") -> IngestKey:
    return IngestKey(new_id(NOW_US, entropy), name, NOW_US, "somebody")
