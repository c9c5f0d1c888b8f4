"""The keys that sign tokens, and their rotation, which signs nobody out.

Rotation:  a new key signs only ``LEAD_US`` after it was made, so that every process and function knows it by then; a former key
           goes on verifying until all that it signed has expired. Renewing drops what is past that.
Emergency: ``renewed(..., drop=True)`` keeps no former key: everybody is signed out, which is the point.
Kept as:   JSON, ``{"keys": [{"kid", "secret", "from_us"}]}``; or ``{"first": "<secret>"}``, as a template generates it.
Source: RFC 7518 section 3.2 (a key of HS256 has 256 bits at least), RFC 8725 (JWT best current practices).
"""

from base64 import urlsafe_b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import orjson

from consumers.people.errors import SigningKeysUnusable
from consumers.people.user import Entropy

LEAD_US: Final = 120 * 1_000_000
_SECRET_BYTES: Final = 48
_KID_BYTES: Final = 6
_LEAST_CHARACTERS: Final = 43
"""Of base64 or more random alphabets: 256 bits."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """One key; it signs from ``from_us`` on. Its secret is not shown."""

    kid: str
    secret: str
    from_us: int

    def __repr__(self) -> str:
        return f"SigningKey({self.kid!r}, from_us={self.from_us})"


@dataclass(frozen=True, slots=True)
class Keyring:
    """Keys in the order in which they sign."""

    keys: Sequence[SigningKey]

    def signing(self, now_us: int) -> SigningKey:
        """The key that signs now: the newest whose time has come."""
        due = [key for key in self.keys if key.from_us <= now_us]
        return due[-1] if due else self.keys[0]

    def verifying(self, kid: str) -> SigningKey | None:
        """The key of this id, if it (still, or already) verifies."""
        return next((key for key in self.keys if key.kid == kid), None)

    def dumped(self) -> bytes:
        """As it is kept."""
        return orjson.dumps({"keys": [{"kid": key.kid, "secret": key.secret, "from_us": key.from_us} for key in self.keys]})


def first(now_us: int, entropy: Entropy) -> Keyring:
    """A new keyring, whose one key signs at once."""
    return Keyring((_drawn(now_us, entropy),))


def renewed(keyring: Keyring, now_us: int, entropy: Entropy, *, longest_us: int, drop: bool = False) -> Keyring:
    """With a new key, and without those whose tokens, which live for ``longest_us`` at most, have all expired."""
    if drop:
        return first(now_us, entropy)
    fresh = _drawn(now_us + LEAD_US, entropy)
    ends = [*(key.from_us for key in keyring.keys[1:]), fresh.from_us]
    kept = [key for key, end_us in zip(keyring.keys, ends, strict=True) if end_us + longest_us > now_us]
    return Keyring((*kept, fresh))


def parsed(document: bytes | str, where: str) -> Keyring:
    """What ``dumped`` wrote, or a template generated. Raises ``SigningKeysUnusable`` naming ``where``, never what is there."""
    try:
        found: Any = orjson.loads(document)
        if "first" in found:
            return Keyring((_checked("first", found["first"], 0),))
        keys = [_checked(str(key["kid"]), key["secret"], int(key["from_us"])) for key in found["keys"]]
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError):
        keys = []
    if not keys:
        message = f"{where} holds no signing keys; put the last good version back, or delete it for new ones (all sign in again)"
        raise SigningKeysUnusable(message) from None
    return Keyring(tuple(sorted(keys, key=lambda key: key.from_us)))


def _drawn(from_us: int, entropy: Entropy) -> SigningKey:
    kid = urlsafe_b64encode(entropy(_KID_BYTES)).decode()
    return SigningKey(kid, urlsafe_b64encode(entropy(_SECRET_BYTES)).decode(), from_us)


def _checked(kid: str, secret: object, from_us: int) -> SigningKey:
    if not isinstance(secret, str) or len(secret) < _LEAST_CHARACTERS:
        message = "too short for a key"
        raise ValueError(message)
    return SigningKey(kid, secret, from_us)
