"""A block: consecutive events of one shard as two byte strings, headers apart from bodies.

Headers: zstd over a JSON object of lists, one for each field of ``Columns``; decoded without touching a body.
         ``recorded_us`` is among them where the events of the block were recorded at different times. ``small`` repeats the
         bodies that are shorter than most headers (heartbeats, steps of a task): reading those opens no frame.
Bodies:  frames of at most ``FRAME_EVENTS`` events, each compressed by itself, behind a table of their sizes, so that reading
         one body decompresses one frame.
Checks:  each zstd frame carries a checksum; whatever does not decode raises ``LogCorrupted``.

Layout: integers are little-endian, 4 bytes. Bodies are the number of frames, for each the number of its events and of its
compressed bytes, then the frames. A frame is the size of each body, then the bodies.
Source of the compressed format: RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type".
"""

import struct
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import fields
from itertools import accumulate, pairwise
from operator import attrgetter
from threading import local
from typing import Any, Final, NamedTuple, Protocol

import orjson
import zstandard

from pipeline.errors import LogCorrupted
from pipeline.log.port import Columns
from schemas.envelope import Envelope

BLOCK_EVENTS: Final = 1000
BLOCK_BYTES: Final = 16 << 20
FRAME_EVENTS: Final = 250
FRAME_BYTES: Final = 1 << 20
"""A block or frame ends before it exceeds either, in events and bytes of bodies; a larger body has one of its own."""

SMALL_BODY: Final = 256
"""Bytes of the largest body that stands among the headers too."""

FAST: Final = 1
SMALL: Final = 7
"""zstd levels: of an append, and of a re-pack, which is off the hot path and may take three times as long."""

COLUMNS: Final = tuple(field.name for field in fields(Columns))

_CODED: Final = ("type", "source", "account", "region", "resources", "correlation_id", "causation_id")
_fields_of: Final = tuple(map(attrgetter, COLUMNS))
_WORD: Final = 4


class Readable(Protocol):
    """Bytes that can be read in parts, such as an SQLite blob."""

    def read(self, length: int, /) -> bytes:
        """The next ``length`` bytes."""
        ...

    def seek(self, offset: int, origin: int = 0, /) -> object:
        """Go to a byte."""
        ...


class Frame(NamedTuple):
    """The bodies of some consecutive events; ``first`` is the first one's number in its block."""

    first: int
    bodies: list[bytes]


class _Codecs(local):
    """Compressors are costly to make, and no two threads may use one at a time."""

    def __init__(self) -> None:
        self.compressors = {level: zstandard.ZstdCompressor(level=level, write_checksum=True) for level in (FAST, SMALL)}
        self.decompressor = zstandard.ZstdDecompressor()


_codecs: Final = _Codecs()


def columns_of(events: Sequence[Envelope]) -> Columns:
    """The headers of at least one event."""
    return Columns(*[list(map(field, events)) for field in _fields_of])


def pieces(sizes: Sequence[int], most: int, most_bytes: int) -> Iterator[slice]:
    """Cut items of these sizes into runs of at most ``most`` items and ``most_bytes`` bytes, but at least one item."""
    if len(sizes) <= most and sum(sizes) <= most_bytes:
        yield from [slice(0, len(sizes))] if sizes else []
        return
    first = held = 0
    for number, size in enumerate(sizes):
        if number - first == most or (number > first and held + size > most_bytes):
            yield slice(first, number)
            first, held = number, 0
        held += size
    yield slice(first, len(sizes))


def encode_headers(
    columns: Columns, recorded_us: Sequence[int] = (), *, bodies: Sequence[bytes] = (), level: int = FAST
) -> bytes:
    """The headers' byte string. ``recorded_us`` is empty if one time, kept elsewhere, holds for all."""
    lists = {name: getattr(columns, name) for name in COLUMNS}
    for name in _CODED:
        lists[name] = _coded(lists[name])
    if recorded_us:
        lists["recorded_us"] = recorded_us
    if small := _small(bodies):
        lists["small"] = small
    return _codecs.compressors[level].compress(orjson.dumps(lists))


def _small(bodies: Sequence[bytes]) -> dict[str, str]:
    small = {}
    for number, body in enumerate(bodies):
        if len(body) <= SMALL_BODY:
            with suppress(UnicodeDecodeError):
                small[str(number)] = body.decode()
    return small


def decode_headers(data: bytes, count: int) -> tuple[Columns, list[int], dict[int, bytes]]:
    """The inverse: ``count`` headers, their recorded times if they are in there, and small bodies by number in the block.

    Raises ``LogCorrupted``.
    """
    try:
        lists: dict[str, Any] = orjson.loads(_decompressed(data))
        recorded_us = lists.pop("recorded_us", [])
        small = {int(number): body.encode() for number, body in lists.pop("small", {}).items()}
        for name in _CODED:
            lists[name] = _plain(lists[name], count)
        columns = Columns(**lists)
    except (ValueError, TypeError, AttributeError, LookupError) as broken:
        message = f"headers are no lists of columns: {broken}"
        raise LogCorrupted(message) from broken
    if {len(getattr(columns, name)) for name in COLUMNS} != {count} or len(recorded_us) not in {0, count}:
        message = f"headers are not those of {count} events"
        raise LogCorrupted(message)
    return columns, recorded_us, small


def _coded(values: list[Any]) -> list[Any]:
    """A column of few different values: the values, and for each row the number of its value, unless there is but one."""
    if values.count(values[0]) == len(values):
        return [values[:1]]
    keys = list(map(tuple, values)) if type(values[0]) is list else values
    numbers = {value: number for number, value in enumerate(dict.fromkeys(keys))}
    return [list(numbers), list(map(numbers.__getitem__, keys))]


def _plain(coded: list[Any], count: int) -> list[Any]:
    """The inverse. Equal values are one object, which spares memory and time."""
    values: list[Any] = coded[0]
    return values * count if len(coded) == 1 else list(map(values.__getitem__, coded[1]))


def encode_bodies(bodies: Sequence[bytes], *, level: int = FAST) -> bytes:
    """The bodies' byte string."""
    sizes = list(map(len, bodies))
    compress = _codecs.compressors[level].compress
    table: list[int] = []
    frames: list[bytes] = []
    for piece in pieces(sizes, FRAME_EVENTS, FRAME_BYTES):
        frame = compress(b"".join((_words(sizes[piece]), *bodies[piece])))
        frames.append(frame)
        table += (piece.stop - piece.start, len(frame))
    return b"".join((_words((len(frames), *table)), *frames))


def decode_bodies(source: Readable) -> Iterator[Frame]:
    """All frames, in order. Raises ``LogCorrupted``."""
    for first, events, offset, size in _table(source):
        yield _frame(source, first, events, offset, size)


def decode_frame(source: Readable, number: int) -> Frame:
    """The frame that holds the body of event ``number`` of the block. Raises ``LogCorrupted``."""
    for first, events, offset, size in _table(source):
        if number < first + events:
            return _frame(source, first, events, offset, size)
    message = f"bodies end before event {number} of the block"
    raise LogCorrupted(message)


def _table(source: Readable) -> list[tuple[int, int, int, int]]:
    """For each frame: its first event's number, the number of its events, its offset, its bytes."""
    try:
        source.seek(0)
        (frames,) = struct.unpack("<I", source.read(_WORD))
        table = struct.unpack(f"<{2 * frames}I", source.read(2 * frames * _WORD))
    except struct.error as broken:
        message = "bodies have no table of frames"
        raise LogCorrupted(message) from broken
    events, sizes = table[::2], table[1::2]
    firsts = accumulate(events, initial=0)
    offsets = accumulate(sizes, initial=_WORD + 2 * frames * _WORD)
    return list(zip(firsts, events, offsets, sizes, strict=False))


def _frame(source: Readable, first: int, events: int, offset: int, size: int) -> Frame:
    source.seek(offset)
    data = _decompressed(source.read(size))
    try:
        sizes = struct.unpack_from(f"<{events}I", data)
    except struct.error as broken:
        message = f"a frame of {events} bodies is cut off"
        raise LogCorrupted(message) from broken
    ends = accumulate(sizes, initial=events * _WORD)
    return Frame(first, [data[start:end] for start, end in pairwise(ends)])


def _decompressed(data: bytes) -> bytes:
    try:
        return _codecs.decompressor.decompress(data)
    except zstandard.ZstdError as broken:
        message = f"compressed data cannot be read back: {broken}"
        raise LogCorrupted(message) from broken


def _words(numbers: Sequence[int]) -> bytes:
    return struct.pack(f"<{len(numbers)}I", *numbers)
