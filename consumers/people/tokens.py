"""Tokens: what a signed-in client shows. JSON Web Tokens, HS256 and nothing else, each good for one use.

Claims: ``iss``, ``aud``, ``typ`` (access, refresh or page), ``sub`` (the user's id), ``sid`` (the session), ``jti``, ``iat``,
        ``exp``; no name, address or role: those are asked of the store, so that a change holds at once.
Header: ``alg`` HS256, ``kid``. A token of another algorithm, key or use is refused before anything in it is believed.
Source: RFC 7519, RFC 8725 (JWT best current practices), OWASP JSON Web Token Cheat Sheet.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final

import jwt

from consumers.people.errors import TokenRefused
from consumers.people.keeping import Keys
from consumers.people.user import Entropy

ISSUER: Final = "findstream"
AUDIENCE: Final = "findstream"
ALGORITHM: Final = "HS256"
MOST_CHARACTERS: Final = 2048

_SECOND_US: Final = 1_000_000
_JTI_BYTES: Final = 16
_CLAIMS: Final = ("iss", "aud", "typ", "sub", "sid", "jti", "iat", "exp")


class Use(StrEnum):
    """What a token is good for."""

    ACCESS = "access"
    REFRESH = "refresh"
    PAGE = "page"
    """The cookie of a browser."""


LIFETIMES: Final = {Use.ACCESS: timedelta(minutes=15), Use.REFRESH: timedelta(days=7), Use.PAGE: timedelta(days=7)}
LONGEST_US: Final = max(LIFETIMES.values()) // timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Claims:
    """What a good token says."""

    user_id: str
    session_id: str
    expires_us: int


class Tokens:
    """Signs and reads tokens. ``clock`` answers microseconds since the epoch."""

    def __init__(self, keys: Keys, *, clock: Callable[[], int], entropy: Entropy) -> None:
        self._keys = keys
        self._clock = clock
        self._entropy = entropy

    def sign(self, use: Use, user_id: str, session_id: str, *, lifetime: timedelta | None = None) -> str:
        """A token for this use, good from now on for as long as its use allows."""
        now = self._clock() // _SECOND_US
        key = self._keys.read().signing(self._clock())
        claims = {
            "iss": ISSUER,
            "aud": AUDIENCE,
            "typ": use.value,
            "sub": user_id,
            "sid": session_id,
            "jti": urlsafe_b64encode(self._entropy(_JTI_BYTES)).decode().rstrip("="),
            "iat": now,
            "exp": now + round((lifetime or LIFETIMES[use]).total_seconds()),
        }
        return jwt.encode(claims, key.secret, ALGORITHM, headers={"kid": key.kid})

    def read(self, token: str, use: Use) -> Claims:
        """What a token says. Raises ``TokenRefused`` unless it is whole, ours, for this use, and has not expired."""
        if len(token) > MOST_CHARACTERS:
            message = "this is no token"
            raise TokenRefused(message)
        try:
            header = jwt.get_unverified_header(token)
            key = self._keys.read().verifying(str(header.get("kid", "")))
            if key is None:
                message = "this token was signed by a key that is not known (any more)"
                raise TokenRefused(message)
            said = jwt.decode(
                token,
                key.secret,
                algorithms=[ALGORITHM],
                issuer=ISSUER,
                audience=AUDIENCE,
                options={"require": list(_CLAIMS), "verify_exp": False, "verify_iat": False, "verify_nbf": False},
            )
        except jwt.InvalidTokenError as wrong:
            message = "this token is not one of ours"
            raise TokenRefused(message) from wrong
        return self._judged(said, use)

    def _judged(self, said: dict[str, object], use: Use) -> Claims:
        """The clock is ours, not the library's, and so is the use."""
        expires = said["exp"]
        if said["typ"] != use.value or not isinstance(expires, int) or not isinstance(said["sid"], str):
            message = f"this is no {use} token"
            raise TokenRefused(message)
        if expires * _SECOND_US <= self._clock():
            message = "this token has expired"
            raise TokenRefused(message)
        return Claims(str(said["sub"]), said["sid"], expires * _SECOND_US)
