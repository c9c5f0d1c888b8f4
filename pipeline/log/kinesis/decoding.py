"""Kinesis records of one shard as a batch of events, and what among them is no event. Pure.

Order:     the records' order, and within an aggregate that of its user records.
Positions: (shard, sequence number, number of the user record in its record); a plain record's is 0. They count what is unreadable
           too, so they do not depend on what this version can read.
Filter:    a user record whose hash key its shard does not own is a stray: it was aggregated before a split, and its producer
           appends it again. KCL and KPL agree on that rule; ours drops the one record, the KCL the whole aggregate.

Source: amazon-kinesis-client, ``AggregatorUtil.deaggregate``; amazon-kinesis-producer, ``Retrier``.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, NamedTuple

from pipeline.log.kinesis import kpl, user_record
from pipeline.log.kinesis.unreadable import Kind, Unreadable
from pipeline.log.port import Batch, Columns, Position
from schemas.envelope import Envelope
from schemas.errors import EventRejected

ALL_KEYS: Final = range(1 << 128)
"""The hash keys of a shard that owns them all, or of which it is not known."""


class Stored(NamedTuple):
    """A record as Kinesis holds it; its arrival in microseconds since the epoch."""

    sequence: int
    data: bytes
    arrived_us: int


@dataclass(frozen=True, slots=True)
class Decoded:
    """The events of some records, and the rest. Between them they account for every user record."""

    batch: Batch
    unreadable: Sequence[Unreadable]


def decode(shard: str, records: Iterable[Stored], keys: range = ALL_KEYS) -> Decoded:
    """What some consecutive records of ``shard`` hold, ``keys`` being the hash keys that it owns."""
    positions: list[Position] = []
    arrived_us: list[int] = []
    events: list[Envelope] = []
    unreadable: list[Unreadable] = []
    for record in records:
        for position, found in _read(shard, record, keys):
            if isinstance(found, Envelope):
                positions.append(position)
                arrived_us.append(record.arrived_us)
                events.append(found)
            else:
                unreadable.append(found)
    return Decoded(Batch(shard, positions, arrived_us, _columns(events), [event.body for event in events]), unreadable)


def _read(shard: str, record: Stored, keys: range) -> Iterator[tuple[Position, Envelope | Unreadable]]:
    if not kpl.is_aggregate(record.data):
        position = Position(shard, record.sequence)
        yield position, _event(position, record.data)
        return
    try:
        found = kpl.expand(record.data)
    except kpl.Damaged as damaged:
        position = Position(shard, record.sequence)
        yield position, Unreadable(position, Kind.DAMAGED, record.data, str(damaged))
        return
    for sub, user in enumerate(found):
        position = Position(shard, record.sequence, sub)
        if user.flaw:
            yield position, Unreadable(position, Kind.DAMAGED, user.data, user.flaw)
        elif user.hash_key not in keys:
            reason = f"the hash key {user.hash_key} is not of {shard}; its producer is to append it again"
            yield position, Unreadable(position, Kind.STRAY, user.data, reason)
        else:
            yield position, _event(position, user.data)


def _event(position: Position, data: bytes) -> Envelope | Unreadable:
    try:
        return user_record.decode(data)
    except EventRejected as refused:
        return Unreadable(position, Kind.FOREIGN, data, str(refused))


_fields_of: Final = [attrgetter(name) for name in Columns.__slots__]


def _columns(events: Sequence[Envelope]) -> Columns:
    columns = Columns(*(list(map(field, events)) for field in _fields_of))
    columns.resources = [list(resources) for resources in columns.resources]
    return columns
