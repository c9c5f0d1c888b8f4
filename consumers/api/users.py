"""The routes of users: admins make, list and remove them."""

from collections.abc import Callable
from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import people_views
from consumers.api.parameters import Limit
from consumers.api.people_models import NewUser, UserId, UserList, UsersStats, UserView
from consumers.api.routing import Routes, answers, nothing
from consumers.people.port import Users, Wanted
from consumers.people.principal import Role
from consumers.people.user import Entropy, User, new_id

_EVERYBODY: Final = 1_000_000

Id = Annotated[UserId, Path(description="The user's id.")]


def routes(users: Users, *, clock: Callable[[], int], entropy: Entropy) -> Routes:
    """The routes."""
    router = Routes()

    @router.get(
        "/users",
        tags=["people"],
        summary="List users",
        description="In the order in which they were made. Filters must all hold.",
        responses=answers(UserList, "The users that match."),
    )
    def list_users(
        *,
        role: Annotated[Role | None, Query(description="Only of this role.")] = None,
        active: Annotated[bool | None, Query(description="Only who may sign in, or who may not.")] = None,
        limit: Limit = 50,
        offset: Annotated[int, Field(ge=0, le=_EVERYBODY), Query(description="Leave out so many first.")] = 0,
    ) -> UserList:
        page = users.list(Wanted(role, active, limit, offset))
        return UserList(items=[people_views.user(user) for user in page.users], total=page.total)

    @router.post(
        "/users",
        tags=["people"],
        summary="Make a user",
        description="The user signs in with this password, and may change it then.",
        responses=answers(UserView, "The user.", 409, 413, 415, status=201),
    )
    def make_user(*, new: Annotated[NewUser, Body()]) -> Response[UserView]:
        now_us = clock()
        user = User(new_id(now_us, entropy), new.email, new.full_name, new.role, now_us, now_us)
        users.add(user, new.password.get_secret_value())
        return Response(201, "application/json", people_views.user(user), headers={"Location": f"/users/{user.id}"})

    @router.delete(
        "/users/<user_id>",
        tags=["people"],
        summary="Remove a user",
        description="Removes everything personal and frees the e-mail address. History keeps the id, and shows *a removed user*.",
        responses=answers(None, "Removed.", 404, 409, status=204),
    )
    def remove_user(*, user_id: Id) -> Response[None]:
        users.erase(user_id)
        return nothing()

    @router.get(
        "/dashboard/users-stats",
        tags=["dashboard"],
        summary="Count users",
        description="By role, activity and last sign-in.",
        responses=answers(UsersStats, "The figures."),
    )
    def count_users() -> UsersStats:
        return people_views.stats(users.list(Wanted(limit=_EVERYBODY)).users, now_us=clock())

    return router
