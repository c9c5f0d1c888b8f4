"""Parked events as bytes: the whole envelope, so that it can be shown, and folded again after a fix."""

from dataclasses import fields

import orjson

from pipeline.log.port import Batch, Columns, Position
from projections.projection import Parked
from schemas.envelope import Envelope


def encode(event: Envelope) -> bytes:
    """The header as a line of JSON, then the body as it is (it may be what is broken)."""
    header = {field.name: getattr(event, field.name) for field in fields(Envelope) if field.name != "body"}
    return orjson.dumps(header) + b"\n" + event.body


def decode(parked: bytes) -> Envelope:
    """The inverse of ``encode``."""
    line, _, body = parked.partition(b"\n")
    header = orjson.loads(line)
    return Envelope(**header | {"resources": tuple(header["resources"]), "body": body})


def batch(position: Position, recorded_us: int, event: Envelope) -> Batch:
    """One event as a batch."""
    columns = Columns(*([getattr(event, name)] for name in Columns.__slots__))
    columns.resources = [list(event.resources)]
    return Batch(position.shard, [position], [recorded_us], columns, [event.body])


def unpark(parked: Parked) -> Batch:
    """A parked event as a batch of one."""
    return batch(parked.position, parked.recorded_us, decode(parked.event))
