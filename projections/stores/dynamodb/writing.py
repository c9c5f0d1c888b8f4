"""What a commit writes: each row kind's items, read again where they are rewritten, for one transaction."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import count

from pipeline.dynamodb_table import (
    EXPIRES,
    MOST_ACTIONS,
    MOST_BYTES,
    MOST_ITEM_BYTES,
    Action,
    Item,
    Key,
    Refused,
    Table,
    delete,
    put,
    update,
)
from projections.errors import CommitTooLarge, StoreUnavailable
from projections.projection import CountKey, Document, Parked
from projections.segments import Entries, unpack
from projections.stores.dynamodb import directory, pages
from projections.stores.dynamodb.directory import Listed
from projections.stores.dynamodb.keeping import Expiry
from projections.stores.dynamodb.layout import Lane, Places
from projections.stores.dynamodb.rows import Rows, blob_of
from projections.stores.port import Commit


class Writing:
    """The items of commit ``number`` of a lane. Nothing else writes what it reads between its reads and its transaction."""

    def __init__(self, table: Table, places: Places, lane: Lane, expiry: Expiry, commit: Commit, *, number: int) -> None:
        self._table = table
        self._places = places
        self._lane = lane
        self._expiry = expiry
        self._commit = commit
        self._number = number
        self._rows = Rows(table, places, lane)
        self._place = count()
        self._merged: list[Key] = []

    def actions(self) -> list[Action]:
        """All of them. Raises ``CommitTooLarge`` if there are far too many."""
        changes = self._commit.changes
        hours = directory.by_hour(changes.entries)
        counts, documents = pages.by_hour(changes.counts), pages.by_page(changes.documents)
        lists = {hour: self._places.directory(hour, self._lane.shard) for hour in hours}
        counters = {hour: self._places.counter(*hour) for hour in counts}
        sheets = {page: self._places.document(page) for page in documents}
        rewritten = [*lists.values(), *counters.values(), *sheets.values()]
        if len(rewritten) > MOST_ACTIONS:
            message = f"a commit that rewrites {len(rewritten)} items"
            raise CommitTooLarge(message)
        there = self._table.get_many(rewritten)
        return [
            *(action for hour, key in lists.items() for action in self._entries(hour, hours[hour], there.get(key))),
            *(put(key, {"page": _added(hour, there.get(key), counts[hour])}) for hour, key in counters.items()),
            *(self._sheet(key, there.get(key), documents[page]) for page, key in sheets.items()),
            *self._markers(),
            *self._parked(),
        ]

    def _sheet(self, key: Key, there: Item | None, changed: Mapping[str, Document]) -> Action:
        """A page of documents; it expires if all that stands on it may."""
        expires = self._expiry.markers() if changed.keys() <= self._commit.changes.passing else {}
        return put(key, {"page": _replaced(there, changed), **expires})

    def let_expire(self) -> None:
        """Once the commit is kept: let go of the segments that it merged. Where that fails, their own TTL takes them."""
        for key in self._merged:
            expires = self._expiry.merged()
            with suppress(Refused, StoreUnavailable):
                self._table.write(update(key, f"SET #{EXPIRES} = :{EXPIRES}", "attribute_exists(pk)", expires))

    def _entries(self, hour: int, indices: Sequence[int], there: Item | None) -> Iterator[Action]:
        """An hour's new segments, and its list with them. When there are many small ones, they become one with what is new."""
        listed = directory.decode(hour, blob_of(there, "list")) if there else []
        entries = self._commit.changes.entries.select(indices)
        if small := directory.to_merge(listed):
            listed = [one for one in listed if one not in small]
            entries.extend(self._merge(small))
        expires: Item = {name: value for name, value in (there or {}).items() if name == EXPIRES}
        for one, recorded_us, blob in directory.segments(entries, self._number, self._place):
            listed.append(one)
            expiry = self._expiry.entries(recorded_us)
            expires = max(expires, expiry, key=lambda item: item.get(EXPIRES, 0))
            yield put(self._places.segment(self._lane.shard, one.number), {"blob": blob, **expiry})
        yield put(self._places.directory(hour, self._lane.shard), {"list": directory.encode(hour, listed), **expires})

    def _merge(self, small: Sequence[Listed]) -> Entries:
        keys = [self._places.segment(self._lane.shard, one.number) for one in small]
        entries = Entries()
        for blob in self._rows.blobs(keys).values():
            entries.extend(unpack(blob))
        self._merged += keys
        return entries

    def _markers(self) -> Iterator[Action]:
        for index, marker in enumerate(self._commit.markers):
            key = self._places.marker(marker.hour, self._lane.shard, marker.day, f"{self._number:012}.{index:04}")
            yield put(key, {"ids": marker.ids, **self._expiry.markers()})

    def _parked(self) -> Iterator[Action]:
        """Pages without what is folded by now, and new pages behind them."""
        if self._commit.unparked or self._commit.retraced:
            gone, told = set(self._commit.unparked), {one.position: one for one in self._commit.retraced}
            for page, parked in self._rows.parked_pages().items():
                left = [told.get(one.position, one) for one in parked if one.position not in gone]
                if left != parked:
                    yield from self._page(page, left, before=pages.encode_parked(parked))
        for index, some in enumerate(pages.parked_pages(self._commit.parked)):
            yield from self._page(f"{self._lane.shard}#{self._number:012}.{index:04}", some)

    def _page(self, page: str, parked: Sequence[Parked], *, before: Sequence[bytes] = ()) -> Iterator[Action]:
        """A page of parked events in its parts, in the place of those it had ``before``: writers of all lanes may change it."""
        parts = pages.encode_parked(parked) if parked else []
        for number in range(max(len(parts), len(before))):
            key = self._places.parked_page(page, number)
            same = ("#page = :read", {"read": before[number]}) if number < len(before) else ("attribute_not_exists(pk)", {})
            yield put(key, {"page": parts[number]}, *same) if number < len(parts) else delete(key, *same)


def ask_for_size(actions: Sequence[Action]) -> None:
    """Raise ``CommitTooLarge`` if a transaction cannot take these."""
    sizes = [action.size() for action in actions]
    if len(sizes) > MOST_ACTIONS or sum(sizes) > MOST_BYTES or max(sizes) > MOST_ITEM_BYTES:
        message = f"a commit of {len(sizes)} items with {sum(sizes):,} bytes, the largest of {max(sizes):,}"
        raise CommitTooLarge(message)


def _added(hour: pages.Hour, there: Item | None, added: Mapping[CountKey, int]) -> bytes:
    sums = pages.decode_counts(hour, blob_of(there, "page")) if there else Counter[CountKey]()
    sums.update(added)
    return pages.encode_counts(sums)


def _replaced(there: Item | None, changed: Mapping[str, Document]) -> bytes:
    documents = pages.decode_documents(blob_of(there, "page")) if there else {}
    return pages.encode_documents({**documents, **changed})
