"""Events as bytes: their interchange form (``schemas.cloudevents``) as UTF-8 JSON without white space.

Canonical: one event has one encoding; its body stands in it byte for byte, and comes out of it so.
Batches:   a JSON array, CloudEvents' batched mode; bodies come out of it with equal values, spelt as orjson does. Where bytes
           matter, write a line an event (NDJSON), each by ``encode``.
"""

from collections.abc import Iterable
from typing import Any, Final

import orjson

from schemas import cloudevents
from schemas.envelope import Envelope
from schemas.errors import EventRejected

MEDIA_TYPE: Final = "application/cloudevents+json"
BATCH_MEDIA_TYPE: Final = "application/cloudevents-batch+json"


def encode(event: Envelope, *, recorded_us: int | None = None) -> bytes:
    """One event. ``recorded_us`` is when the log recorded it, in microseconds since the epoch, if that is to be told."""
    told = cloudevents.attributes(event, recorded_us=recorded_us)
    told["data"] = orjson.Fragment(event.body)
    return orjson.dumps(told)


def decode(text: bytes) -> Envelope:
    """The inverse of ``encode``; it reads every other spelling of a CloudEvent of ours too. Raises ``EventRejected``."""
    return _verbatim(text) or cloudevents.decode(_object(_json(text)))


def encode_batch(events: Iterable[Envelope]) -> bytes:
    """Any number of events, in order."""
    return b"[" + b",".join(map(encode, events)) + b"]"


def decode_batch(text: bytes) -> list[Envelope]:
    """The inverse of ``encode_batch``: all events or none. Raises ``EventRejected``, its ``field`` beginning with the index."""
    batch = _json(text)
    if not isinstance(batch, list):
        reason = "is not a JSON array"
        raise EventRejected(reason)
    events = []
    for index, item in enumerate(batch):
        try:
            events.append(cloudevents.decode(_object(item)))
        except EventRejected as refused:
            raise EventRejected(refused.reason, f"{index}.{refused.field}".rstrip(".")) from None
    return events


def _verbatim(text: bytes) -> Envelope | None:
    """The event with the very bytes of its body, if ``text`` is of the form that ``encode`` writes: ``data`` stands last.

    The first ``,"data":`` begins that member: in a JSON text no string holds it (its quotes would be escaped), and within
    something nested the text before it would not close by one brace.
    """
    head, _, body = text.rpartition(b"}")[0].partition(b',"data":')
    try:
        attributes, data = orjson.loads(head + b"}"), orjson.loads(body)
    except orjson.JSONDecodeError:
        return None
    attributes["data"] = data
    return cloudevents.decode(attributes, body=body.strip())


def _json(text: bytes) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as broken:
        reason = f"is not JSON: {broken}"
        raise EventRejected(reason) from None


def _object(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        reason = "is not a JSON object"
        raise EventRejected(reason)
    return value
