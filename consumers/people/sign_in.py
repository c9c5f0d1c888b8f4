"""Signing in, staying signed in, signing out: passwords become sessions, sessions become tokens, tokens become users.

Refusals: whoever is refused learns neither whether there is such a user, nor by text nor by time; ``SignInRefused`` is one.
At once:  each request asks the store for user and session, so that whoever is removed, demoted or signed out is so at once.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Never

from consumers.people.errors import NobodyThere, SignInRefused, TokenRefused
from consumers.people.port import People
from consumers.people.session import IngestKey, Session, digest
from consumers.people.throttle import Throttle
from consumers.people.tokens import LIFETIMES, Tokens, Use
from consumers.people.user import Entropy, User, email_of, new_id

KEY_PREFIX: Final = "fsk_"
"""By which people and secret scanners tell an ingest key."""

_SECRET_BYTES: Final = 32
_MOST_CHARACTERS: Final = 1024
_USED_EVERY_US: Final = 60 * 1_000_000


@dataclass(frozen=True, slots=True)
class Pair:
    """What a client gets, and whose it is. Neither token is shown."""

    access: str
    refresh: str
    user: User

    def __repr__(self) -> str:
        return f"Pair({self.user.id})"


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who shows a good token."""

    user: User
    session_id: str


class SignIn:
    """Over the store and the tokens. ``clock`` answers microseconds since the epoch."""

    def __init__(self, people: People, tokens: Tokens, *, clock: Callable[[], int], entropy: Entropy) -> None:
        self._people = people
        self._tokens = tokens
        self._clock = clock
        self._entropy = entropy
        self._throttle = Throttle(people.attempts, clock=clock)

    def in_with(self, email: str, password: str, *, address: str) -> Pair:
        """Sign in. Raises ``SignInRefused``, ``SignInThrottled``."""
        user = self.verified(email, password, address=address)
        session_id = new_id(self._clock(), self._entropy)
        refresh = self._tokens.sign(Use.REFRESH, user.id, session_id)
        self._open(user, session_id, refresh, Use.REFRESH)
        return Pair(self._tokens.sign(Use.ACCESS, user.id, session_id), refresh, user)

    def page_in_with(self, email: str, password: str, *, address: str) -> str:
        """Sign a browser in; returns what its cookie holds. Raises as ``in_with`` does."""
        user = self.verified(email, password, address=address)
        session_id = new_id(self._clock(), self._entropy)
        cookie = self._tokens.sign(Use.PAGE, user.id, session_id)
        self._open(user, session_id, cookie, Use.PAGE)
        return cookie

    def verified(self, email: str, password: str, *, address: str) -> User:
        """The user to whom both belong, the attempt counted. Raises ``SignInRefused``, ``SignInThrottled``."""
        try:
            named = email_of(email)
        except ValueError:
            named = ""
        self._throttle.admit(named or email[:_MOST_CHARACTERS], address)
        user = self._people.users.verify(named, password[:_MOST_CHARACTERS])
        if user is None:
            _refuse()
        self._throttle.succeeded(named, address)
        return user

    def renewed(self, refresh: str) -> Pair:
        """Exchange a refresh token. Raises ``TokenRefused``, and ``TokenReused`` if it was exchanged before."""
        claims = self._tokens.read(refresh, Use.REFRESH)
        fresh = self._tokens.sign(Use.REFRESH, claims.user_id, claims.session_id)
        now_us = self._clock()
        user = self._people.sessions.renew(
            claims.user_id,
            claims.session_id,
            digest(refresh),
            digest(fresh),
            now_us=now_us,
            expires_us=_until(now_us, Use.REFRESH),
        )
        return Pair(self._tokens.sign(Use.ACCESS, claims.user_id, claims.session_id), fresh, user)

    def user_of(self, token: str, use: Use = Use.ACCESS) -> SignedIn:
        """Who shows this token. Raises ``TokenRefused``."""
        claims = self._tokens.read(token, use)
        user = self._people.sessions.user(claims.user_id, claims.session_id, now_us=self._clock())
        if user is None:
            message = "this session is over"
            raise TokenRefused(message)
        return SignedIn(user, claims.session_id)

    def key_of(self, secret: str) -> IngestKey:
        """Whose key this is; that it was used is noted to the minute. Raises ``TokenRefused``."""
        key = self._people.keys.find(digest(secret[:_MOST_CHARACTERS]))
        if key is None:
            message = "this key is unknown or revoked"
            raise TokenRefused(message)
        now_us = self._clock()
        if key.last_used_us is None or now_us - key.last_used_us >= _USED_EVERY_US:
            self._people.keys.used(key.id, now_us)
        return key

    def out(self, signed_in: SignedIn, *, everywhere: bool = False) -> None:
        """End the session, or all of the user's."""
        if everywhere:
            self._people.sessions.end_all(signed_in.user.id)
        else:
            self._people.sessions.end(signed_in.user.id, signed_in.session_id)

    def _open(self, user: User, session_id: str, token: str, use: Use) -> None:
        now_us = self._clock()
        session = Session(session_id, user.id, user.epoch, digest(token), now_us, _until(now_us, use))
        try:
            self._people.sessions.open(session)
        except NobodyThere:
            _refuse()


def new_key(people: People, name: str, *, by: str, now_us: int, entropy: Entropy) -> tuple[IngestKey, str]:
    """Make an ingest key; returns it and its secret, which is kept nowhere and told once."""
    secret = KEY_PREFIX + urlsafe_b64encode(entropy(_SECRET_BYTES)).decode().rstrip("=")
    key = IngestKey(new_id(now_us, entropy), name, now_us, by)
    people.keys.add(key, digest(secret))
    return key, secret


def _until(now_us: int, use: Use) -> int:
    return now_us + round(LIFETIMES[use].total_seconds()) * 1_000_000


def _refuse() -> Never:
    message = "e-mail address and password do not belong together, or this user may not sign in"
    raise SignInRefused(message) from None
