"""An event index with entries in it, and the most obvious answers to a query."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from pipeline.log.port import Record
from projections.event_index import Entry, EventIndex, EventPage, EventQuery
from projections.segments import words
from schemas.envelope import Envelope
from tests.support.answers import entry
from tests.support.memory_log import MemoryLog
from tests.support.spine import NOW_US, Spine


class Index:
    """Findings go in by ``add``, each call one commit; pages come out."""

    def __init__(self, spine: Spine, log: MemoryLog) -> None:
        self._spine = spine
        self._log = log
        self.catalog = spine.catalog

    def add(self, *events: Envelope, recorded_us: int | None = None) -> None:
        for event in events:
            self._log.put(event, recorded_us=recorded_us)
        self._spine.fold()

    def page(self, query: EventQuery) -> EventPage:
        return self.catalog.events(query, now_us=NOW_US)

    def ids(self, **query: object) -> list[str]:
        """The ids of the first page, a large one."""
        return [entry.id for entry in self.page(EventQuery(**{"limit": 10_000, **query})).entries]  # type: ignore[arg-type]  # as the test says

    def find(self, event_id: str) -> list[str]:
        return [entry.id for entry in self.catalog.event(event_id, now_us=NOW_US)]

    def rebuild(self) -> None:
        self._spine.rebuilder().rebuild(EventIndex())

    @property
    def records(self) -> list[Record]:
        return self._log.records()


@contextmanager
def index_in(folder: Path) -> Iterator[Index]:
    log = MemoryLog(shards=2)
    with Spine(folder, log, projections=[EventIndex()], batch_events=10_000) as spine:
        yield Index(spine, log)


def answer(records: Sequence[Record], query: EventQuery, *, recorded_since_us: int = 0) -> list[Entry]:
    """Every entry that a query asks for, in order."""
    entries = [
        entry(record)
        for record in records
        if (query.since_us is None or record.event.time_us >= query.since_us)
        and (query.until_us is None or record.event.time_us < query.until_us)
        and query.source in ("", record.event.source)
        and query.account in ("", record.event.account)
        and (not query.resource or query.resource in record.event.resources)
        and record.event.severity >= query.min_severity
        and set(words(query.text)) <= set(words(record.event.summary))
        and record.recorded_us >= recorded_since_us
    ]
    return sorted(entries, key=lambda e: (e.time_us, e.id), reverse=query.direction == "desc")
