"""How events become blocks: prepared before the writer's turn, stored within it.

Preparing (keys, shards, compression) is most of the work and needs no lock. What is stored is what was prepared, unless the
log knows some of the ids already: then what is left is encoded again.
"""

import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import repeat
from typing import Final, Self

from pipeline.log.port import Outcome, Position, Receipt
from pipeline.log.sqlite import known
from pipeline.log.sqlite.blocks import BLOCK_BYTES, BLOCK_EVENTS, columns_of, encode_bodies, encode_headers, pieces
from pipeline.log.sqlite.keys import keys_of, position_at, positions_from, shard_of
from pipeline.log.sqlite.layout import INSERT_BLOCK, head
from schemas.envelope import Envelope

_as_receipt: Final[Callable[[tuple[str, Outcome, Position, str]], Receipt]] = partial(tuple.__new__, Receipt)  # no Python call


@dataclass(frozen=True, slots=True)
class Draft:
    """A block to be: some events of one shard, which stand in their call at ``numbers``, with their keys."""

    shard: int
    numbers: Sequence[int]
    events: Sequence[Envelope]
    keys: Sequence[bytes]
    headers: bytes
    bodies: bytes

    @classmethod
    def of(cls, shard: int, numbers: Sequence[int], events: Sequence[Envelope], keys: Sequence[bytes]) -> Self:
        """Encode the block."""
        bodies = [event.body for event in events]
        return cls(shard, numbers, events, keys, encode_headers(columns_of(events), bodies=bodies), encode_bodies(bodies))

    def without(self, dropped: dict[int, int]) -> Self | None:
        """The block without the events whose numbers in it are given; None if nothing is left."""
        left = [number for number in range(len(self.numbers)) if number not in dropped]
        if not left:
            return None
        numbers, events, keys = self.numbers, self.events, self.keys
        return self.of(self.shard, [numbers[i] for i in left], [events[i] for i in left], [keys[i] for i in left])


@dataclass(frozen=True, slots=True)
class Prepared:
    """A call, ready to be stored. ``repeats`` says which event, by number, has the id of which other before it."""

    ids: Sequence[str]
    drafts: Sequence[Draft]
    repeats: dict[int, int]


def prepare(events: Sequence[Envelope], shards: int) -> Prepared:
    """Split the events of one call by shard, in order, and encode them."""
    ids = [event.id for event in events]
    keys = keys_of(ids)
    repeats = _repeats(ids) if len(set(ids)) < len(ids) else {}
    by_shard: defaultdict[int, list[int]] = defaultdict(list)
    for number, event in enumerate(events):
        if number not in repeats:
            by_shard[shard_of(event.subject, shards)].append(number)
    drafts = []
    for shard, numbers in by_shard.items():
        mine = [events[number] for number in numbers]
        for piece in pieces([len(event.body) for event in mine], BLOCK_EVENTS, BLOCK_BYTES):
            these = [keys[number] for number in numbers[piece]]
            drafts.append(Draft.of(shard, numbers[piece], mine[piece], these))
    return Prepared(ids, drafts, repeats)


def _repeats(ids: Sequence[str]) -> dict[int, int]:
    first: dict[str, int] = {}
    return {number: first[event_id] for number, event_id in enumerate(ids) if first.setdefault(event_id, number) != number}


class Storing:
    """Stores prepared calls within one write transaction, which began at ``now_us``."""

    def __init__(self, connection: sqlite3.Connection, now_us: int) -> None:
        self._connection = connection
        self._now_us = now_us
        self._heads: dict[int, tuple[int, int]] = {}

    def store(self, call: Prepared) -> list[Receipt]:
        """Store what is new of ``call``; its receipts, in order."""
        positions: dict[int, Position] = {}
        outcomes = [Outcome.ACCEPTED] * len(call.ids)
        for draft in call.drafts:
            for number in self._store(draft, positions):
                outcomes[draft.numbers[number]] = Outcome.DUPLICATE
        for number, first in call.repeats.items():
            positions[number] = positions[first]
            outcomes[number] = Outcome.DUPLICATE
        told = zip(call.ids, outcomes, map(positions.__getitem__, range(len(call.ids))), repeat(""), strict=False)
        return list(map(_as_receipt, told))

    def _store(self, draft: Draft, positions: dict[int, Position]) -> dict[int, int]:
        """Store one block and enter its events' positions; returns which of them, by number in it, were known, and where."""
        first, until_us = self._head(draft.shard)
        if not known.enter(self._connection, draft.keys, first):
            dropped = known.find(self._connection, draft.keys)
            positions.update((draft.numbers[number], position_at(address)) for number, address in dropped.items())
            if left := draft.without(dropped):
                self._store(left, positions)
            return dropped
        recorded_us = max(self._now_us, until_us)
        count = len(draft.numbers)
        self._connection.execute(INSERT_BLOCK, (first, count, recorded_us, recorded_us, draft.headers, draft.bodies))
        self._heads[draft.shard] = first + count, recorded_us
        positions.update(zip(draft.numbers, positions_from(first, count), strict=True))
        return {}

    def _head(self, shard: int) -> tuple[int, int]:
        if shard not in self._heads:
            self._heads[shard] = head(self._connection, shard)
        return self._heads[shard]
