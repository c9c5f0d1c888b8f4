"""Sessions, failed attempts and ingest keys: what is kept of them. Of each secret only a hash is."""

from dataclasses import dataclass
from hashlib import sha256


@dataclass(frozen=True, slots=True)
class Session:
    """One sign-in on one device. ``token_hash`` is of the one refresh token that is good now. ``epoch`` is the user's then."""

    id: str
    user_id: str
    epoch: int
    token_hash: str
    created_us: int
    expires_us: int


@dataclass(frozen=True, slots=True)
class Failures:
    """How many attempts failed in a row, and when the last one did."""

    count: int
    last_us: int


@dataclass(frozen=True, slots=True)
class IngestKey:
    """What lets a producer append findings, and nothing else. ``created_by`` is a user's id, "" if made on the machine."""

    id: str
    name: str
    created_us: int
    created_by: str = ""
    last_used_us: int | None = None
    revoked_us: int | None = None


def digest(secret: str) -> str:
    """What is kept of a secret that a machine drew: it has too much entropy to be guessed, so a fast hash serves.

    Source: OWASP Password Storage Cheat Sheet is about secrets that people choose; those go through ``passwords``.
    """
    return sha256(secret.encode()).hexdigest()
