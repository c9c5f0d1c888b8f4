"""One event as a user record: its interchange form (``schemas.codec``), plain JSON, or a zstd frame of that.

JSON:  CloudEvents, because that is what consumers that are not ours know, and what ``schemas/published`` describes; canonical, so
       that one event has one encoding and its body comes out byte for byte.
zstd:  a setting of the producer (``compress_bodies``), for what it makes smaller. Readers tell by the first bytes: JSON begins
       with none of zstd's. Whoever is not ours has to unpack it first.
"""

from threading import local
from typing import Final

import zstandard

from schemas import codec
from schemas.envelope import Envelope
from schemas.errors import EventRejected

_FRAME: Final = b"\x28\xb5\x2f\xfd"
_LEVEL: Final = 3
_UNPACKED: Final = 16 << 20
"""Bytes to which a frame may unpack at most: a small one could unpack to gigabytes."""


class _Codecs(local):
    """Compressors are costly to make, and no two threads may use one at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs: Final = _Codecs()


def encode(event: Envelope, *, compress: bool = False) -> bytes:
    """The data of the user record. What would unpack to more than readers take stays as it is, and is too large for a record."""
    text = codec.encode(event)
    return min(_codecs.compressor.compress(text), text, key=len) if compress and len(text) <= _UNPACKED else text


def decode(data: bytes) -> Envelope:
    """The inverse of ``encode``, of either form; other spellings of an event of ours are read too. Raises ``EventRejected``."""
    return codec.decode(_unpacked(data) if data.startswith(_FRAME) else data)


def _unpacked(frame: bytes) -> bytes:
    try:
        size = zstandard.frame_content_size(frame)
        if size > _UNPACKED:
            reason = f"unpacks to {size} bytes, more than {_UNPACKED}"
            raise EventRejected(reason)
        return _codecs.decompressor.decompress(frame, max_output_size=_UNPACKED)
    except zstandard.ZstdError as broken:
        reason = f"is a zstd frame that cannot be unpacked: {broken}"
        raise EventRejected(reason) from None
