"""What the routes that command have in common: who asks, with which key, against which version; and names for ids."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Header, Query
from pydantic import BaseModel, Field

from consumers.api.errors import ValueRefused
from consumers.api.forms import KEY
from consumers.api.models import Answer
from consumers.people.directory import REMOVED, Directory
from consumers.people.principal import Principal
from pipeline.desks.desk import Asked, Desk
from projections.reading import Task

MAX_VERSION: Final = 1_000_000_000

Key = Annotated[
    str,
    Field(pattern=KEY),
    Header(
        alias="Idempotency-Key",
        description="Drawn by you for this command, 1 to 128 printable characters: sent again with it, the command is done once "
        "and answered in the same way; another command with it is refused.",
    ),
]
AtLeast = Annotated[
    int,
    Field(ge=0, le=MAX_VERSION),
    Query(description="The version that a command answered: the answer shows at least that one."),
]
Against = Annotated[int, Field(ge=0, le=MAX_VERSION, description="The version that you saw; 409 if there is another by now.")]
AgainstIfAny = Annotated[
    int | None, Field(ge=0, le=MAX_VERSION), Query(description="The version that you saw; any, if left out.")
]
Given = Annotated[float, Field(ge=0, lt=253_402_300_800, description="Unix seconds, UTC.", examples=[1811808000])]


class Person(Answer):
    """Somebody, by id and name."""

    id: str
    name: Annotated[str, Field(description="`a removed user` if there is nobody of this id any more.", examples=["Ada Lovelace"])]


class Gone(Answer):
    """What was removed, and the version that it has since."""

    id: str
    version: int


@dataclass(frozen=True, slots=True)
class Desks:
    """What the routes that command are given. ``principal`` answers who makes the request under way."""

    desk: Desk
    principal: Callable[[], Principal]
    directory: Directory

    def asked(self, key: str, version: int | None = None) -> Asked:
        """The asker of the command under way."""
        return Asked(self.principal().user_id, key, version)

    def may_see(self, task: Task) -> bool:
        """Whether who asks may see a task: admins any, others their own."""
        who = self.principal()
        return who.is_admin or task.belongs_to(who.user_id)

    def people(self, user_ids: Collection[str]) -> "People":
        """Names for these ids, looked up at once."""
        wanted = {user_id for user_id in user_ids if user_id}
        return People(self.directory.names(wanted) if wanted else {})

    def check_person(self, field: str, user_id: str | None) -> None:
        """Raise ``ValueRefused`` unless there is somebody of this id."""
        if user_id and self.directory.names([user_id]).get(user_id, REMOVED) == REMOVED:
            message = "the request has wrong values; see details"
            raise ValueRefused(message, fields=[(field, "is the id of nobody")])


@dataclass(frozen=True, slots=True)
class People:
    """Names by id."""

    names: Mapping[str, str]

    def person(self, user_id: str) -> Person | None:
        """Somebody; None for nobody."""
        return Person(id=user_id, name=self.names.get(user_id, REMOVED)) if user_id else None


def created(answer: BaseModel) -> Response[Any]:
    """The answer to a command that made something."""
    return Response(201, "application/json", answer)
