"""Rows that are packed many to an item and written again as a whole: counters, documents, parked events.

Counters:  one page for each hour and shard.
Documents: those whose keys end alike from an ``@`` on share a few pages (``projections.agent_status`` keeps an account's document
           per shard so); any other key has a page of its own. So shards never write the same page. Keys of the form
           ``kind//rest`` name their page themselves (1,024 bytes at most: DynamoDB, "Quotas": sort key), in whose order they
           can be read.
Parked:    as many events as an item holds; one event may take several items.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import blake2b
from threading import local
from typing import Final

import orjson
import zstandard

from pipeline.log.port import Position
from projections.projection import CountKey, Document, Parked

PAGES: Final = 8
"""For the documents of one ``@``: fewer are dearer where a commit touches few documents, more where it touches most."""

PART_BYTES: Final = 350_000
_PARKED_BYTES: Final = 1 << 20
"""Of events on one page, before compression, unless one is larger."""
_LEVEL: Final = 3


class _Codecs(local):
    """Costly to make, and no two threads may use one at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs: Final = _Codecs()


def packed(data: bytes) -> bytes:
    """Bytes, compressed."""
    return _codecs.compressor.compress(data)


def unpacked(data: bytes) -> bytes:
    """The inverse of ``packed``."""
    return _codecs.decompressor.decompress(data)


def page_of(key: str) -> str:
    """The page on which a document stands; its name begins with the kind (what stands before a slash), if the key has one."""
    kind, slash, rest = key.partition("/")
    if rest.startswith("/"):
        return key
    digest = blake2b(key.encode(), digest_size=16)
    _, at, group = key.rpartition("@")
    if not at:
        return f"{kind}/{digest.hexdigest()}" if slash else digest.hexdigest()
    return f"{blake2b(group.encode(), digest_size=16).hexdigest()}#{digest.digest()[0] % PAGES}"


def encode_documents(documents: Mapping[str, Document]) -> bytes:
    """A page of documents as bytes."""
    return packed(orjson.dumps(documents))


def decode_documents(page: bytes) -> dict[str, Document]:
    """The inverse of ``encode_documents``."""
    documents: dict[str, Document] = orjson.loads(unpacked(page))
    return documents


def by_page(documents: Mapping[str, Document]) -> Mapping[str, dict[str, Document]]:
    """Documents by the page on which they stand."""
    pages: defaultdict[str, dict[str, Document]] = defaultdict(dict)
    for key, document in documents.items():
        pages[page_of(key)][key] = document
    return pages


Hour = tuple[int, str]
"""An hour and shard."""


def by_hour(counts: Mapping[CountKey, int]) -> Mapping[Hour, Counter[CountKey]]:
    """Counters by the page on which they stand."""
    hours: defaultdict[Hour, Counter[CountKey]] = defaultdict(Counter)
    for key, count in counts.items():
        hours[key.hour, key.shard][key] = count
    return hours


def encode_counts(counts: Mapping[CountKey, int]) -> bytes:
    """An hour's and shard's counters as bytes: by source and severity, then account."""
    told: defaultdict[str, dict[str, dict[str, int]]] = defaultdict(dict)
    for key, count in sorted(counts.items()):
        told[key.source].setdefault(str(key.severity), {})[key.account] = count
    return packed(orjson.dumps(told))


def decode_counts(hour: Hour, page: bytes) -> Counter[CountKey]:
    """The inverse of ``encode_counts``."""
    told: dict[str, dict[str, dict[str, int]]] = orjson.loads(unpacked(page))
    return Counter(
        {
            CountKey(hour[0], source, int(severity), account, hour[1]): count
            for source, severities in told.items()
            for severity, accounts in severities.items()
            for account, count in accounts.items()
        }
    )


def encode_parked(waiting: Sequence[Parked]) -> list[bytes]:
    """Parked events as the parts of one page."""
    heads = [(p.key, str(p.position), p.recorded_us, p.error, len(p.event)) for p in waiting]
    whole = packed(orjson.dumps(heads) + b"\n" + b"".join(p.event for p in waiting))
    return [whole[begin : begin + PART_BYTES] for begin in range(0, len(whole), PART_BYTES)]


def decode_parked(parts: Iterable[bytes]) -> list[Parked]:
    """The inverse of ``encode_parked``."""
    line, _, events = unpacked(b"".join(parts)).partition(b"\n")
    parked: list[Parked] = []
    begin = 0
    for key, position, recorded_us, error, size in orjson.loads(line):
        parked.append(Parked(key, Position.parse(position), recorded_us, events[begin : begin + size], error))
        begin += size
    return parked


def parked_pages(waiting: Sequence[Parked]) -> Iterator[Sequence[Parked]]:
    """Parked events in runs that make a page each."""
    first = held = 0
    for index, parked in enumerate(waiting):
        size = len(parked.event) + len(parked.error)
        if index > first and held + size > _PARKED_BYTES:
            yield waiting[first:index]
            first, held = index, 0
        held += size
    if waiting:
        yield waiting[first:]
