"""The routes of profiles: everybody keeps their own, admins anybody's."""

from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Any, Final

import orjson
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path
from aws_lambda_powertools.event_handler.request import Request
from pydantic import SecretStr

from consumers.api import people_views
from consumers.api.authentication import Authentication
from consumers.api.errors import Conflict, NotAllowed, NothingHere, ValueRefused
from consumers.api.people_models import PasswordChange, UserChange, UserId, UserView
from consumers.api.routing import Routes, answers, nothing
from consumers.people.errors import SignInRefused
from consumers.people.permissions import own_only
from consumers.people.port import Users
from consumers.people.principal import Principal
from consumers.people.sign_in import SignIn
from consumers.people.user import User

MAX_PREFERENCES_BYTES: Final = 8192
_WRONG: Final = "the request has wrong values; see details"

Id = Annotated[UserId, Path(description="The user's id.")]


def routes(
    users: Users,
    sign_in: SignIn,
    authentication: Authentication,
    *,
    clock: Callable[[], int],
    address: Callable[[Request], str],
) -> Routes:
    """The routes. ``address`` answers from where a request comes."""
    router = Routes()
    principal = authentication.principal

    @router.get(
        "/users/me",
        tags=["people"],
        summary="Read one's own profile",
        description="Who is signed in.",
        responses=answers(UserView, "The user."),
    )
    def read_me() -> UserView:
        return people_views.user(authentication.signed_in().user)

    @router.put(
        "/users/me/preferences",
        tags=["people"],
        summary="Replace one's own preferences",
        description=f"Any JSON object of {MAX_PREFERENCES_BYTES} bytes at most; pages and programs agree on what it holds.",
        responses=answers(UserView, "The user.", 409, 413, 415),
    )
    def replace_preferences(*, preferences: Annotated[dict[str, Any], Body()]) -> UserView:
        _keepable(preferences)
        me = authentication.signed_in().user
        return people_views.user(users.change(me, replace(me, preferences=preferences, updated_us=clock())))

    @router.get(
        "/users/<user_id>",
        tags=["people"],
        summary="Read a user",
        description="Users read their own profile only.",
        responses=answers(UserView, "The user.", 404),
    )
    def read_user(*, user_id: Id) -> UserView:
        return people_views.user(_theirs(users, principal(), user_id))

    @router.put(
        "/users/<user_id>",
        tags=["people"],
        summary="Change a user",
        description="What is left out stays. Users change their own name and e-mail address; role and activity are for admins. "
        "Who changes their own address gives `current_password` too. The last active admin stays one.",
        responses=answers(UserView, "The user.", 404, 409, 413, 415, 429),
    )
    def change_user(*, user_id: Id, change: Annotated[UserChange, Body()], request: Request) -> UserView:
        before = _theirs(users, principal(), user_id)
        told = _allowed(change, before, principal())
        if before.id == principal().user_id and change.email not in (None, before.email):
            _confirm(sign_in, before, change.current_password, address(request))
        return people_views.user(users.change(before, replace(before, **told, updated_us=clock())))

    @router.put(
        "/users/<user_id>/password",
        tags=["people"],
        summary="Set a password",
        description="Ends all sessions of the user but the one that asks. Who sets their own gives `current_password` too; "
        "wrong ones are slowed down like sign-in.",
        responses=answers(None, "Set.", 404, 413, 415, 429, status=204),
    )
    def set_password(*, user_id: Id, change: Annotated[PasswordChange, Body()], request: Request) -> Response[None]:
        user, asking = _theirs(users, principal(), user_id), authentication.signed_in()
        own = user.id == asking.user.id
        if own:
            _confirm(sign_in, user, change.current_password, address(request))
        password = change.password.get_secret_value()
        users.set_password(user.id, password, now_us=clock(), keep=asking.session_id if own else "")
        return nothing()

    return router


def _keepable(preferences: dict[str, Any]) -> None:
    """Raise ``ValueRefused`` for what is too large, too deep, or has integers of over 64 bits."""
    try:
        size = len(orjson.dumps(preferences))
    except orjson.JSONEncodeError as wrong:
        raise ValueRefused(_WRONG, fields=[("body", f"cannot be kept: {wrong}")]) from None
    if size > MAX_PREFERENCES_BYTES:
        raise ValueRefused(_WRONG, fields=[("body", f"may have {MAX_PREFERENCES_BYTES} bytes")])


def _theirs(users: Users, principal: Principal, user_id: str) -> User:
    """The user, if who asks may know of them. Raises ``NothingHere``."""
    limited = own_only(principal, "GET", "/users/{}") and principal.user_id != user_id
    user = None if limited else users.get(user_id)
    if user is None:
        message = "there is no such user"
        raise NothingHere(message)
    return user


def _allowed(change: UserChange, before: User, principal: Principal) -> dict[str, Any]:
    """What is to be another. Raises ``NotAllowed`` for what is not a user's to change, ``Conflict`` for a stale edit."""
    told = change.model_dump(exclude_none=True, exclude={"version", "current_password"})
    if not principal.is_admin and {"role", "active"} & told.keys():
        message = "role and activity are for admins to change"
        raise NotAllowed(message)
    if change.version not in (None, before.version):
        message = f"somebody else changed this user meanwhile: version {before.version} is the present one"
        raise Conflict(message, fields=[("version", f"is {before.version} by now")])
    return told


def _confirm(sign_in: SignIn, user: User, given: SecretStr | None, address: str) -> None:
    """Raise ``ValueRefused`` unless the present password is given: an open session is not enough. Attempts are counted."""
    try:
        sign_in.verified(user.email, given.get_secret_value() if given else "", address=address)
    except SignInRefused:
        raise ValueRefused(_WRONG, fields=[("current_password", "is not the present one")]) from None
