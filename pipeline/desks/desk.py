"""Where commands are carried out: load the aggregate, let it decide, store what it tells, all or nothing.

Acknowledged: what ``do`` returned is in the recorder, durably; the relay owes it to the log.
Concurrency:  optimistic. A command that names a version is refused once the aggregate has another. One that names none is decided
              anew on the newest version until it is stored.
Idempotence:  a command with a key is stored together with its key and digest, in one transaction. The same key with the same
              command gives the same answer, whatever happened since; with another command it is refused. Keys are kept for ever,
              each for the person who used it. A command that was refused leaves its key unused.
"""

import logging
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from hashlib import sha256
from random import Random
from typing import TYPE_CHECKING, Any, Final, TypeVar
from uuid import UUID, uuid5

import orjson
from eventsourcing.application import Repository
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    EventStore,
    IntegrityError,
    PersistenceError,
    StoredEvent,
)

from pipeline.desks.entity import Act, Entity, PictureMapper
from pipeline.desks.errors import DesksUnavailable, KeyReused, NothingThere, VersionConflict
from pipeline.desks.fact import FactMapper
from schemas.identity import canonical

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMMAND: Final = "command"
"""The topic of a kept key; the relay passes it by."""
SNAPSHOT_EVERY: Final = 100

_KEYS: Final = UUID("b7a3a3c8-52f5-5d6e-9d0c-0c7f2b8d4e21")
"""The namespace of kept keys. It never changes."""
_FIRST_PAUSE_SECONDS: Final = 0.002
_LONGEST_PAUSE_SECONDS: Final = 0.25
_ATTEMPTS: Final = 60

E = TypeVar("E", bound=Entity)
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Asked:
    """Who asks, with which idempotency key ("": none), against which version (None: whichever it is)."""

    by: str
    key: str = ""
    version: int | None = None


def _anybody(_: Entity) -> bool:
    return True


class Desk:
    """All aggregates over one recorder. Methods may be called from several threads and processes at once.

    ``clock`` answers microseconds since the epoch; ``new_id`` draws the id of what is made; ``pause`` (seconds) and ``dice`` are
    for commands that others overtook.
    """

    def __init__(
        self,
        events: ApplicationRecorder,
        snapshots: AggregateRecorder,
        *,
        clock: Callable[[], int],
        new_id: Callable[[], UUID],
        pause: Callable[[float], object],
        dice: Random,
        snapshot_every: int = SNAPSHOT_EVERY,
        attempts: int = _ATTEMPTS,
    ) -> None:
        self._recorder = events
        self._events: EventStore[UUID] = EventStore(FactMapper(), events)
        self._pictures: EventStore[UUID] = EventStore(PictureMapper(), snapshots)
        self._repository: Repository[UUID] = Repository(self._events, snapshot_store=self._pictures)
        self._clock = clock
        self._new_id = new_id
        self._pause = pause
        self._dice = dice
        self._snapshot_every = snapshot_every
        self._attempts = attempts

    def load(self, kind: type[E], entity_id: UUID, *, version: int | None = None) -> E:
        """The aggregate, as it is or was at ``version``; blank if nothing was ever told of it. Raises ``DesksUnavailable``."""

        def project(_: object, told: "Iterable[Any]") -> E:
            return kind.project(entity_id, told)

        with _translated():
            return self._repository.get(entity_id, version=version, projector_func=project)

    def make(self, kind: type[E], command: Any, asked: Asked) -> E:
        """Carry out a command that makes a new aggregate; returns it. Raises as ``do`` does."""
        return self.do(kind, self._new_id(), command, asked, fresh=True)

    def do(
        self,
        kind: type[E],
        entity_id: UUID,
        command: Any,
        asked: Asked,
        *,
        fresh: bool = False,
        may: Callable[[E], bool] = bool,
    ) -> E:
        """Carry out a command; returns the aggregate as it is then, or as it was when the same key came first.

        ``fresh`` says that the id was drawn for this command, so that it is no part of what the command says. ``may`` decides on
        the aggregate as it is whether this person may touch it: if not, it is not there for them.

        Raises ``DeskError``: ``CommandRefused``, ``NothingThere``, ``AlreadyThere``, ``VersionConflict``, ``KeyReused``, and
        ``DesksUnavailable`` if it is not known whether the command was stored.
        """
        digest = _digest(command, asked, "" if fresh else entity_id.hex)
        for attempt in range(self._attempts):
            if asked.key and (known := self._known(kind, asked, digest)) is not None:
                return known
            entity = self.load(kind, entity_id)
            self._decide(entity, command, asked, may)
            if self._stored(entity, asked, digest):
                self._photograph(entity)
                return entity
            self._pause(self._dice.uniform(0, min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)))
        message = f"others were faster {self._attempts} times; try again"
        raise DesksUnavailable(message)

    def _decide(self, entity: E, command: Any, asked: Asked, may: Callable[[E], bool]) -> None:
        if entity.exists and not may(entity):
            message = f"there is no such {entity.noun}"
            raise NothingThere(message)
        if asked.version is not None and asked.version != entity.version:
            if not (entity.exists or entity.made_elsewhere):
                entity.expect()
            raise VersionConflict(what=f"the {entity.noun}", version=entity.version)
        entity.obey(command, Act(asked.by, self._clock()))

    def _stored(self, entity: Entity, asked: Asked, digest: str) -> bool:
        """Whether what the aggregate told is stored; False if somebody else was faster."""
        stored = [self._events.mapper.to_stored_event(fact) for fact in entity.collect_events()]
        if asked.key:
            kept = orjson.dumps({"digest": digest, "id": entity.id.hex, "version": entity.version})
            stored.append(StoredEvent(_key_id(asked), 1, COMMAND, kept))
        try:
            with _translated():
                if stored:
                    self._recorder.insert_events(stored)
        except IntegrityError:
            return False
        return True

    def _known(self, kind: type[E], asked: Asked, digest: str) -> E | None:
        """The answer that this key got before. Raises ``KeyReused``."""
        with _translated():
            kept = self._recorder.select_events(_key_id(asked))
        if not kept:
            return None
        told = orjson.loads(kept[0].state)
        if told["digest"] != digest:
            message = "this idempotency key came with another command before; draw a new one for each command"
            raise KeyReused(message)
        return self.load(kind, UUID(told["id"]), version=told["version"])

    def _photograph(self, entity: Entity) -> None:
        """Take a snapshot now and then. The command is stored already, so that nothing that goes wrong here may fail it."""
        if entity.version and entity.version % self._snapshot_every == 0:
            try:
                self._pictures.put([entity.picture()])
            except PersistenceError as broken:
                _logger.warning("no snapshot of %s %s: %s", entity.noun, entity.id, broken)


def _digest(command: Any, asked: Asked, target: str) -> str:
    told = [type(command).__name__, target, asked.version, _said(command)]
    return sha256(canonical(told)).hexdigest()


def _said(command: Any) -> dict[str, Any]:
    """What a command says. Fields that do not compare are what its sender saw, which may differ when it is sent again."""
    seen = {field.name for field in fields(command) if not field.compare}
    return {name: value for name, value in asdict(command).items() if name not in seen}


def _key_id(asked: Asked) -> UUID:
    return uuid5(_KEYS, f"{asked.by}\n{asked.key}")


@contextmanager
def _translated() -> "Iterator[None]":
    """A recorder's errors as ours, but for the one that says that somebody was faster."""
    try:
        yield
    except IntegrityError:
        raise
    except (PersistenceError, TimeoutError) as broken:
        message = f"the desks' recorder: {broken}"
        raise DesksUnavailable(message) from broken
