"""Columns in compressed groups: a reader decodes the groups that it asks for, and of repeated values one of each.

Layout: the number of rows, of groups, and of each group's bytes (4-byte little-endian integers), then the groups: JSON arrays of
columns under zstd. A coded column is its different values, and for each row the number of its value, unless there is but one.
Source of the compressed format: RFC 8878, "Zstandard Compression and the 'application/zstd' Media Type".
"""

import struct
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, count, pairwise
from threading import local
from typing import Any, Final

import orjson
import zstandard

_LEVEL: Final = 1
_WORD: Final = 4

Groups = Sequence[Mapping[str, bool]]
"""The names of the columns of each group, and whether a column is coded."""


class _Codecs(local):
    """Costly to make, and no two threads may use one at a time."""

    def __init__(self) -> None:
        self.compressor = zstandard.ZstdCompressor(level=_LEVEL)
        self.decompressor = zstandard.ZstdDecompressor()


_codecs: Final = _Codecs()


def encode(groups: Groups, columns: Mapping[str, list[Any]]) -> bytes:
    """Columns of one length as bytes. The values of coded columns are hashable, or lists of such."""
    rows = len(next(iter(columns.values())))
    packed = [
        _codecs.compressor.compress(
            orjson.dumps([_coded(columns[name]) if coded else columns[name] for name, coded in group.items()])
        )
        for group in groups
    ]
    return struct.pack(f"<{2 + len(packed)}I", rows, len(packed), *map(len, packed)) + b"".join(packed)


def _coded(values: list[Any]) -> list[Any]:
    keys = list(map(tuple, values)) if values and type(values[0]) is list else values
    numbers: defaultdict[Any, int] = defaultdict(count().__next__)
    codes = list(map(numbers.__getitem__, keys))
    return [list(numbers), codes] if len(numbers) > 1 else [list(numbers)]


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its rows' values, or its different values and for each row the number of its own."""

    values: list[Any]
    codes: list[int] | None = None

    def __getitem__(self, row: int) -> Any:
        """The value of a row."""
        return self.values[row if self.codes is None else self.codes[row]]

    def whole(self) -> list[Any]:
        """The value of each row. Equal values of a coded column are one object."""
        return self.values if self.codes is None else list(map(self.values.__getitem__, self.codes))

    def rows(self, wanted: Callable[[Any], bool], rows: Sequence[int]) -> Sequence[int]:
        """Those of ``rows`` whose value is wanted. Each different value is looked at once."""
        if self.codes is None:
            return [row for row in rows if wanted(self.values[row])]
        found = [wanted(value) for value in self.values]
        if all(found):
            return rows
        codes = self.codes
        return [row for row in rows if found[codes[row]]] if any(found) else ()


class Columns:
    """What ``encode`` made, decoded group by group as columns are asked for."""

    def __init__(self, groups: Groups, data: bytes) -> None:
        self._groups = groups
        self._data = data
        self._count, number = struct.unpack_from("<2I", data)
        sizes = struct.unpack_from(f"<{number}I", data, 2 * _WORD)
        self._bounds = list(pairwise(accumulate(sizes, initial=(2 + number) * _WORD)))
        self._columns: dict[str, Column] = {}

    def __len__(self) -> int:
        """The number of rows."""
        return int(self._count)

    def __getitem__(self, name: str) -> Column:
        """The column of that name. Raises ``KeyError``."""
        if name not in self._columns:
            self._decode(next((number for number, group in enumerate(self._groups) if name in group), -1), name)
        return self._columns[name]

    def _decode(self, number: int, name: str) -> None:
        if number < 0:
            raise KeyError(name)
        begin, end = self._bounds[number]
        lists = orjson.loads(_codecs.decompressor.decompress(memoryview(self._data)[begin:end]))
        for (column, coded), told in zip(self._groups[number].items(), lists, strict=True):
            self._columns[column] = self._column(told) if coded else Column(told)

    def _column(self, told: list[Any]) -> Column:
        return Column(told[0], told[1] if len(told) > 1 else [0] * len(self))
