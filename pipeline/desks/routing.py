"""The routing of notifications: the whole document, published version by version.

Identity: there is one. It is there before anything is published of it: then what comes with findstream holds.
Text:     who commands has checked it. Publishing what holds already tells nothing.
"""

from dataclasses import dataclass
from typing import Any, ClassVar, Final
from uuid import UUID

from pipeline.desks.entity import Act, Entity, checked
from pipeline.desks.errors import CommandRefused
from pipeline.desks.fact import Fact
from schemas.routing import RoutingPublished

ROUTING: Final = UUID("9b1f6a52-3f0e-5c3d-8f4e-6d2a7c1b9e55")
"""The aggregate's id of the one routing. It never changes."""
MOST_BYTES: Final = 131_072
"""Of a text in UTF-8: any recorder, log and function takes a fact with it, however much of it JSON has to escape."""


@dataclass(frozen=True, slots=True)
class PublishRouting:
    """Put another routing in the place of the one that holds."""

    text: str
    comment: str = ""


@dataclass(frozen=True, slots=True)
class RoutingState:
    """The routing as it was published last. Times are microseconds since the epoch."""

    text: str
    comment: str
    by: str
    time_us: int


class Routing(Entity):
    """The aggregate. Its version is that of the routing."""

    noun: ClassVar[str] = "routing"
    made_elsewhere: ClassVar[bool] = True
    state: RoutingState | None

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> RoutingState:
        """The state from a snapshot's JSON."""
        return RoutingState(**plain)

    def obey(self, command: PublishRouting, act: Act) -> None:
        """Do what is asked. Raises ``CommandRefused``."""
        if self.state and self.state.text == command.text:
            return
        if len(command.text.encode()) > MOST_BYTES:
            raise CommandRefused.of(field="text", reason=f"may have {MOST_BYTES} bytes")
        told = checked(RoutingPublished, version=self.version + 1, text=command.text, comment=command.comment.strip(), by=act.by)
        self.tell(act, told, subject="routing", summary=f"Routing of notifications published, version {told.version}")

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state."""
        body = fact.body
        self.state = RoutingState(body["text"], body["comment"], body["by"], fact.time_us)
