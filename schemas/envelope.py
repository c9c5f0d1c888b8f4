"""The envelope: what every event carries, whatever happened.

Identity: ``id`` is ``<unix seconds of time_us>-<uuid>``, so ids sort by time; it is derived, never drawn (``schemas.identity``).
Order:    an event belongs to one ``subject``; the log keeps append order per subject and promises nothing across subjects.
Time:     ``time_us`` is when it happened. When it was *recorded* is stamped by the log and stands in ``Record``, outside the
          event's identity.
Trust:    constructing an ``Envelope`` checks nothing, which is what readers of the log need. What comes from outside
          passes ``validated`` once, at the door.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Final

import orjson
from pydantic import Field, Strict, TypeAdapter

MAX_TIME_US: Final = 253_402_300_800_000_000
"""Exclusive: 10000-01-01T00:00:00Z, where RFC 3339 ends."""

_STRICT: Final = Strict()
_EVENT_ID: Final = r"^[0-9]{1,12}-[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"


@dataclass(frozen=True, slots=True)
class Envelope:
    """One immutable fact. Header fields first (readers and folds need only these), then the body as JSON bytes.

    ``severity`` is 0 UNKNOWN, 1 LOW, 2 MEDIUM, 3 HIGH, 4 CRITICAL. Fields that do not apply are empty, never missing.
    ``source_id`` is the id that the source gave the event; sources reuse theirs, so it need not be unique.
    ``body`` is a JSON object in UTF-8, its shape told by ``(type, version)`` in ``schemas.registry``.
    """

    id: Annotated[str, _STRICT, Field(pattern=_EVENT_ID)]
    type: Annotated[str, _STRICT, Field(pattern=r"^[a-z][a-z_]*(\.[a-z][a-z_]*)+$", max_length=64)]
    version: Annotated[int, _STRICT, Field(ge=1, le=999)]
    time_us: Annotated[int, _STRICT, Field(ge=0, lt=MAX_TIME_US)]
    source: Annotated[str, _STRICT, Field(min_length=1, max_length=256)]
    account: Annotated[str, _STRICT, Field(pattern=r"^([0-9]{12})?$")]
    region: Annotated[str, _STRICT, Field(max_length=64)]
    subject: Annotated[str, _STRICT, Field(min_length=1, max_length=2048)]
    severity: Annotated[int, _STRICT, Field(ge=0, le=4)]
    summary: Annotated[str, _STRICT, Field(max_length=512)]
    resources: Annotated[tuple[Annotated[str, _STRICT], ...], _STRICT, Field(max_length=1000)]
    source_id: Annotated[str, _STRICT, Field(max_length=1024)]
    correlation_id: Annotated[str, _STRICT, Field(max_length=256)]
    causation_id: Annotated[str, _STRICT, Field(max_length=256)]
    body: Annotated[bytes, _STRICT, Field(max_length=1_000_000)]

    @property
    def data(self) -> Mapping[str, Any]:
        """The body, parsed anew at each access: bodies are read rarely, and most often once."""
        parsed: dict[str, Any] = orjson.loads(self.body)
        return parsed

    @property
    def uuid(self) -> bytes:
        """The 16 bytes of the id's uuid."""
        return bytes.fromhex(self.id.partition("-")[2].replace("-", ""))


_validator = TypeAdapter(Envelope).validator


def checked(fields: Mapping[str, Any]) -> Envelope:
    """An envelope of these fields, each checked strictly (no conversions) in the pass that builds it.

    Raises ``pydantic.ValidationError``, whose ``errors()`` name each field and the accepted form.
    """
    event: Envelope = _validator.validate_python(fields)
    return event


def validated(event: Envelope) -> Envelope:
    """Return ``event`` with every header field checked, as ``checked`` does."""
    return checked({name: getattr(event, name) for name in Envelope.__slots__})
