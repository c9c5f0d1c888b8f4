"""The page on which people sign in, and where they sign out.

Cookie:  ``HttpOnly``, ``SameSite=Strict``, ``Secure`` where the page came by https; it is good for nothing else.
Forgery: both posts are refused by ``Guard`` if they come from a page of another origin.
Back:    only to paths of this server.
Source: OWASP Session Management Cheat Sheet; OWASP Unvalidated Redirects and Forwards Cheat Sheet.
"""

from collections.abc import Callable
from typing import Any, Final
from urllib.parse import parse_qs

from anyio import CapacityLimiter, to_thread
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from consumers.api.authentication import COOKIE, Authentication
from consumers.api.gateway import PASSWORD_THREADS, read_body
from consumers.people.errors import SignInRefused, SignInThrottled
from consumers.people.sign_in import SignIn
from consumers.people.tokens import LIFETIMES, Use

MAX_FORM_BYTES: Final = 16 * 1024
_SEE_OTHER: Final = 303

Render = Callable[..., Response]
"""Renders a template: its name, ``status``, ``headers``, and what it shows."""


class SignInPage:
    """Over the sign-in. ``signed_in`` tells who asks."""

    def __init__(self, sign_in: SignIn, authentication: Authentication, render: Render) -> None:
        self._sign_in = sign_in
        self._authentication = authentication
        self._render = render
        self._limiter: CapacityLimiter | None = None

    async def show(self, request: Request) -> Response:
        """The form; who is signed in already goes on."""
        back = local(request.query_params.get("next", ""))
        if self._authentication.caller.signed_in is not None:
            return RedirectResponse(back, _SEE_OTHER)
        return self._form(back)

    async def enter(self, request: Request) -> Response:
        """Sign in with what the form holds, and go on."""
        form = parse_qs((await read_body(request, limit=MAX_FORM_BYTES)).decode("utf-8", "replace"))
        email, password, back = (form.get(name, [""])[0] for name in ("email", "password", "next"))
        address = request.client.host if request.client else ""
        if self._limiter is None:  # made late, because a limiter belongs to the running event loop
            self._limiter = CapacityLimiter(PASSWORD_THREADS)
        try:
            cookie = await to_thread.run_sync(
                lambda: self._sign_in.page_in_with(email, password, address=address), limiter=self._limiter
            )
        except SignInRefused:
            return self._form(local(back), email=email, status=401, told="E-mail address or password is wrong.")
        except SignInThrottled as throttled:
            told = f"Too many attempts failed. Try again in {throttled.retry_seconds} s."
            headers = {"Retry-After": str(throttled.retry_seconds)}
            return self._form(local(back), email=email, status=429, told=told, headers=headers)
        answer = RedirectResponse(local(back), _SEE_OTHER, headers={"Cache-Control": "no-store"})
        lifetime = round(LIFETIMES[Use.PAGE].total_seconds())
        answer.set_cookie(
            COOKIE, cookie, max_age=lifetime, httponly=True, samesite="strict", secure=request.url.scheme == "https"
        )
        return answer

    async def leave(self, request: Request) -> Response:
        """End the session, if there is one, and show the form."""
        if (signed_in := self._authentication.caller.signed_in) is not None:
            await to_thread.run_sync(self._sign_in.out, signed_in)
        answer = RedirectResponse("/sign-in", _SEE_OTHER, headers={"Cache-Control": "no-store"})
        answer.delete_cookie(COOKIE, httponly=True, samesite="strict", secure=request.url.scheme == "https")
        return answer

    def _form(self, back: str, *, email: str = "", told: str = "", **more: Any) -> Response:
        return self._render("sign_in.html", here="sign_in", back=back, email=email, told=told, **more)


def local(path: str) -> str:
    """``path`` if it is one of this server, else the first page."""
    if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() and "\\" not in path:
        return path
    return "/"
