"""The daily report: what was found in a day, how that differs from the day before, and what is still open.

Pure: ``build`` asks the projections and nothing else; time is an argument. Counts are per hour of the findings' own time, so
the end of the window is a whole hour. What arrives late is in the projections afterwards, not in a report that was issued.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pydantic import TypeAdapter, ValidationError

from projections.event_index import EventQuery
from projections.reading import Count, Reading

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US

TOP_RESOURCES: Final = 10
_PAGE: Final = 200
_PAGES: Final = 50
"""Top resources are counted over the newest 10,000 findings of the window, at most."""

FOLDED: Final = ("daily_aggregates", "event_index", "task_board")
"""The projections that a report is made of."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_CLOSED: Final = "closed"


@dataclass(frozen=True, slots=True)
class Window:
    """``since_us`` inclusive, ``until_us`` exclusive, microseconds since the epoch."""

    since_us: int
    until_us: int


@dataclass(frozen=True, slots=True)
class Totals:
    """Findings, counted thrice: by source, by severity ("0" to "4"), by account ("" for findings of none)."""

    source: dict[str, int]
    severity: dict[str, int]
    account: dict[str, int]


@dataclass(frozen=True, slots=True)
class TopResource:
    """A resource and how many findings named it."""

    resource: str
    count: int


@dataclass(frozen=True, slots=True)
class DailyReport:
    """The body of ``report.issued``. ``date`` is the day on which the window ends, in ``zone``; ``change`` is signed."""

    date: str
    window: Window
    totals: Totals
    change: Totals
    top_resources: tuple[TopResource, ...] = ()
    open_tasks: int = 0
    report: str = "daily"
    zone: str = "UTC"

    @property
    def total(self) -> int:
        """All findings of the window."""
        return sum(self.totals.severity.values())

    @property
    def total_change(self) -> int:
        """That, minus all findings of the window before."""
        return sum(self.change.severity.values())

    def body(self) -> dict[str, Any]:
        """The report as JSON values."""
        return asdict(self)


_adapter: TypeAdapter[DailyReport] = TypeAdapter(DailyReport)


def read(body: Mapping[str, Any]) -> DailyReport | None:
    """The report of a body of ``report.issued``; None if the body is none."""
    try:
        return _adapter.validate_python(body)
    except ValidationError:
        return None


def build(
    reading: Reading, window: Window, now_us: int, *, date: str = "", report: str = "daily", zone: str = "UTC"
) -> DailyReport:
    """The report over ``window``, whole hours, against the window of that length before. ``now_us`` decides what is expired.

    Without a ``date`` it is the UTC day on which the window ends.
    """
    since_us, until_us = window.since_us, window.until_us
    now, before = (_totals(reading.hourly(*span)) for span in ((since_us, until_us), (2 * since_us - until_us, since_us)))
    return DailyReport(
        date=date or f"{_EPOCH + timedelta(microseconds=until_us):%Y-%m-%d}",
        window=window,
        totals=now,
        change=Totals(
            _change(now.source, before.source),
            _change(now.severity, before.severity),
            _change(now.account, before.account),
        ),
        top_resources=_top_resources(reading, window, now_us),
        open_tasks=sum(task.status != _CLOSED for task in reading.tasks(now_us=now_us)),
        report=report,
        zone=zone,
    )


def _totals(counts: Sequence[Count]) -> Totals:
    source: Counter[str] = Counter()
    severity: Counter[str] = Counter()
    account: Counter[str] = Counter()
    for count in counts:
        source[count.source] += count.count
        severity[str(count.severity)] += count.count
        account[count.account] += count.count
    return Totals(_ranked(source), _ranked(severity), _ranked(account))


def _ranked(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0])))


def _change(now: Mapping[str, int], before: Mapping[str, int]) -> dict[str, int]:
    return {name: now.get(name, 0) - before.get(name, 0) for name in [*now, *(name for name in before if name not in now)]}


def _top_resources(reading: Reading, window: Window, now_us: int) -> tuple[TopResource, ...]:
    counts: Counter[str] = Counter()
    query = EventQuery(since_us=window.since_us, until_us=window.until_us, limit=_PAGE)
    for _ in range(_PAGES):
        page = reading.events(query, now_us=now_us)
        for entry in page.entries:
            counts.update(set(entry.resources))
        if not page.next:
            break
        query = query.after(page.next)
    return tuple(TopResource(name, count) for name, count in list(_ranked(counts).items())[:TOP_RESOURCES])
