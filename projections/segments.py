"""Entries of the event index, packed: hundreds of rows in one compressed item, so that an index costs little to write.

A segment holds entries of one UTC day, sorted by (time, id). Every store keeps segments: a row, or an item, each.
"""

import struct
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain, filterfalse, pairwise
from operator import itemgetter
from typing import Any, Final, Self
from zlib import crc32

from projections.columnar import Columns, Groups, encode

DAY_US: Final = 86_400_000_000

SEALED_ENTRIES: Final = 1024
"""A segment of about this size is final; smaller ones of a day are merged into one."""

_PRINT_BYTES: Final = 4


@dataclass(slots=True)
class Entries:
    """Rows of the event index as columns of one length. ``shard``, ``sequence``, ``sub`` point into the log."""

    id: list[str] = field(default_factory=list)
    type: list[str] = field(default_factory=list)
    time_us: list[int] = field(default_factory=list)
    recorded_us: list[int] = field(default_factory=list)
    source: list[str] = field(default_factory=list)
    account: list[str] = field(default_factory=list)
    region: list[str] = field(default_factory=list)
    subject: list[str] = field(default_factory=list)
    severity: list[int] = field(default_factory=list)
    summary: list[str] = field(default_factory=list)
    resources: list[list[str]] = field(default_factory=list)
    source_id: list[str] = field(default_factory=list)
    shard: list[str] = field(default_factory=list)
    sequence: list[int] = field(default_factory=list)
    sub: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        """The number of entries."""
        return len(self.id)

    def extend(self, other: Self) -> None:
        """Append the rows of ``other``."""
        for name in Entries.__slots__:
            getattr(self, name).extend(getattr(other, name))

    def select(self, indices: Sequence[int]) -> "Entries":
        """The rows at ``indices``, in that order."""
        if len(indices) < 2:  # noqa: PLR2004  # itemgetter returns a tuple from two on
            return Entries(*([column[i] for i in indices] for column in self.columns()))
        pick = itemgetter(*indices)
        return Entries(*(list(pick(column)) for column in self.columns()))

    def columns(self) -> Iterator[list[Any]]:
        """The columns, in the order of their declaration."""
        return (getattr(self, name) for name in Entries.__slots__)

    def by_day(self) -> Mapping[int, list[int]]:
        """The indices of the rows of each UTC day (days since the epoch), sorted by (time, id)."""
        keys = list(zip(self.time_us, self.id, strict=True))
        order = sorted(range(len(keys)), key=keys.__getitem__)
        if order and self.time_us[order[0]] // DAY_US == self.time_us[order[-1]] // DAY_US:
            return {self.time_us[order[0]] // DAY_US: order}
        days: dict[int, list[int]] = defaultdict(list)
        for index in order:
            days[self.time_us[index] // DAY_US].append(index)
        return days


_GROUPS: Final[Groups] = (
    {"time_us": False, "id": False, "recorded_us": True, "source": True, "account": True, "severity": True},
    {"summary": True},
    {
        "type": True,
        "region": True,
        "subject": True,
        "resources": True,
        "source_id": False,
        "shard": True,
        "sequence": False,
        "sub": True,
    },
)
"""Order and what is filtered by most; what is searched; the rest."""

_LARGEST: Final = (1 << 64) - 1
"""The largest integer that JSON takes here; Kinesis numbers exceed it, and are then kept as text."""


def pack(entries: Entries) -> bytes:
    """The columns, compressed."""
    columns = {name: getattr(entries, name) for name in Entries.__slots__}
    if max(entries.sequence, default=0) > _LARGEST:
        columns["sequence"] = list(map(str, entries.sequence))
    return encode(_GROUPS, columns)


def opened(blob: bytes) -> Columns:
    """What ``pack`` made, to be read column by column; ``sequence`` may be text."""
    return Columns(_GROUPS, blob)


def unpack(blob: bytes) -> Entries:
    """The inverse of ``pack``."""
    columns = opened(blob)
    entries = Entries(*(columns[name].whole() for name in Entries.__slots__))
    entries.sequence = list(map(int, entries.sequence))
    return entries


_ASCII: Final = "".join(map(chr, range(128)))
_BREAKS: Final = str.maketrans({char: " " for char in _ASCII if not char.isalnum()})

_FOLDED: Final = "".join(char.lower() if char.isalnum() else " " for char in _ASCII).encode() + bytes(range(128, 256))
_UNSAFE: Final = str.maketrans({char: "_" for char in _ASCII if char <= " " or char in "\"'\x7f"} | {"\n": "\n"})
"""What cannot stand in a token becomes an underscore; the line feed stays, it separates values."""


def words(text: str) -> list[str]:
    """The words of a text as search compares them: runs of anything but ASCII punctuation and white space, case folded."""
    return text.translate(_BREAKS).casefold().split()


def sought(text: str) -> list[str]:
    """The different words of a text that is searched for, as ``has_words`` takes them: the longest first."""
    return sorted(set(words(text)), key=len, reverse=True)


def has_words(text: str, wanted: Sequence[str]) -> bool:
    """Whether a text has all these words, of which there is one at least: most texts lack the first, which is the longest."""
    folded = text.casefold()
    return wanted[0] in folded and all(word in folded for word in wanted) and set(wanted).issubset(words(text))


def tokens(values: Iterable[str]) -> str:
    """The tokens under which a segment can be found by exact values, one a line; several values may share a token."""
    return "\n".join(values).translate(_UNSAFE).casefold()


def prints(entries: Entries) -> bytes:
    """Fingerprints of all tokens by which these entries can be found: words of summaries, and values.

    Words and values are not told apart, and different ones may share a print: it is a hint where to look, never an answer.
    """
    values = chain(set(entries.source), set(entries.account), set(chain.from_iterable(entries.resources)), set(entries.source_id))
    return _prints({*tokens(values).encode().split(b"\n"), *_different_words("\n".join(set(entries.summary)))})


def prints_of(sought: Iterable[str]) -> list[bytes]:
    """The fingerprints of tokens, one each: CRC-32, little-endian."""
    packed = _prints([token.encode() for token in sought])
    return [packed[begin : begin + _PRINT_BYTES] for begin in range(0, len(packed), _PRINT_BYTES)]


def _prints(told: Collection[bytes]) -> bytes:
    return struct.pack(f"<{len(told)}I", *map(crc32, told))


def _different_words(text: str) -> set[bytes]:
    """The different ``words`` of a text, in UTF-8. Only those beyond ASCII are looked at as text."""
    told = set(text.encode().translate(_FOLDED).split())
    if text.isascii():
        return told
    beyond = list(filterfalse(bytes.isascii, told))
    folded = " ".join(b" ".join(beyond).decode().casefold().split()).encode().split()
    return told.difference(beyond).union(folded)


def chunks(indices: Sequence[int], size: int = SEALED_ENTRIES) -> Iterator[Sequence[int]]:
    """Consecutive parts of about ``size``, and never fewer, unless all are fewer."""
    parts = max(1, len(indices) // size)
    for begin, end in pairwise(len(indices) * part // parts for part in range(parts + 1)):
        yield indices[begin:end]
