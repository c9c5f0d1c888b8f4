"""Records as producers other than ours may put them."""

from hashlib import md5

from pipeline.log.kinesis import kpl
from pipeline.log.kinesis.kpl import MAGIC, Aggregate
from schemas import codec
from schemas.envelope import Envelope


def aggregate(*records: tuple[str, bytes]) -> bytes:
    """These (partition key, data) as one KPL record."""
    filling = Aggregate()
    for key, data in records:
        assert filling.add(key.encode(), data)
    return filling.encode()


def of(*events: Envelope) -> bytes:
    """Events as one KPL record."""
    return aggregate(*((event.subject, codec.encode(event)) for event in events))


def sealed(message: bytes) -> bytes:
    """A message with a good frame around it."""
    return MAGIC + message + md5(message, usedforsecurity=False).digest()


def flawed(before: bytes, wrong: bytes, behind: bytes) -> bytes:
    """Three user records, the one in the middle pointing out of the table of partition keys."""
    message = kpl._AGGREGATE(partition_key_table=[b"k"])
    for index, data in ((0, before), (5, wrong), (0, behind)):
        message.records.add(partition_key_index=index, data=data)
    return sealed(message.SerializeToString())
