"""Users, as everybody but the store knows them: without a password or anything made of one."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from uuid import UUID

from consumers.people.principal import Role

MIN_NAME: Final = 2
MAX_NAME: Final = 100
MAX_EMAIL: Final = 254
"""Characters (RFC 5321, section 4.5.3.1.3, less its angle brackets)."""

_EMAIL: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?")
_RANDOM_BYTES: Final = 10

Entropy = Callable[[int], bytes]
"""Answers so many random bytes, fit for secrets."""


@dataclass(frozen=True, slots=True)
class User:
    """A person who may sign in. Times are microseconds since the epoch.

    ``epoch`` counts what ended all of the user's sessions; a session belongs to one epoch. ``version`` counts changes.
    """

    id: str
    email: str
    full_name: str
    role: Role
    created_us: int
    updated_us: int
    active: bool = True
    preferences: Mapping[str, Any] = field(default_factory=dict)
    last_login_us: int | None = None
    epoch: int = 1
    version: int = 1

    @property
    def administers(self) -> bool:
        """Whether this is an admin who may sign in."""
        return self.active and self.role is Role.ADMIN


def email_of(text: str) -> str:
    """An e-mail address in the one form in which it is kept: lower case. Raises ``ValueError`` naming the accepted form."""
    email = text.strip().lower()
    if len(email) > MAX_EMAIL or not _EMAIL.fullmatch(email):
        message = "is no e-mail address: write name@domain, in ASCII, 254 characters at most"
        raise ValueError(message)
    return email


def name_of(text: str) -> str:
    """A full name without white space around it. Raises ``ValueError`` naming the accepted form."""
    name = " ".join(text.split())
    if not MIN_NAME <= len(name) <= MAX_NAME or not name.isprintable():
        message = f"is no name: write {MIN_NAME} to {MAX_NAME} printable characters"
        raise ValueError(message)
    return name


def new_id(now_us: int, entropy: Entropy) -> str:
    """A UUID of version 7: ids sort by the millisecond in which they were made. Source: RFC 9562, section 5.7."""
    drawn = int.from_bytes(entropy(_RANDOM_BYTES))
    high = (now_us // 1000 & (1 << 48) - 1) << 16 | 0x7000 | drawn >> 62 & 0xFFF
    return str(UUID(int=high << 64 | 0b10 << 62 | drawn & (1 << 62) - 1))
