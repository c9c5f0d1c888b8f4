"""Reading a shard by polling: from any position, as often as asked, by several readers at different places.

Place:      what was fetched is kept for the next call, with the cursor behind it. A position is opened at its record, and the
            user records up to it are left out.
End:        a closed shard ends where Kinesis gives no further iterator. An open one has no end: empty means nothing more for now.
            That no time lies behind the last record (MillisBehindLatest is 0) ends nothing while records come.
Unreadable: handed to the sink before anything behind it is given out, again if the sink raises.
Retention:  a position whose record is gone is told to the sink, for what came behind it may be gone as well; reading goes on with
            the oldest there is.
"""

from bisect import bisect_right
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from threading import Lock
from typing import Final

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis.cursor import CALL_RECORDS, Cursor, Cursors, Page
from pipeline.log.kinesis.decoding import decode
from pipeline.log.kinesis.topology import StreamShard, Topology
from pipeline.log.kinesis.unreadable import Kind, Sink, Unreadable
from pipeline.log.port import Batch, Columns, Position

_KEPT: Final = 2
"""Places that are kept of each shard, each with what one call gave: up to 10 MiB."""


@dataclass(slots=True)
class _Place:
    """Somewhere in a shard: the events fetched behind ``after``, and the cursor that leads on."""

    after: Position | None
    cursor: Cursor
    batch: Batch
    untold: list[Unreadable] = field(default_factory=list)
    """What was passed on the way here and no sink knows of yet."""
    counted: int | None = None
    """How many events stand up to ``after``, if that is known."""

    @property
    def end(self) -> Position | None:
        """The last position fetched."""
        return self.batch.positions[-1] if len(self.batch) else self.after

    def offset(self, after: Position | None) -> int | None:
        """Where in the batch what is behind ``after`` begins; None if it does not begin there."""
        if after == self.after:
            return 0
        positions = self.batch.positions
        if after is None or not len(positions) or not positions[0] <= after <= positions[-1]:
            return None
        return bisect_right(positions, after)


class ShardReader:
    """Reads one shard. Threads take turns. Its methods raise ``LogUnavailable``, or what the sink raises.

    ``since_us`` gives the times from which on to look for the last event, before all there is.
    """

    def __init__(
        self, shard_id: str, cursors: Cursors, topology: Topology, *, on_unreadable: Sink, since_us: Callable[[], Sequence[int]]
    ) -> None:
        self._id = shard_id
        self._cursors = cursors
        self._topology = topology
        self._on_unreadable = on_unreadable
        self._since_us = since_us
        self._lock = Lock()
        self._places: deque[_Place] = deque(maxlen=_KEPT)
        self._counted = 0
        self._last: _Place | None = None

    def read(self, after: Position | None, limit: int) -> Batch:
        """At most ``limit`` events behind ``after``; none at the end."""
        with self._lock:
            found = self._find(after)
            if found is None:
                return _nothing(self._id)
            place, offset = found
            if place.untold:
                self._on_unreadable(place.untold)
                place.untold = []
            return place.batch.select(range(offset, min(len(place.batch), offset + limit)))

    def waiting(self, after: Position | None) -> int:
        """How many events behind ``after`` are known of: those that one call fetched, or more if more were counted once.

        0 only at the end.
        """
        with self._lock:
            if after is None and self._counted:
                return self._counted
            found = self._find(after)
            if found is None:
                return 0
            place, offset = found
            left = len(place.batch) - offset
            return max(left, self._counted - place.counted - offset) if left and place.counted is not None else left

    def head(self) -> Position | None:
        """The last event's position: found by reading on to the end from where it was, and never before what was read."""
        with self._lock:
            shard = self._topology.get(self._id)
            if shard is None:
                return None
            self._last = self._to_the_end(shard, self._last) if self._last else self._look_back(shard)
            known = (self._last.after, *(place.end for place in self._places))
            return max((position for position in known if position is not None), default=None)

    def since(self, arrived_us: int) -> Position | None:
        """Just before the first record that arrived then or later; the last event's position if none did; None if it has none."""
        shard = self._topology.get(self._id)
        if shard is None:
            return None
        first = self._first_since(shard, arrived_us)
        if first is None:
            head = self.head()
            first = self._first_since(shard, arrived_us)  # one that came while the end was looked for is not to be passed over
            if first is None:
                return head
        return Position(self._id, first, -1)

    def _first_since(self, shard: StreamShard, arrived_us: int) -> int | None:
        begin = self._cursors.since(shard, arrived_us) if arrived_us > 0 else self._cursors.oldest(shard)
        pages = self._pages(shard, begin, limit=1)
        return next((page.records[0].sequence for page in pages if page.records), None)

    def at(self, sequence: int) -> Batch:
        """The events of the record with this number; none if the shard does not hold it."""
        shard = self._topology.get(self._id)
        if shard is None:
            return _nothing(self._id)
        pages = self._pages(shard, self._cursors.at(shard, sequence), limit=1)
        first = next((page.records[0] for page in pages if page.records), None)
        return decode(self._id, [first] if first and first.sequence == sequence else [], shard.keys).batch

    def _find(self, after: Position | None) -> tuple[_Place, int] | None:
        """The place where what is behind ``after`` begins, and where in its batch; None if the stream lists no such shard."""
        shard = self._topology.get(self._id)
        if shard is None:
            return None
        place = min(
            (place for place in self._places if place.offset(after) is not None),
            key=lambda place: place.offset(after) == len(place.batch),  # one that holds what is asked for, if there is one
            default=None,
        )
        if place is None:
            place = self._opened(shard, after)
        else:
            self._places.remove(place)
        offset = place.offset(after) or 0
        if offset == len(place.batch):
            if offset:
                self._places.appendleft(place)
            place, offset = self._following(shard, place), 0
        self._places.appendleft(place)
        return place, offset

    def _opened(self, shard: StreamShard, after: Position | None) -> _Place:
        if after is None:
            return _Place(None, self._cursors.oldest(shard), _nothing(shard.id), counted=0)
        return _Place(after, self._cursors.at(shard, after.sequence), _nothing(shard.id))

    def _following(self, shard: StreamShard, place: _Place) -> _Place:
        """What is behind a place, fetched: without events only if there are none now, or none will ever be."""
        counted = None if place.counted is None else place.counted + len(place.batch)
        following = _Place(place.end, place.cursor, _nothing(shard.id), [*place.untold], counted)
        for page in self._pages(shard, place.cursor):
            _take(following, page)
            if len(following.batch):
                break
        if counted is not None:
            self._counted = max(self._counted, counted + len(following.batch))
        return following

    def _pages(self, shard: StreamShard, cursor: Cursor, *, limit: int = CALL_RECORDS) -> Iterator[Page]:
        """What follows a cursor, up to the end. Raises ``LogUnavailable`` if a closed shard does not come to one."""
        pace = self._cursors.pace
        deadline = pace.monotonic() + pace.deadline_seconds
        while True:
            page = self._cursors.page(cursor, limit)
            yield page
            cursor = page.cursor
            if cursor.iterator is None or not (page.records or page.behind_ms or shard.closed):
                return
            if not page.records:
                if pace.monotonic() >= deadline:
                    break
                pace.sleep(pace.pause(1))
        message = f"{shard.id} gave neither records nor its end for {pace.deadline_seconds:g} s"
        raise LogUnavailable(message)

    def _to_the_end(self, shard: StreamShard, place: _Place) -> _Place:
        """Go on from a place up to the end, keeping the last position only."""
        while True:
            place = self._following(shard, place)
            if not len(place.batch):
                return place
            place = _Place(place.end, place.cursor, _nothing(self._id))

    def _look_back(self, shard: StreamShard) -> _Place:
        """The end, with the last event's position: looked for in what arrived of late, at last in all there is."""
        for time_us in self._since_us():
            begin = self._cursors.since(shard, time_us)
            place = self._to_the_end(shard, _Place(None, begin, _nothing(shard.id)))
            if place.after is not None:
                return place
        return self._to_the_end(shard, _Place(None, self._cursors.oldest(shard), _nothing(shard.id)))


def _take(place: _Place, page: Page) -> None:
    """Add to a place without events what a page holds behind it."""
    shard, after = page.cursor.shard, place.after
    decoded = decode(shard.id, page.records, shard.keys)
    if after is None:
        place.batch = decoded.batch
        place.untold += decoded.unreadable
    else:
        ahead = bisect_right(decoded.batch.positions, after)
        place.batch = decoded.batch.select(range(ahead, len(decoded.batch))) if ahead else decoded.batch
        place.untold += [_trimmed(after)] if page.cursor.gone else []
        place.untold += [one for one in decoded.unreadable if one.position > after]
    place.cursor = replace(page.cursor, gone=False)


def _nothing(shard_id: str) -> Batch:
    return Batch(shard_id, [], [], Columns(), [])


def _trimmed(position: Position) -> Unreadable:
    reason = "its record is no longer on the stream; what came behind it may be gone too"
    return Unreadable(position, Kind.TRIMMED, str(position).encode(), reason)
