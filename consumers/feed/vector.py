"""Where a follower stands, as text: one position a shard. It is the ``id`` of each message, so that a client can resume.

Form:    positions as ``shard:sequence:sub``, comma separated, by shard; ``genesis`` for none.
Meaning: everything up to these positions was sent; of a shard that is not named, nothing was.
"""

from collections.abc import Mapping
from typing import Final

from pipeline.log.port import Position

GENESIS: Final = "genesis"


def encode(vector: Mapping[str, Position]) -> str:
    """The text of ``vector``."""
    return ",".join(str(vector[shard]) for shard in sorted(vector)) or GENESIS


def decode(text: str) -> dict[str, Position]:
    """The inverse of ``encode``. Raises ``ValueError`` naming the accepted form."""
    if text.strip() == GENESIS:
        return {}
    positions = [Position.parse(part.strip()) for part in text.split(",")]
    vector = {position.shard: position for position in positions}
    if len(vector) < len(positions):
        message = "a shard is named twice"
        raise ValueError(message)
    return vector


def reached(vector: Mapping[str, Position], goal: Mapping[str, Position]) -> bool:
    """Whether a follower at ``vector`` was sent everything up to ``goal``."""
    return all(shard in vector and vector[shard] >= position for shard, position in goal.items())
