"""Who asks: from the ``Authorization`` header, or in a browser from the session's cookie, to a caller whom the table lets in.

Order:    a header wins over a cookie; a wrong one is refused, not overlooked, wherever somebody has to be known.
Cookies:  are believed only where ``Guard`` stands before, which keeps pages of other origins from writing.
Source: RFC 6750 (Bearer Token Usage), OWASP Cross-Site Request Forgery Prevention Cheat Sheet.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from http.cookies import CookieError, SimpleCookie
from typing import Final

from consumers.api.errors import NotAllowed, SignInNeeded
from consumers.people.errors import TokenRefused
from consumers.people.permissions import Access, Verdict, access_to, judged
from consumers.people.principal import Principal
from consumers.people.session import IngestKey
from consumers.people.sign_in import KEY_PREFIX, SignedIn, SignIn
from consumers.people.tokens import Use

COOKIE: Final = "findstream_session"
_CHALLENGE: Final = {"WWW-Authenticate": 'Bearer realm="findstream"'}
_INVALID: Final = {"WWW-Authenticate": 'Bearer realm="findstream", error="invalid_token"'}


@dataclass(frozen=True, slots=True)
class Caller:
    """Who asks: a user who signed in, a producer with a key, or nobody known."""

    signed_in: SignedIn | None = None
    key: IngestKey | None = None

    @property
    def principal(self) -> Principal | None:
        """The user, as routes know them."""
        return Principal(self.signed_in.user.id, self.signed_in.user.role) if self.signed_in else None


class Authentication:
    """Lets callers in, and remembers who it is for as long as a request is under way, in its thread.

    ``local``: only this machine can reach the server. ``cookies``: browsers may show theirs.
    """

    def __init__(self, sign_in: SignIn, *, local: bool, cookies: bool) -> None:
        self._sign_in = sign_in
        self._local = local
        self._cookies = cookies
        self._caller: ContextVar[Caller] = ContextVar("caller")

    @property
    def caller(self) -> Caller:
        """Who makes the request under way."""
        return self._caller.get(Caller())

    def principal(self) -> Principal:
        """The user who makes the request under way. Raises ``LookupError`` where there is none."""
        if (principal := self.caller.principal) is None:
            message = "nobody signed in asks here"
            raise LookupError(message)
        return principal

    def signed_in(self) -> SignedIn:
        """The user who makes the request under way, with the session. Raises ``LookupError`` where there is none."""
        if (signed_in := self.caller.signed_in) is None:
            message = "nobody signed in asks here"
            raise LookupError(message)
        return signed_in

    def admit(self, method: str, route: str, headers: Mapping[str, str]) -> Caller:
        """Know who asks, if they may. Raises ``SignInNeeded``, ``NotAllowed``, ``PeopleError``."""
        self._caller.set(Caller())
        access = access_to(method, route)
        if judged(access, None, local=self._local) is Verdict.ALLOWED:
            return Caller()
        caller = self._known(headers)
        verdict = judged(access, caller.principal.role if caller.principal else None, key=caller.key is not None)
        if verdict is Verdict.SIGN_IN:
            message = "sign in first: POST /auth/login, or findstream login"
            raise SignInNeeded(message, headers=_CHALLENGE)
        if verdict is Verdict.FORBIDDEN:
            message = "an ingest key may POST /events and nothing else" if caller.key else _forbidden(access)
            raise NotAllowed(message)
        self._caller.set(caller)
        return caller

    @contextmanager
    def known(self, caller: Caller) -> Iterator[None]:
        """Let ``caller`` be who asks."""
        token = self._caller.set(caller)
        try:
            yield
        finally:
            self._caller.reset(token)

    def look(self, headers: Mapping[str, str]) -> Caller:
        """Who asks, where anybody may."""
        try:
            return self._known(headers)
        except SignInNeeded:
            return Caller()

    def _known(self, headers: Mapping[str, str]) -> Caller:
        try:
            if authorization := headers.get("authorization"):
                scheme, _, token = authorization.partition(" ")
                if scheme.lower() != "bearer":
                    message = "sign in with a bearer token: POST /auth/login gives one"
                    raise SignInNeeded(message, headers=_CHALLENGE)
                if token.startswith(KEY_PREFIX):
                    return Caller(key=self._sign_in.key_of(token.strip()))
                return Caller(self._sign_in.user_of(token.strip()))
            if self._cookies and (cookie := cookie_of(headers)):
                return Caller(self._sign_in.user_of(cookie, Use.PAGE))
        except TokenRefused as refused:
            message = f"{refused}; sign in again"
            raise SignInNeeded(message, headers=_INVALID) from refused
        return Caller()


def cookie_of(headers: Mapping[str, str]) -> str:
    """What the session's cookie holds; "" if there is none."""
    try:
        found = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return found.value if found else ""


def _forbidden(access: Access) -> str:
    return f"this is for {access}" if access is not Access.NOBODY else "this is for nobody"
