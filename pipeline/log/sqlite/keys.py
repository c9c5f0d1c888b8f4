"""How the embedded log numbers events and recognises their ids.

Address: shard and sequence as one integer, ``shard << 40 | sequence``, so that one key orders the whole file by shard, then
         sequence. 256 shards of 10^12 events each fit.
Key:     22 bytes of an event id: its seconds as 12 decimal digits, two a byte, then the uuid's 16. Ids made about the same
         time lie side by side in the index, which is what keeps refusing known ones cheap (random keys cost 13 times as much).
"""

import re
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from hashlib import sha256
from itertools import repeat
from typing import Final

from pipeline.log.port import Position, shard_for

SEQUENCE_BITS: Final = 40
KEY_BYTES: Final = 22

LAST_SEQUENCE: Final = (1 << SEQUENCE_BITS) - 1
"""The largest number that an event of a shard can have; what is beyond belongs to another shard's addresses."""

_PREFIX: Final = "shard-"
_as_position: Final[Callable[[tuple[str, int, int]], Position]] = partial(tuple.__new__, Position)  # without a call in Python
_ID_CHARACTERS: Final = 12 + 1 + 36
_UUID: Final = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_CANONICAL: Final = re.compile(rf"(?:0|[1-9][0-9]{{0,11}})-{_UUID}")
_CANONICAL_LINES: Final = re.compile(rf"(?:00[1-9][0-9]{{9}}-{_UUID}\n)*")
"""Ids of the years 2001 to 2286, whose seconds have ten digits."""


def address_of(shard: int, sequence: int) -> int:
    """Where the event with this number in this shard stands."""
    return shard << SEQUENCE_BITS | sequence


def position_at(address: int) -> Position:
    """The position of an address."""
    return Position(shard_name(address >> SEQUENCE_BITS), address & LAST_SEQUENCE)


def positions_from(address: int, count: int) -> list[Position]:
    """The positions of ``count`` events from an address on."""
    first = address & LAST_SEQUENCE
    parts = zip(repeat(shard_name(address >> SEQUENCE_BITS)), range(first, first + count), repeat(0))
    return list(map(_as_position, parts))


def shard_name(shard: int) -> str:
    """The id of a shard, as ``shard_for`` gives it."""
    return f"{_PREFIX}{shard}"


def shard_number(name: str) -> int | None:
    """The number of a shard; None if the embedded log gives no such id."""
    digits = name.removeprefix(_PREFIX)
    return int(digits) if digits.isascii() and digits.isdigit() and name == f"{_PREFIX}{int(digits)}" else None


@lru_cache(maxsize=1 << 14)
def shard_of(subject: str, shards: int) -> int:
    """The number of the shard of a subject."""
    return int(shard_for(subject, shards).removeprefix(_PREFIX))


def key_of(event_id: str) -> bytes:
    """The key of an id. One that is not of the envelope's form has a key too: a digest, behind all others."""
    if _CANONICAL.fullmatch(event_id):
        return bytes.fromhex(event_id.zfill(_ID_CHARACTERS).replace("-", ""))
    return b"\xff" + sha256(event_id.encode()).digest()[: KEY_BYTES - 1]


def keys_of(event_ids: Sequence[str]) -> list[bytes]:
    """The keys of some ids, in order."""
    lines = "".join([f"00{event_id}\n" for event_id in event_ids])
    if not _CANONICAL_LINES.fullmatch(lines):
        return list(map(key_of, event_ids))
    keys = bytes.fromhex(lines.replace("-", ""))
    return [keys[start : start + KEY_BYTES] for start in range(0, len(keys), KEY_BYTES)]
