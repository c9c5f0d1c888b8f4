"""The KPL's record format: many user records in one Kinesis record, so that any KCL or KPL consumer can read the stream.

Form:   the magic number, a protobuf message, the MD5 of the message. The message is a table of partition keys, a table of
        explicit hash keys, and the user records, which point into both.
Sizes:  exact, so that what fits is what Kinesis takes: data and partition key of a record are at most 1 MiB together.
Losses: whatever is wrong with an aggregate is told, of the whole (``Damaged``) or of one user record (``UserRecord.flaw``).

Sources: "KPL Aggregated Record Format" (amazon-kinesis-producer, aggregation-format.md); Amazon Kinesis Data Streams API
Reference, "PutRecords"; Protocol Buffers, "Encoding".
"""

from collections.abc import Iterator, Sequence
from hashlib import md5
from typing import Any, Final, NamedTuple

from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto
from google.protobuf.descriptor_pool import DescriptorPool
from google.protobuf.message import DecodeError
from google.protobuf.message_factory import GetMessageClass

MAX_RECORD_BYTES: Final = 1 << 20
"""Data and partition key of one Kinesis record."""

MAGIC: Final = b"\xf3\x89\x9a\xc2"
PARTITION_KEY: Final = "a"
"""Of every aggregate, as the KPL has it: an explicit hash key says where it goes."""

_DIGEST_BYTES: Final = 16
_AROUND: Final = len(MAGIC) + _DIGEST_BYTES + len(PARTITION_KEY)
_KEY, _RECORD, _KEY_INDEX, _DATA = b"\x0a", b"\x1a", b"\x08", b"\x1a"


class Damaged(Exception):
    """An aggregate that cannot be taken apart. The reader tells of it with the record's bytes."""


class UserRecord(NamedTuple):
    """One record of an aggregate. ``hash_key`` decides its shard; ``flaw`` says why it has none."""

    data: bytes
    hash_key: int
    flaw: str = ""


def hash_of(partition_key: bytes) -> int:
    """Where a partition key stands among the hash keys of all shards: its MD5, as a number of 128 bits."""
    return int.from_bytes(md5(partition_key, usedforsecurity=False).digest())


class Aggregate:
    """Collects user records as long as they fit into a Kinesis record of ``most_bytes``, its partition key included."""

    def __init__(self, most_bytes: int = MAX_RECORD_BYTES) -> None:
        self._left = most_bytes - _AROUND
        self._keys: dict[bytes, int] = {}
        self._parts: list[bytes] = []
        self.count = 0

    def add(self, partition_key: bytes, data: bytes) -> bool:
        """Take a user record, or refuse it (False) because it does not fit any more."""
        index = self._keys.get(partition_key, len(self._keys))
        new_key = index == len(self._keys)
        head = _KEY_INDEX + _varint(index) + _DATA + _varint(len(data))
        framed = _RECORD + _varint(len(head) + len(data)) + head
        size = len(framed) + len(data) + (1 + len(_varint(len(partition_key))) + len(partition_key) if new_key else 0)
        if size > self._left:
            return False
        self._left -= size
        self._keys[partition_key] = index
        self._parts += (framed, data)
        self.count += 1
        return True

    def encode(self) -> bytes:
        """The data of the Kinesis record."""
        table = (part for key in self._keys for part in (_KEY, _varint(len(key)), key))
        message = b"".join((*table, *self._parts))
        return b"".join((MAGIC, message, md5(message, usedforsecurity=False).digest()))


def is_aggregate(data: bytes) -> bool:
    """Whether the data of a Kinesis record claims to be an aggregate."""
    return data.startswith(MAGIC)


def expand(data: bytes) -> Sequence[UserRecord]:
    """The user records of an aggregate, in order, the flawed ones among them. Raises ``Damaged``."""
    message, digest = data[len(MAGIC) : -_DIGEST_BYTES], data[-_DIGEST_BYTES:]
    if len(data) < len(MAGIC) + _DIGEST_BYTES or md5(message, usedforsecurity=False).digest() != digest:
        reason = "the MD5 at the end of the aggregate is not that of its message"
        raise Damaged(reason)
    try:
        aggregate = _AGGREGATE.FromString(message)
    except DecodeError as broken:
        reason = f"the aggregate's protobuf message cannot be read: {broken}"
        raise Damaged(reason) from None
    if not aggregate.IsInitialized():
        reason = "the aggregate's protobuf message lacks fields that it must have"
        raise Damaged(reason)
    return list(_user_records(aggregate))


def _user_records(aggregate: Any) -> Iterator[UserRecord]:
    by_key = [hash_of(key) for key in aggregate.partition_key_table]
    explicit = [_number(key) for key in aggregate.explicit_hash_key_table]
    for record in aggregate.records:
        key, other = record.partition_key_index, record.explicit_hash_key_index
        if key >= len(by_key):
            yield UserRecord(record.data, 0, f"its partition key has the index {key} in a table of {len(by_key)}")
        elif not record.HasField("explicit_hash_key_index"):
            yield UserRecord(record.data, by_key[key])
        elif other >= len(explicit):
            yield UserRecord(record.data, 0, f"its explicit hash key has the index {other} in a table of {len(explicit)}")
        elif (hash_key := explicit[other]) is None:
            yield UserRecord(record.data, 0, "its explicit hash key is not a number")
        else:
            yield UserRecord(record.data, hash_key)


def _number(text: bytes) -> int | None:
    return int(text) if text.isdigit() else None


def _varint(number: int) -> bytes:
    """A number as protobuf writes it: seven bits a byte, the lowest first."""
    if number < 0x80:  # noqa: PLR2004  # one byte, the most frequent case
        return _ONE_BYTE[number]
    encoded = bytearray()
    while number >= 0x80:  # noqa: PLR2004
        encoded.append(number & 0x7F | 0x80)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


_ONE_BYTE: Final = [bytes((number,)) for number in range(0x80)]


def _message_class() -> Any:
    """The class of the message. Texts are declared as bytes, which are the same on the wire and need not be valid UTF-8."""
    field = FieldDescriptorProto
    one, many, need = field.LABEL_OPTIONAL, field.LABEL_REPEATED, field.LABEL_REQUIRED
    file = FileDescriptorProto(name="kpl.proto", package="kpl", syntax="proto2")
    record = file.message_type.add(name="Record")
    record.field.add(name="partition_key_index", number=1, type=field.TYPE_UINT64, label=need)
    record.field.add(name="explicit_hash_key_index", number=2, type=field.TYPE_UINT64, label=one)
    record.field.add(name="data", number=3, type=field.TYPE_BYTES, label=need)
    aggregate = file.message_type.add(name="AggregatedRecord")
    aggregate.field.add(name="partition_key_table", number=1, type=field.TYPE_BYTES, label=many)
    aggregate.field.add(name="explicit_hash_key_table", number=2, type=field.TYPE_BYTES, label=many)
    aggregate.field.add(name="records", number=3, type=field.TYPE_MESSAGE, type_name=".kpl.Record", label=many)
    pool = DescriptorPool()
    pool.AddSerializedFile(file.SerializeToString())
    return GetMessageClass(pool.FindMessageTypeByName("kpl.AggregatedRecord"))


_AGGREGATE: Final = _message_class()
