"""A batch as one object, and the name under which it is found from any position in it.

Names sort by the batch's last position, then by its first, so that the first name behind a position is of the batch that reaches
farthest back of those that end next: if any object holds the position, this one does.
Source of the compressed format: RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type".
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import fields
from typing import Final

import orjson
import zstandard

from pipeline.log.port import Batch, Columns, Position, Record

_LEVEL: Final = 3
_DIGITS: Final = 60
"""Of a sequence number: Kinesis's have 56 (Amazon Kinesis API Reference, "Record": up to 128 bits of decimal digits)."""
_SUB_DIGITS: Final = 6
_COLUMNS: Final = tuple(field.name for field in fields(Columns))


def place(position: Position) -> str:
    """A position as text that sorts as positions of one shard do."""
    return f"{position.sequence:0{_DIGITS}}.{position.sub:0{_SUB_DIGITS}}"


def name(batch: Batch) -> str:
    """The object's name."""
    return f"{batch.shard}/{place(batch.positions[-1])}-{place(batch.positions[0])}"


def just_before(position: Position) -> str:
    """A name behind which the object with this position comes first."""
    return f"{position.shard}/{place(position)}"


def encode(batch: Batch) -> bytes:
    """The object's bytes: headers and sizes of the bodies as JSON, then the bodies, compressed together."""
    sequences, subs = batch.sequences()
    bodies = [bytes(body) for body in batch.bodies]
    head = {column: getattr(batch.columns, column) for column in _COLUMNS}
    head |= {"sequence": list(map(str, sequences)), "sub": subs, "recorded_us": batch.recorded_us, "size": list(map(len, bodies))}
    return zstandard.ZstdCompressor(level=_LEVEL, write_checksum=True).compress(orjson.dumps(head) + b"\n" + b"".join(bodies))


def decode(shard: str, data: bytes) -> Batch:
    """The inverse of ``encode``."""
    line, _, whole = zstandard.ZstdDecompressor().decompress(data).partition(b"\n")
    head = orjson.loads(line)
    positions = [Position(shard, int(sequence), sub) for sequence, sub in zip(head["sequence"], head["sub"], strict=True)]
    bodies: list[bytes] = []
    begin = 0
    for size in head["size"]:
        bodies.append(whole[begin : begin + size])
        begin += size
    return Batch(shard, positions, head["recorded_us"], Columns(*(head[column] for column in _COLUMNS)), bodies)


def fetch(positions: Sequence[Position], find: Callable[[Position], Batch | None]) -> list[Record | None]:
    """The events at these positions; ``find`` gives the batch that holds one, if any does, and is asked once for each batch."""
    found: dict[Position, Record] = {}
    for position in positions:
        if position not in found and (batch := find(position)):
            found |= _of(batch, positions)
    return [found.get(position) for position in positions]


def _of(batch: Batch, positions: Iterable[Position]) -> dict[Position, Record]:
    wanted = set(positions)
    return {position: batch.record(index) for index, position in enumerate(batch.positions) if position in wanted}
