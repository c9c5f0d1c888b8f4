"""What all aggregates of the desks share: facts in, facts out, and a state that is plain data.

Blank:     an aggregate of which nothing was told yet has version 0. So one whose id derives from a natural key (an account) can
           be asked for before it is there, and is made by one writer only, since its version 1 can be stored once.
Time:      never runs back within an aggregate, whatever the clock does.
Snapshots: are the state as JSON; whoever changes a state's form raises ``SNAPSHOTS``, which makes older ones unknown.
"""

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, ClassVar, Final, Self
from uuid import UUID

import orjson
from eventsourcing.domain import Aggregate, DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent
from pydantic import ValidationError

from pipeline.desks.errors import CommandRefused, NothingThere
from pipeline.desks.fact import Fact, kind_of, micros, moment
from schemas.body import Body
from schemas.registry import REGISTRY

SNAPSHOTS: Final = 1


@dataclass(frozen=True, slots=True)
class Act:
    """Who commands, and when (microseconds since the epoch)."""

    by: str
    now_us: int


@dataclass(frozen=True)
class Picture:
    """A snapshot: the state of an aggregate at a version."""

    originator_id: UUID
    originator_version: int
    time_us: int
    state: Mapping[str, Any]


class Entity(Aggregate):
    """The base of the aggregates. ``state`` is a dataclass of JSON values; None before the first fact, and once removed."""

    noun: ClassVar[str]
    """What people call it."""
    made_elsewhere: ClassVar[bool] = False
    """Whether it is there before the first fact of this desk is told of it."""
    state: Any

    @classmethod
    def blank(cls, entity_id: UUID) -> Self:
        """The aggregate of which nothing was told yet."""
        entity = object.__new__(cls)
        entity.__base_init__(entity_id, 0, moment(0))
        entity.state = None
        return entity

    @classmethod
    def restored(cls, picture: Picture) -> Self:
        """The aggregate at a snapshot."""
        entity = object.__new__(cls)
        entity.__base_init__(picture.originator_id, picture.originator_version, moment(picture.time_us))
        entity.state = cls.state_of(dict(picture.state)) if picture.state else None
        return entity

    @classmethod
    def project(cls, entity_id: UUID, told: Iterable[DomainEventProtocol[UUID] | Picture]) -> Self:
        """The aggregate after a snapshot, if there is one, and the facts behind it."""
        entity = cls.blank(entity_id)
        for one in told:
            if isinstance(one, Picture):
                entity = cls.restored(one)
            elif isinstance(one, Fact):
                one.mutate(entity)
        return entity

    @classmethod
    def state_of(cls, plain: dict[str, Any]) -> Any:
        """The state from a snapshot's JSON."""
        raise NotImplementedError

    def obey(self, command: Any, act: Act) -> None:
        """Do what is asked, by telling facts; what changes nothing tells none. Raises ``DeskError``."""
        raise NotImplementedError

    def take(self, fact: Fact) -> None:
        """Fold a fact into the state. Pure."""
        raise NotImplementedError

    @property
    def exists(self) -> bool:
        """Whether it was made, and not removed."""
        return self.state is not None

    @property
    def updated_us(self) -> int:
        """When the last fact came about."""
        return micros(self.modified_on)

    def picture(self) -> Picture:
        """A snapshot of it as it is."""
        return Picture(self.id, self.version, self.updated_us, asdict(self.state) if self.exists else {})

    def expect(self) -> Any:
        """The state. Raises ``NothingThere``."""
        if not self.exists:
            message = f"there is no such {self.noun}"
            raise NothingThere(message)
        return self.state

    def tell(
        self,
        act: Act,
        body: Body,
        *,
        subject: str,
        summary: str,
        account: str = "",
        cause: str = "",
        secret: Mapping[str, Any] | None = None,
    ) -> None:
        """Tell a fact, which is of its published form. ``cause`` is the id of the event that led to it."""
        self.trigger_event(
            Fact,
            timestamp=moment(max(act.now_us, self.updated_us)),
            kind=kind_of(body),
            subject=subject,
            account=account,
            summary=summary[:512],
            causation_id=cause,
            correlation_id=cause,
            body=body.model_dump(mode="json", exclude_unset=True),
            secret=dict(secret or {}),
        )
        REGISTRY.check(self.pending_events[-1].envelope())  # type: ignore[attr-defined]  # it is a Fact


def checked(model: type[Body], **fields: Any) -> Any:
    """A body of these fields. Raises ``CommandRefused`` naming those that its schema does not accept."""
    try:
        return model(**fields)
    except ValidationError as broken:
        raise CommandRefused.by(broken) from None


class PictureMapper(Mapper[UUID]):
    """Between snapshots and what a recorder stores."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: Any) -> StoredEvent:
        """A snapshot as stored."""
        state = orjson.dumps({"time_us": domain_event.time_us, "state": domain_event.state})
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, "snapshot", state)

    def to_domain_event(self, stored_event: StoredEvent) -> Any:
        """The snapshot that was stored."""
        return Picture(UUID(str(stored_event.originator_id)), stored_event.originator_version, **orjson.loads(stored_event.state))
