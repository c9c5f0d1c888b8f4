"""Which findings were there: by id, time, source, severity, account, resource, words.

Key:    the event id.
Order:  (time, id), both directions; stable under paging.
Replay: folding the log again gives equal rows.
Expiry: counted from the recorded time and applied on reading; the log does not expire.
"""

import heapq
from base64 import urlsafe_b64decode, urlsafe_b64encode
from bisect import bisect_left
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass, fields, replace
from hashlib import blake2b
from itertools import groupby, islice
from typing import Any, ClassVar, Final, Literal, NamedTuple, Protocol

import orjson

from pipeline.log.port import Batch, Position
from projections.columnar import Columns
from projections.errors import CursorRejected
from projections.projection import Changes, Rows
from projections.segments import Entries, has_words, opened, sought, tokens, words
from schemas.envelope import MAX_TIME_US
from schemas.identity import MICROSECONDS

Direction = Literal["asc", "desc"]

SHARED_IDS: Final = 100
"""How many entries are shown, at most, for an id that a source gave to several."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What the index tells of an event; its body stands in the log at ``position``."""

    id: str
    type: str
    time_us: int
    recorded_us: int
    source: str
    account: str
    region: str
    subject: str
    severity: int
    summary: str
    resources: tuple[str, ...]
    source_id: str
    position: Position


@dataclass(frozen=True, slots=True)
class EventQuery:
    """A question to the index. Empty strings and None do not filter; all filters must hold.

    Times are microseconds since the epoch; ``since_us`` is inclusive, ``until_us`` exclusive. ``min_severity`` is 0-4.
    ``text`` is words, all of which the summary must contain, in any case and order. ``cursor`` is a page's ``next`` or
    ``previous``; it goes with the same filters and direction.
    """

    since_us: int | None = None
    until_us: int | None = None
    source: str = ""
    account: str = ""
    resource: str = ""
    min_severity: int = 0
    text: str = ""
    limit: int = 50
    direction: Direction = "desc"
    cursor: str = ""

    def after(self, cursor: str) -> "EventQuery":
        """The same question, from ``cursor`` on."""
        return replace(self, cursor=cursor)


@dataclass(frozen=True, slots=True)
class EventPage:
    """Entries in the asked direction, with opaque cursors to the neighbouring pages ("" where there is none)."""

    entries: tuple[Entry, ...]
    next: str
    previous: str


class EventIndex:
    """The fold: one entry a finding."""

    name: ClassVar[str] = "event_index"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {"finding.observed": 1}

    def parking_key(self, batch: Batch, index: int) -> str:
        """Entries do not depend on each other: the event's own id."""
        return batch.columns.id[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:  # noqa: ARG002  # an entry depends on no other row
        """An entry for each event, in the order of the batch."""
        c = batch.columns
        sequences, subs = batch.sequences()
        return Changes(
            entries=Entries(
                id=list(c.id),
                type=list(c.type),
                time_us=list(c.time_us),
                recorded_us=list(batch.recorded_us),
                source=list(c.source),
                account=list(c.account),
                region=list(c.region),
                subject=list(c.subject),
                severity=list(c.severity),
                summary=list(c.summary),
                resources=list(c.resources),
                source_id=list(c.source_id),
                shard=[batch.shard] * len(batch),
                sequence=sequences,
                sub=subs,
            )
        )


@dataclass(frozen=True, slots=True)
class PackedSegment:
    """A segment as stored: its bounds (inclusive, microseconds) and its ``projections.segments.pack``."""

    min_us: int
    max_us: int
    blob: bytes


@dataclass(frozen=True, slots=True)
class Sought:
    """Which segments to look into: those with entries in ``[since_us, until_us)``, all ``terms``, and the severity."""

    since_us: int = 0
    until_us: int = MAX_TIME_US
    terms: Sequence[str] = ()
    min_severity: int = 0


class SegmentRows(Protocol):
    """The stored segments of one generation."""

    def segments(self, sought: "Sought", direction: Direction) -> Iterator[PackedSegment]:
        """Segments that may hold what is sought, read as they are asked for.

        Descending by day and ``max_us``, or ascending by day and ``min_us``. ``terms`` and ``min_severity`` may be ignored,
        wholly or for some segments.
        """
        ...


_TOLD: Final = tuple(field.name for field in fields(Entry) if field.name != "position")

Sortable = tuple[int, str]
"""(time_us, id)."""


def page(rows: SegmentRows, query: EventQuery, *, recorded_since_us: int) -> EventPage:
    """The page that ``query`` asks for, of entries recorded at or after ``recorded_since_us``. Raises ``CursorRejected``."""
    kind, bound = _read_cursor(query)
    backwards = kind == "p"
    direction: Direction = query.direction if not backwards else "asc" if query.direction == "desc" else "desc"
    found = list(islice(_scan(rows, query, direction, bound=bound, recorded_since_us=recorded_since_us), query.limit + 1))
    more = len(found) > query.limit
    entries = found[: query.limit][:: -1 if backwards else 1]
    if not entries:
        return EventPage((), "", "")
    forward, back = (bool(bound), more) if backwards else (more, bool(bound))
    return EventPage(
        tuple(entries),
        next=_cursor("n", query, entries[-1]) if forward else "",
        previous=_cursor("p", query, entries[0]) if back else "",
    )


def find(rows: SegmentRows, event_id: str, *, recorded_since_us: int) -> list[Entry]:
    """The entries with this id: ours, else the newest ``SHARED_IDS`` whose source gave them it, newest first."""
    seconds, dash, _ = event_id.partition("-")
    own: list[Entry] = []
    if dash and seconds.isascii() and seconds.isdigit() and len(seconds) <= len(str(MAX_TIME_US // MICROSECONDS)):
        since = int(seconds) * MICROSECONDS
        within = EventQuery(since_us=since, until_us=since + MICROSECONDS)
        own = list(_scan(rows, within, "desc", recorded_since_us=recorded_since_us, event_id=event_id))
    if own or not event_id:
        return own
    shared = _scan(rows, EventQuery(), "desc", recorded_since_us=recorded_since_us, source_id=event_id)
    return list(islice(shared, SHARED_IDS))


def _scan(
    rows: SegmentRows,
    query: EventQuery,
    direction: Direction,
    *,
    recorded_since_us: int,
    bound: Sortable | None = None,
    event_id: str = "",
    source_id: str = "",
) -> Iterator[Entry]:
    """Matching entries in order, beginning behind ``bound``. Segments are opened as far as entries are asked for.

    An id that counted again after thirty days is one entry: that recorded last.
    """
    since = query.since_us or 0
    until = MAX_TIME_US if query.until_us is None else query.until_us
    descending = direction == "desc"
    if bound is not None:
        since, until = (since, min(until, bound[0] + 1)) if descending else (max(since, bound[0]), until)
    checks = _checks(query, recorded_since_us)
    if source_id:
        checks["source_id"] = source_id.__eq__

    def walk(segment: Columns) -> Iterator[_Found]:
        kept = _matching(segment, checks, since, until)
        if event_id:
            kept = segment["id"].rows(event_id.__eq__, kept)
        return _walk(segment, kept, bound, descending=descending)

    segments = rows.segments(Sought(since, until, _terms(query, source_id), query.min_severity), direction)
    told = None
    for found in _merged(segments, walk, descending=descending):
        if found.value != told:
            told = found.value
            yield _entry(found.segment, found.row)


class _Found(NamedTuple):
    """A row that matches: where it stands in the order, when it was recorded, and in which segment it is."""

    value: Sortable
    recorded_us: int
    segment: Columns
    row: int


def _merged(
    segments: Iterable[PackedSegment], walk: Callable[[Columns], Iterator[_Found]], *, descending: bool
) -> Iterator[_Found]:
    """The rows that match of all segments, in order; those of one value by recorded time, latest first."""
    waiting: list[tuple[_Key, int, int, _Found, Iterator[_Found]]] = []

    def push(number: int, walker: Iterator[_Found]) -> None:
        if found := next(walker, None):
            key = _Key(found.value, descending)
            heapq.heappush(waiting, (key, -found.recorded_us, number, found, walker))

    def first() -> _Found:
        _, _, number, found, walker = heapq.heappop(waiting)
        push(number, walker)
        return found

    for number, segment in enumerate(segments):
        while waiting and _settled(waiting[0][0].value, segment, descending=descending):
            yield first()
        push(number, walk(opened(segment.blob)))
    while waiting:
        yield first()


@dataclass(slots=True)
class _Key:
    """(time, id) as a heap wants it, smallest first, in either direction."""

    value: Sortable
    descending: bool

    def __lt__(self, other: "_Key") -> bool:
        return other.value < self.value if self.descending else self.value < other.value


def _settled(value: Sortable, segment: PackedSegment, *, descending: bool) -> bool:
    """Whether nothing in ``segment`` or behind it can come before ``value``."""
    return value[0] > segment.max_us if descending else value[0] < segment.min_us


def _checks(query: EventQuery, recorded_since_us: int) -> dict[str, Callable[[Any], bool]]:
    """By column, what a row's value must be: the most selective ones first."""
    checks: dict[str, Callable[[Any], bool]] = {}
    if wanted := sought(query.text):
        checks["summary"] = lambda summary: has_words(summary, wanted)
    if query.resource:
        checks["resources"] = lambda resources: query.resource in resources
    if query.source:
        checks["source"] = query.source.__eq__
    if query.account:
        checks["account"] = query.account.__eq__
    if query.min_severity:
        checks["severity"] = query.min_severity.__le__
    checks["recorded_us"] = recorded_since_us.__le__
    return checks


def _matching(segment: Columns, checks: Mapping[str, Callable[[Any], bool]], since_us: int, until_us: int) -> Sequence[int]:
    """The rows in ``[since_us, until_us)`` to which all checks apply, in ascending order."""
    rows: Sequence[int] = range(len(segment))
    for name, wanted in checks.items():
        rows = segment[name].rows(wanted, rows)
        if not rows:
            return ()
    time_us = segment["time_us"].__getitem__
    return rows[bisect_left(rows, since_us, key=time_us) : bisect_left(rows, until_us, key=time_us)]


def _walk(segment: Columns, rows: Sequence[int], bound: Sortable | None, *, descending: bool) -> Iterator[_Found]:
    """The rows behind ``bound``, one by one; of those of one value, that recorded last."""
    if not rows:
        return
    time_us, ids, recorded_us = (segment[name] for name in ("time_us", "id", "recorded_us"))
    for value, same in groupby(reversed(rows) if descending else rows, key=lambda row: (time_us[row], ids[row])):
        if bound is None or (value < bound if descending else value > bound):
            row = max(same, key=recorded_us.__getitem__)
            yield _Found(value, recorded_us[row], segment, row)


def _terms(query: EventQuery, source_id: str) -> list[str]:
    """Tokens that a segment must hold for the query to have an answer in it. Severities are many: they are not asked for."""
    values = (query.source, query.account, query.resource, source_id)
    return sorted({*words(query.text), *tokens(values).split("\n")} - {""})


def _entry(segment: Columns, row: int) -> Entry:
    told = {name: segment[name][row] for name in _TOLD}
    position = Position(segment["shard"][row], int(segment["sequence"][row]), segment["sub"][row])
    return Entry(**told | {"resources": tuple(told["resources"]), "position": position})


def _digest(query: EventQuery) -> str:
    """Which filters and direction a cursor goes with; the page size may change on the way."""
    return blake2b(orjson.dumps(astuple(replace(query, cursor="", limit=0))), digest_size=6).hexdigest()


def _cursor(kind: str, query: EventQuery, entry: Entry) -> str:
    """A cursor tells a place in the order only; what may be seen there is decided anew at each request."""
    return urlsafe_b64encode(orjson.dumps([kind, _digest(query), entry.time_us, entry.id])).decode().rstrip("=")


def _read_cursor(query: EventQuery) -> tuple[str, Sortable | None]:
    if not query.cursor:
        return "n", None
    try:
        kind, digest, time_us, event_id = orjson.loads(urlsafe_b64decode(query.cursor + "=" * (-len(query.cursor) % 4)))
    except (ValueError, TypeError):
        kind = digest = time_us = event_id = None
    if kind not in ("n", "p") or type(time_us) is not int or not 0 <= time_us < MAX_TIME_US or type(event_id) is not str:
        message = "cursor: not one of this system's; leave it out to begin at the first page"
        raise CursorRejected(message)
    if digest != _digest(query):
        message = "cursor: made for other filters or another direction; keep them the same while paging"
        raise CursorRejected(message)
    return kind, (time_us, event_id)
