"""What people decided about notifying: the routing in all its versions, and every silence that there ever was.

Key:    the subject: ``routing``, or ``silence/<silence_id>``.
Order:  log order within a subject.
Replay: folding the log again gives equal rows. Whether a silence is active depends on the time of day, and is told on reading.

Documents: ``routing/current`` names the newest version and has the last ones in short; ``routing/version/<number>`` is one whole;
``silence/<id>`` is a silence; ``ending//<time left>/<id>`` leads to it, the last to end first. Where an end was moved the former
lead stays, and leads to nothing: the silence says when it ends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Final, Literal

from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows
from schemas.envelope import MAX_TIME_US, Envelope
from schemas.registry import REGISTRY
from schemas.routing import RoutingPublished
from schemas.silences import SilenceChanged, SilenceCreated, SilenceExpired

CURRENT: Final = "routing/current"
SILENCES: Final = "silence"
"""The kind of the documents that are silences."""
ENDING: Final = "ending"
"""The kind of those that lead to them."""
VERSIONS_KEPT: Final = 100
"""Of the routing, in short: the last ones. Each can be read whole by its number for ever."""
CHANGES_KEPT: Final = 20
"""Of a silence: the last ones."""

SilenceStatus = Literal["pending", "active", "ended"]
Told = SilenceCreated | SilenceChanged | SilenceExpired


@dataclass(frozen=True, slots=True)
class RoutingVersion:
    """A version of the routing, told by the event of ``event_id``. ``text`` is "" where only what is in short was asked for."""

    number: int
    by: str
    comment: str
    published_us: int
    event_id: str
    text: str = ""


@dataclass(frozen=True, slots=True)
class KnownRouting:
    """The version that holds, whole, and the last ones in short, newest first."""

    current: RoutingVersion
    versions: tuple[RoutingVersion, ...]


@dataclass(frozen=True, slots=True)
class SilenceChange:
    """One thing that people did to a silence: ``what`` is created, changed or expired; ``ends_us`` is its end since."""

    what: str
    time_us: int
    by: str
    comment: str
    ends_us: int
    event_id: str


@dataclass(frozen=True, slots=True)
class KnownSilence:
    """A silence, from ``starts_us`` until ``ends_us`` (exclusive). ``by`` created it; the last of its ``changes`` stands last.

    ``expired``: somebody ended it before its time.
    """

    id: str
    matchers: tuple[str, ...]
    starts_us: int
    ends_us: int
    comment: str
    by: str
    created_us: int
    revision: int
    expired: bool
    changes: tuple[SilenceChange, ...]

    def status(self, now_us: int) -> SilenceStatus:
        """How it stands at a time."""
        if self.ends_us <= now_us:
            return "ended"
        return "active" if self.starts_us <= now_us else "pending"


class Policies:
    """The fold."""

    name: ClassVar[str] = "policies"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {
        "routing.published": 1,
        "silence.created": 1,
        "silence.changed": 1,
        "silence.expired": 1,
    }

    def parking_key(self, batch: Batch, index: int) -> str:
        """What people did later to the same thing waits behind an event that cannot be folded."""
        return batch.columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Fold event by event. Raises ``KeyError`` on an event of a silence that was never created."""
        documents = rows.documents({CURRENT, *batch.columns.subject})
        for index, subject in enumerate(batch.columns.subject):
            event = batch.envelope(index)
            body: Any = REGISTRY.parse(event)  # what is folded has one version
            if isinstance(body, RoutingPublished):
                documents |= _published(documents.get(CURRENT, _NONE), body, event)
                continue
            if isinstance(body, SilenceCreated):
                documents.setdefault(subject, _created(body, event))
            silence = documents[subject]
            if body.revision > silence["revision"]:  # not told again, thirty days later
                _fold(silence, body, event)
                documents[place(silence["ends_us"], silence["id"])] = {"id": silence["id"], "ends_us": silence["ends_us"]}
        return Changes(documents=documents)


def place(ends_us: int, silence_id: str = "") -> str:
    """Where a silence with this end stands among all, the last to end first; without an id, before all with this end."""
    return f"{ENDING}//{MAX_TIME_US - ends_us:018}/{silence_id}"


def known_silence(document: Document) -> KnownSilence:
    """The silence of a document."""
    told = {**document, "matchers": tuple(document["matchers"])}
    return KnownSilence(**{**told, "changes": tuple(SilenceChange(**change) for change in document["changes"])})


def routing(rows: Rows) -> KnownRouting | None:
    """The routing; None if none was ever published."""
    short = rows.documents([CURRENT]).get(CURRENT)
    current = routing_version(rows, short["number"]) if short else None
    if short is None or current is None:
        return None
    return KnownRouting(current, tuple(RoutingVersion(**version) for version in reversed(short["versions"])))


def routing_version(rows: Rows, number: int) -> RoutingVersion | None:
    """A version of the routing, whole; None if there is none of this number."""
    found = rows.documents([_version(number)]).get(_version(number))
    return RoutingVersion(**found) if found else None


def _version(number: int) -> str:
    return f"routing/version/{number}"


_NONE: Final[Document] = {"number": 0, "versions": []}


def _published(current: Document, body: RoutingPublished, event: Envelope) -> dict[str, Document]:
    if body.version <= current["number"]:  # told again, thirty days later
        return {}
    short = {
        "number": body.version,
        "by": body.by,
        "comment": body.comment,
        "published_us": event.time_us,
        "event_id": event.id,
    }
    versions = [*current["versions"], short][-VERSIONS_KEPT:]
    return {CURRENT: {"number": body.version, "versions": versions}, _version(body.version): {**short, "text": body.text}}


def _created(body: SilenceCreated, event: Envelope) -> Document:
    told = body.model_dump(mode="json", include={"matchers", "starts_us", "by"})
    return {"id": body.silence_id, **told, "created_us": event.time_us, "revision": 0, "expired": False, "changes": []}


def _fold(silence: Document, body: Told, event: Envelope) -> None:
    if isinstance(body, SilenceExpired):
        what = "expired"
        silence |= {"ends_us": event.time_us, "expired": True}
    else:
        what = "created" if isinstance(body, SilenceCreated) else "changed"
        silence |= {"ends_us": body.ends_us, "comment": body.comment}
    silence["revision"] = body.revision
    change = {
        "what": what,
        "time_us": event.time_us,
        "by": body.by,
        "comment": body.comment,
        "ends_us": silence["ends_us"],
        "event_id": event.id,
    }
    silence["changes"] = [*silence["changes"], change][-CHANGES_KEPT:]
