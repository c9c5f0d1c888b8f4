"""The routes of ingest keys: admins make, list and revoke them."""

from collections.abc import Callable
from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path

from consumers.api import people_views
from consumers.api.people_models import KeyList, KeyMade, KeyView, NewKey, UserId
from consumers.api.routing import Routes, answers
from consumers.people.port import People
from consumers.people.principal import Principal
from consumers.people.sign_in import new_key
from consumers.people.user import Entropy


def routes(people: People, *, principal: Callable[[], Principal], clock: Callable[[], int], entropy: Entropy) -> Routes:
    """The routes."""
    router = Routes()

    @router.get(
        "/keys",
        tags=["people"],
        summary="List ingest keys",
        description="Revoked ones included, in the order in which they were made.",
        responses=answers(KeyList, "All keys."),
    )
    def list_keys() -> KeyList:
        return KeyList(items=[people_views.key(key) for key in people.keys.list()])

    @router.post(
        "/keys",
        tags=["people"],
        summary="Make an ingest key",
        description="For a producer: it may `POST /events` and nothing else. The secret is told in this answer and never again.",
        responses=answers(KeyMade, "The key and its secret.", 413, 415, status=201),
    )
    def make_key(*, new: Annotated[NewKey, Body()]) -> Response[KeyMade]:
        key, secret = new_key(people, new.name, by=principal().user_id, now_us=clock(), entropy=entropy)
        return Response(201, "application/json", people_views.made(key, secret))

    @router.delete(
        "/keys/<key_id>",
        tags=["people"],
        summary="Revoke an ingest key",
        description="It is refused from now on. It stays in the list. Revoking again is fine.",
        responses=answers(KeyView, "The key.", 404),
    )
    def revoke_key(*, key_id: Annotated[UserId, Path(description="The key's id.")]) -> KeyView:
        return people_views.key(people.keys.revoke(key_id, clock()))

    return router
