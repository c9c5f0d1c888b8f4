"""What stands on the log between where a follower is and where it is to come to, read piece by piece."""

from collections.abc import Mapping
from typing import Final

from consumers.feed import vector
from consumers.feed.message import Message
from pipeline.log.port import Batch, Log, Position

BATCH: Final = 500


def backlog(log: Log, at: Mapping[str, Position], goal: Mapping[str, Position]) -> tuple[list[Message], dict[str, Position]]:
    """The next messages behind ``at``, some of every shard that is not at ``goal``, and where they lead."""
    messages: list[Message] = []
    reached = dict(at)
    for shard, end in goal.items():
        if shard not in reached or reached[shard] < end:
            batch = log.read(shard, reached.get(shard), BATCH)
            messages += messages_of(batch, reached)
            if not len(batch):  # the log holds less than it did: nothing will come there any more
                reached[shard] = end
    return messages, reached


def messages_of(batch: Batch, reached: dict[str, Position]) -> list[Message]:
    """The messages of a batch; ``reached`` is moved behind each."""
    messages = []
    for index, position in enumerate(batch.positions):
        reached[batch.shard] = position
        messages.append(Message.at(batch, index, vector.encode(reached)))
    return messages
