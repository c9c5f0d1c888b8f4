"""What the feed says, and to whom: an event as a message of the event stream format, and the filter of a follower.

Source: HTML Standard, "Server-sent events", section "Interpreting an event stream". A block that has an ``id`` and no ``data``
moves a client's last event id without telling it anything, which is what heartbeats do.
"""

from dataclasses import dataclass, field
from typing import Final

from consumers.api.views import event_at
from pipeline.log.port import Batch, Position
from projections.segments import has_words, sought

CONTENT_TYPE: Final = "text/event-stream; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Message:
    """One event for followers. ``resume`` is the vector up to and with it; ``data`` its JSON, encoded once for all of them."""

    position: Position
    type: str
    source: str
    severity: int
    resume: str
    data: bytes
    account: str = ""
    resources: tuple[str, ...] = ()
    summary: str = ""

    @classmethod
    def at(cls, batch: Batch, index: int, resume: str) -> "Message":
        """The message for the event at ``index`` of a batch; its body is not touched."""
        event = event_at(batch, index)
        data = event.model_dump_json().encode()
        return cls(
            batch.positions[index],
            event.type,
            event.source,
            event.severity,
            resume,
            data,
            event.account,
            tuple(event.resources),
            event.summary,
        )

    def wire(self) -> bytes:
        """The bytes on the wire. JSON holds no raw line break, so one ``data`` line is enough."""
        return b"id: %b\ndata: %b\n\n" % (self.resume.encode(), self.data)


FOR_USERS: Final = ("finding.", "agent.")
"""How the types begin that whoever signed in may follow. The rest, as others' tasks and configurations, is for admins."""


@dataclass(frozen=True, slots=True)
class Filter:
    """Which events a follower wants, and may have. Empty strings and 0 do not filter; nor does ``allowed`` if it is empty.

    ``text`` is words, all of which the summary must have, as the event index compares them.
    """

    source: str = ""
    type: str = ""
    min_severity: int = 0
    allowed: tuple[str, ...] = ()
    account: str = ""
    resource: str = ""
    text: str = ""
    _sought: list[str] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_sought", sought(self.text))

    def wants(self, message: Message) -> bool:
        """Whether the follower wants it, and may have it."""
        return (
            message.severity >= self.min_severity
            and (not self.allowed or message.type.startswith(self.allowed))
            and self.source in ("", message.source)
            and self.type in ("", message.type)
            and self.account in ("", message.account)
            and (not self.resource or self.resource in message.resources)
            and (not self._sought or has_words(message.summary, self._sought))
        )


def opening(resume: str) -> bytes:
    """The first block: reconnect after 2 seconds, and from here."""
    return b"retry: 2000\nid: %b\n\n" % resume.encode()


def heartbeat(resume: str) -> bytes:
    """Keeps proxies and clients from giving up, and lets a client whose filter matched nothing resume from here."""
    return b": still here\nid: %b\n\n" % resume.encode()


def dropped(resume: str) -> bytes:
    """Tells a follower that it was too slow, and where to resume."""
    return b'event: dropped\nid: %b\ndata: {"resume":"%b"}\n\n' % (resume.encode(), resume.encode())
