"""Opening gzip, zlib and base64 without believing the sender: what unpacks to too much is refused before it is in memory.

Sources: RFC 1950 (zlib), RFC 1952 (gzip; several members make one text), RFC 4648 (base64).
"""

import zlib
from base64 import b64decode
from collections.abc import Iterator
from typing import Any, BinaryIO, Final

from pipeline.errors import NotUnpacked

GZIP: Final = b"\x1f\x8b"
PACKED: Final = (GZIP, b"x\x01", b"x\x9c", b"x\xda")
"""How gzip and zlib data begin; no JSON text does."""

MEBIBYTE: Final = 1 << 20

_ANY_WINDOW: Final = 47
_CHUNK: Final = MEBIBYTE
_BOMB_FROM: Final = 64 * MEBIBYTE
_BOMB_RATIO: Final = 200


class Budget:
    """How many bytes may still come out of one input, however it is nested."""

    def __init__(self, size: int) -> None:
        self.size = size
        self.left = size

    def spend(self, size: int) -> None:
        """Take ``size`` off what is left. Raises ``NotUnpacked`` if it is not enough."""
        self.left -= size
        if self.left < 0:
            message = f"unpacks to more than {self.size // MEBIBYTE} MiB"
            raise NotUnpacked(message)


def unpacked(data: bytes, budget: Budget) -> bytes:
    """The text in gzip data of one or more members, or in zlib data. Raises ``NotUnpacked``."""
    text = bytearray()
    while data:
        stream = zlib.decompressobj(_ANY_WINDOW)
        try:
            part = stream.decompress(data, max(budget.left, 0) + 1)
        except zlib.error as broken:
            raise _damaged(broken) from None
        budget.spend(len(part))
        if not stream.eof:
            raise _damaged()
        text += part
        data = stream.unused_data.lstrip(b"\0")
    return bytes(text)


def from_base64(text: Any) -> bytes:
    """The bytes in a text of base64. Raises ``NotUnpacked``."""
    if isinstance(text, str):
        try:
            return b64decode(text, validate=True)
        except ValueError:
            pass
    message = "is not base64"
    raise NotUnpacked(message)


def chunks(stream: BinaryIO) -> Iterator[bytes]:
    """The bytes of a stream in pieces of about 1 MiB, unpacked if they are gzip.

    Any size is read, for memory stays bounded; but gzip that unpacks beyond 64 MiB at more than 200 times its size is taken for a
    bomb. Raises ``NotUnpacked`` for that and for damaged gzip, after what came before.
    """
    head = stream.read(len(GZIP))
    if head != GZIP:
        yield head
        while data := stream.read(_CHUNK):
            yield data
        return
    packed = unpacked = 0
    unzip = zlib.decompressobj(_ANY_WINDOW)
    data = head + stream.read(_CHUNK)
    whole = False
    while data:
        packed += len(data)
        while data:
            try:
                part = unzip.decompress(data, _CHUNK)
            except zlib.error as broken:
                raise _damaged(broken) from None
            unpacked += len(part)
            if unpacked > _BOMB_FROM and unpacked > _BOMB_RATIO * packed:
                message = f"unpacks to more than {_BOMB_RATIO} times its size"
                raise NotUnpacked(message)
            yield part
            data, whole = unzip.unconsumed_tail, unzip.eof
            if whole:
                data = unzip.unused_data.lstrip(b"\0")
                unzip = zlib.decompressobj(_ANY_WINDOW)
        data = stream.read(_CHUNK)
    if not whole:
        raise _damaged()


def _damaged(why: zlib.error | None = None) -> NotUnpacked:
    return NotUnpacked(f"is damaged gzip: {why or 'it ends too early'}")
