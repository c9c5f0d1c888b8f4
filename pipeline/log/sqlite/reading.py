"""How blocks become batches: columns at once, bodies on access.

To a reader a block never changes: re-packing changes which block holds an event, never the event or its position. So a
decoded block may be kept, and a body may be fetched long after its headers.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from typing import Final, overload

from pipeline.errors import LogCorrupted
from pipeline.log.port import Batch, Columns, Numbered
from pipeline.log.sqlite.blocks import COLUMNS, decode_frame, decode_headers
from pipeline.log.sqlite.keys import address_of, position_at, shard_name
from pipeline.log.sqlite.layout import COVERING, head
from pipeline.sqlite_file import SqliteFile

_BLOCKS: Final = f"""
SELECT address, count, since_us, headers FROM block
WHERE address >= coalesce(({COVERING}), :address) AND address < :end AND address + count > :address ORDER BY address
"""  # noqa: S608 constants
_TIMES: Final = f"SELECT address, count, since_us, until_us FROM block WHERE address = ({COVERING})"  # noqa: S608 constants
_HEADERS: Final = "SELECT headers FROM block WHERE address = ?"
_KEPT_BLOCKS: Final = 8


@dataclass(frozen=True, slots=True)
class Block:
    """The headers of a block, decoded. ``address`` is the first event's, ``end`` that behind the last."""

    address: int
    end: int
    recorded_us: list[int]
    columns: Columns
    small: Mapping[int, bytes]
    """By address, the bodies that stand among the headers."""


@contextmanager
def of_block(address: int) -> Iterator[None]:
    """Say in each ``LogCorrupted`` which block it is about."""
    try:
        yield
    except LogCorrupted as broken:
        message = f"block at {position_at(address)}: {broken}"
        raise LogCorrupted(message) from broken


def decoded(address: int, count: int, since_us: int, headers: bytes) -> Block:
    """A block from its row. Raises ``LogCorrupted`` naming its first position."""
    with of_block(address):
        columns, recorded_us, small = decode_headers(headers, count)
    by_address = {address + number: body for number, body in small.items()}
    return Block(address, address + count, recorded_us or [since_us] * count, columns, by_address)


class Bodies(Sequence[bytes]):
    """The bodies of consecutive events, read and decompressed on access; the frame last used is kept. ``small`` are at hand."""

    def __init__(
        self, frame_at: Callable[[int], tuple[int, list[bytes]]], address: int, count: int, small: Mapping[int, bytes]
    ) -> None:
        self._small = small
        self._frame_at = frame_at
        self._addresses = range(address, address + count)
        self._first = 0
        self._frame: list[bytes] = []
        """From the one at ``first`` on."""

    def __len__(self) -> int:
        return len(self._addresses)

    @overload
    def __getitem__(self, index: int) -> bytes: ...
    @overload
    def __getitem__(self, index: slice) -> list[bytes]: ...
    def __getitem__(self, index: int | slice) -> bytes | list[bytes]:
        if isinstance(index, slice):
            return [self[at] for at in range(len(self))[index]]
        if 0 <= (at := index - self._first) < len(self._frame):
            return self._frame[at]
        address = self._addresses[index]
        if address in self._small:
            return self._small[address]
        first, bodies = self._frame_at(address)
        begin = self._addresses.start
        self._first = max(first - begin, 0)
        self._frame = bodies[max(begin - first, 0) : self._addresses.stop - first]
        return bodies[address - first]


class _Gathering:
    """Collects consecutive events from blocks, from ``address`` on, at most ``limit``."""

    def __init__(self, address: int, limit: int) -> None:
        self.next = address
        self.missing = limit
        self.recorded_us: list[int] = []
        self.columns = Columns()
        self.small: dict[int, bytes] = {}

    def take(self, block: Block) -> bool:
        """Take what is asked of ``block``; true if that was not all of it. Raises ``LogCorrupted`` at a gap."""
        if block.address > self.next:
            message = f"events from {position_at(self.next)} up to {position_at(block.address)} are missing"
            raise LogCorrupted(message)
        skipped = self.next - block.address
        until = min(block.end, self.next + self.missing)
        here = slice(skipped, until - block.address)
        self.recorded_us += block.recorded_us[here]
        for name in COLUMNS:
            getattr(self.columns, name).extend(getattr(block.columns, name)[here])
        self.small.update(block.small)
        self.missing -= until - self.next
        self.next = until
        return bool(skipped) or until < block.end


class Reader:
    """Reads the blocks of a file. Keeps the few blocks of which it gave only a part, for the next call."""

    def __init__(self, file: SqliteFile) -> None:
        self._file = file
        self._kept: tuple[Block, ...] = ()

    def batch(self, shard: int, sequence: int, limit: int) -> Batch:
        """At most ``limit`` events of a shard, from the one with this sequence number on."""
        start = address_of(shard, sequence)
        events = _Gathering(start, limit)
        for block in self._kept:
            if block.address <= start < block.end:
                events.take(block)
                break
        if events.missing > 0:
            self._gather(events, end=address_of(shard + 1, 0))
        count = len(events.recorded_us)
        bodies = Bodies(self._frame_at, start, count, events.small)
        name = shard_name(shard)
        positions = Numbered(name, range(sequence, sequence + count))
        return Batch(name, positions, events.recorded_us, events.columns, bodies)

    def since(self, shard: int, recorded_us: int) -> int:
        """The sequence number of a shard's first event that was recorded then or later; that of its next one if none was."""
        begin = address_of(shard, 0)
        with self._file.snapshot() as connection:
            low: int = begin
            high: int = head(connection, shard)[0]
            while low < high:
                at = {"start": begin, "address": (low + high) // 2}
                address, count, since_us, until_us = connection.execute(_TIMES, at).fetchone()
                if until_us < recorded_us:
                    low = address + count
                elif since_us >= recorded_us:
                    high = address
                else:
                    (headers,) = connection.execute(_HEADERS, (address,)).fetchone()
                    block = decoded(address, count, since_us, headers)
                    low = high = address + bisect_left(block.recorded_us, recorded_us)
        return low - begin

    def _gather(self, events: _Gathering, *, end: int) -> None:
        asked = {"start": end - address_of(1, 0), "address": events.next, "end": end}
        with self._file.reading() as connection, closing(connection.execute(_BLOCKS, asked)) as rows:
            for row in rows:
                block = decoded(*row)
                if events.take(block):
                    self._kept = (block, *self._kept[: _KEPT_BLOCKS - 1])
                if not events.missing:
                    break

    def _frame_at(self, address: int) -> tuple[int, list[bytes]]:
        """The frame that holds the body of an event, in whichever block that is now, and the address of its first event."""
        with self._file.snapshot() as connection:
            row = connection.execute(COVERING, {"start": 0, "address": address}).fetchone()
            if row is None:
                message = f"the body of {position_at(address)} is missing"
                raise LogCorrupted(message)
            with connection.blobopen("block", "bodies", row[0], readonly=True) as blob, of_block(row[0]):
                frame = decode_frame(blob, address - row[0])
        return row[0] + frame.first, frame.bodies
