"""A fact that a command brought about: what the recorder keeps, and the envelope that the log gets of it.

Stored:   under a topic that is the event's type, as the JSON of everything but aggregate and version. Published later: the relay
          makes the envelope from it, without knowing any aggregate.
Identity: the envelope's id derives from time, aggregate and version, so that relaying a fact twice tells one event.
Secrets:  what a fact keeps to itself (``secret``) stays in the recorder.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from typing import Any, Final
from uuid import UUID

import orjson
from eventsourcing.domain import AggregateEvent, DomainEventProtocol
from eventsourcing.persistence import JSONTranscoder, Mapper, StoredEvent

from schemas.body import Body
from schemas.envelope import Envelope
from schemas.identity import event_id
from schemas.registry import MODELS

SOURCE: Final = "findstream.desks"
VERSION: Final = 1
"""Of the schema of each body: a desk always tells the newest."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)
_KINDS: Final[Mapping[Any, str]] = MappingProxyType(
    {model: kind for (kind, _), model in MODELS.items() if isinstance(model, type)}
)


def kind_of(body: Body) -> str:
    """The type of event that a body belongs to."""
    return _KINDS[type(body)]


def moment(time_us: int) -> datetime:
    """Microseconds since the epoch as the library has times."""
    return _EPOCH + time_us * _MICROSECOND


def micros(time: datetime) -> int:
    """The inverse of ``moment``."""
    return (time - _EPOCH) // _MICROSECOND


class Fact(AggregateEvent):
    """What happened to an aggregate. ``body`` is of the published schema of ``kind``; the rest stands in the envelope."""

    kind: str
    subject: str
    account: str
    summary: str
    causation_id: str
    correlation_id: str
    body: dict[str, Any]
    secret: dict[str, Any]

    @property
    def time_us(self) -> int:
        """When it happened."""
        return micros(self.timestamp)

    def apply(self, aggregate: Any) -> None:
        """Let the aggregate take it in."""
        aggregate.take(self)

    def envelope(self) -> Envelope:
        """The event for the log."""
        return Envelope(
            id=event_id(self.time_us, SOURCE, self.originator_id.hex, self.originator_version),
            type=self.kind,
            version=VERSION,
            time_us=self.time_us,
            source=SOURCE,
            account=self.account,
            region="",
            subject=self.subject,
            severity=0,
            summary=self.summary,
            resources=(),
            source_id="",
            correlation_id=self.correlation_id,
            causation_id=self.causation_id,
            body=orjson.dumps(self.body),
        )


_KEPT: Final = ("subject", "account", "summary", "causation_id", "correlation_id", "body", "secret")


class FactMapper(Mapper[UUID]):
    """Between facts and what a recorder stores: no name of a class or module gets into it."""

    def __init__(self) -> None:
        super().__init__(JSONTranscoder())

    def to_stored_event(self, domain_event: DomainEventProtocol[UUID]) -> StoredEvent:
        """A fact as stored."""
        assert isinstance(domain_event, Fact)  # noqa: S101 -- the desks tell nothing else
        state = {"time_us": domain_event.time_us, **{name: getattr(domain_event, name) for name in _KEPT}}
        return StoredEvent(domain_event.originator_id, domain_event.originator_version, domain_event.kind, orjson.dumps(state))

    def to_domain_event(self, stored_event: StoredEvent) -> Fact:
        """The fact that was stored."""
        state = orjson.loads(stored_event.state)
        return Fact(  # type: ignore[call-arg]  # the library makes a dataclass of it, unseen by mypy
            originator_id=UUID(str(stored_event.originator_id)),
            originator_version=stored_event.originator_version,
            timestamp=moment(state.pop("time_us")),
            kind=stored_event.topic,
            **state,
        )
