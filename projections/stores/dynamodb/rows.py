"""Reading one generation's rows.

Consistency: strong reads of base-table items. An hour's list of segments is one item a lane, and segments never change, so that
             an hour's entries are as of one moment. What is read later may be of a later one; ``checkpoints`` asked again tells
             whether commits came between.
"""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from itertools import groupby, islice
from typing import Final

from pipeline.dynamodb_table import Item, Key, Table, key_of
from pipeline.log.port import Position
from projections.errors import StoreUnavailable
from projections.event_index import Direction, PackedSegment, Sought
from projections.projection import CountKey, Document, Parked
from projections.stores.dynamodb import directory, pages
from projections.stores.dynamodb.directory import HOUR_US, Listed
from projections.stores.dynamodb.layout import Lane, Places
from projections.stores.port import Marker

_FIRST_HOURS: Final = 2
_FIRST_SEGMENTS: Final = 1
_MOST_SEGMENTS: Final = 16
_MOST_LANES: Final = 8
"""Hours, segments and lanes that are read at once: few at first, since a page may need no more."""


class Rows:
    """The rows under ``places``. A lane sees its shard's and its ancestors' parked events, and all other rows."""

    def __init__(self, table: Table, places: Places, lane: Lane, *, usable: Callable[[], None] = lambda: None) -> None:
        self._table = table
        self._places = places
        self._lane = lane
        self._usable = usable

    def checkpoints(self) -> dict[str, Position]:
        """The last position folded, per shard."""
        self._usable()
        return {shard: at for shard, item in self._checkpoint_items().items() if (at := position_of(item))}

    def _checkpoint_items(self) -> dict[str, Item]:
        """By shard, also in a lane; one may have a writer already, but no position yet."""
        return {str(item["sk"]): item for item in self._table.query(self._places.checkpoints)}

    def segments(self, sought: Sought, direction: Direction) -> Iterator[PackedSegment]:
        """Segments that may hold what is sought; terms are ignored."""
        self._usable()
        descending = direction == "desc"
        first, last = sought.since_us // HOUR_US, (sought.until_us - 1) // HOUR_US
        if first > last:
            return
        low, high = (self._places.directory(hour).sk for hour in (first, last + 1))
        items = self._table.query(self._places.directories, low, high, descending=descending, first_page=_FIRST_HOURS)
        for hour, lanes in groupby(items, _hour_of):
            listed = [(one, lane) for lane, ones in self._listed(hour, lanes) for one in ones if _answers(one, sought)]
            listed.sort(key=lambda pair: pair[0].max_us if descending else pair[0].min_us, reverse=descending)
            yield from self._read(listed, hour)

    @staticmethod
    def _listed(hour: int, items: Iterable[Item]) -> Iterator[tuple[str, list[Listed]]]:
        for item in items:
            _, _, lane = str(item["sk"]).partition("#")
            yield lane, directory.decode(hour, blob_of(item, "list"))

    def _read(self, listed: Sequence[tuple[Listed, str]], hour: int) -> Iterator[PackedSegment]:
        """Read listed segments, in order, more and more at once."""
        size = _FIRST_SEGMENTS
        while listed:
            some, listed = listed[:size], listed[size:]
            size = min(2 * size, _MOST_SEGMENTS)
            blobs = self.blobs([self._places.segment(lane, one.number) for one, lane in some])
            for one, lane in some:
                blob = blobs.get(self._places.segment(lane, one.number))
                if blob is not None:
                    yield PackedSegment(one.min_us, one.max_us, blob)
                else:
                    self._explain_absence(hour, lane, one)

    def blobs(self, keys: Collection[Key]) -> dict[Key, bytes]:
        """Segments never change, so that an eventually consistent read, at half the price, is right if it finds them."""
        found = self._table.get_many(keys, consistent=False)
        if missing := [key for key in keys if key not in found]:
            found |= self._table.get_many(missing)
        return {key: blob_of(item, "blob") for key, item in found.items()}

    def _explain_absence(self, hour: int, lane: str, one: Listed) -> None:
        """A listed segment that is absent has expired, or was merged long ago into one that this reader may have passed."""
        item = self._table.get(self._places.directory(hour, lane))
        if item and one not in directory.decode(hour, blob_of(item, "list")):
            message = "segments were merged while they were read; ask again"
            raise StoreUnavailable(message)

    def counts(self, since_hour: int, until_hour: int) -> Iterator[tuple[CountKey, int]]:
        """All counters of the hours in the range, in key order."""
        self._usable()
        low, high = (self._places.counter(max(hour, 0)).sk for hour in (since_hour, until_hour))
        items = self._table.query(self._places.counters, low, high)
        for _, shards in groupby(items, _hour_of):
            yield from sorted(pair for item in shards for pair in self._counters(item).items())

    @staticmethod
    def _counters(item: Item) -> dict[CountKey, int]:
        hour, _, shard = str(item["sk"]).partition("#")
        return pages.decode_counts((int(hour), shard), blob_of(item, "page"))

    def documents(self, keys: Collection[str]) -> dict[str, Document]:
        """The documents that exist under these keys."""
        self._usable()
        wanted = set(keys)
        items = self._table.get_many({self._places.document(pages.page_of(key)) for key in wanted})
        found = (pair for item in items.values() for pair in pages.decode_documents(blob_of(item, "page")).items())
        return {key: document for key, document in found if key in wanted}

    def all_documents(self, kind: str = "") -> Iterator[tuple[str, Document]]:
        """All documents, by key; or those of a kind."""
        self._usable()
        low, high = (f"{kind}/", f"{kind}0") if kind else ("", "")
        items = self._table.query(self._places.documents, low, high)
        documents = [pair for item in items for pair in pages.decode_documents(blob_of(item, "page")).items()]
        return iter(sorted(documents, key=lambda pair: pair[0]))

    def documents_from(self, kind: str, after: str, limit: int) -> list[tuple[str, Document]]:
        """The first documents of a kind behind a key, by key."""
        self._usable()
        low = max(after, f"{kind}//")
        items = self._table.query(self._places.documents, low, f"{kind}/0", first_page=limit + 1)  # one may be ``after`` itself
        documents = (pair for item in items for pair in pages.decode_documents(blob_of(item, "page")).items())
        return list(islice((pair for pair in documents if pair[0] > low), limit))

    def parked(self) -> list[Parked]:
        """The parked events, in the order in which they were parked."""
        self._usable()
        shards = {self._lane.shard, *self._lane.ancestors}
        waiting = (parked for page in self.parked_pages().values() for parked in page)
        return [parked for parked in waiting if not self._lane.shard or parked.position.shard in shards]

    def waiting(self) -> Mapping[str, int]:
        """How many parked events each key has; here the payloads are read for it."""
        return Counter(parked.key for parked in self.parked())

    def parked_pages(self) -> dict[str, list[Parked]]:
        """All parked events by page, in order."""
        items = self._table.query(self._places.parked)
        whole = groupby(items, lambda item: str(item["sk"]).rpartition("/")[0])
        return {page: pages.decode_parked(blob_of(item, "page") for item in parts) for page, parts in whole}

    def markers(self, hours: Collection[int], since_day: int) -> Iterator[Marker]:
        """The markers of these event hours, recorded on ``since_day`` or later."""
        self._usable()
        for hour in hours:
            for item in self._marker_items(hour, max(since_day, 0)):
                _, day, _ = str(item["sk"]).rsplit("#", 2)
                if int(day) >= since_day:
                    yield Marker(hour, int(day), blob_of(item, "ids"))

    def _marker_items(self, hour: int, since_day: int) -> Iterator[Item]:
        """An hour's markers: of a lane and those in which its repeats may stand; or of every lane, if those are many."""
        if not self._lane.shard or len(self._lane.ancestors) > _MOST_LANES:
            yield from self._table.query(self._places.markers(hour))
            return
        for lane in ("", self._lane.shard, *self._lane.ancestors):
            low = self._places.marker(hour, lane, since_day).sk
            yield from self._table.query(self._places.markers(hour), low, f"{lane}$")


def position_of(item: Item) -> Position | None:
    """The position in a checkpoint."""
    if "sequence" not in item:
        return None
    return Position(key_of(item).sk, int(item["sequence"]), int(item["sub"]))


def _hour_of(item: Item) -> int:
    return int(str(item["sk"]).partition("#")[0])


def _answers(one: Listed, sought: Sought) -> bool:
    return one.min_us < sought.until_us and one.max_us >= sought.since_us and one.severity >= sought.min_severity


def blob_of(item: Item, name: str) -> bytes:
    """An attribute that holds bytes."""
    value = item[name]
    if not isinstance(value, bytes):
        message = f"{key_of(item)} holds no bytes in {name}"
        raise StoreUnavailable(message)
    return value
