"""All that there is to explain an event from, put together from ledger, log and projections. Nothing is changed or sent.

Time: what is read is not of one instant; a notice that is decided meanwhile may be missing.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, Protocol

from consumers.notifier import item
from consumers.notifier.groups.naming import homes
from consumers.notifier.groups.state import Group, Member
from consumers.notifier.item import Item
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.notice import Key, Notice, State
from consumers.notifier.retry import Pace
from consumers.notifier.routing.tree import Policies
from consumers.notifier.silenced import Names, named
from pipeline.log.port import Position, Record
from projections.alert_pages import Alert, AlertQuery
from projections.event_index import Entry
from projections.judged import Judged
from projections.reading import Reading

MOST_NOTICES: Final = 50
FINDINGS_SHOWN: Final = 5
ALERTS_FOLLOWED: Final = 5
"""Of the alerts that a finding led to; for each the ledger is asked."""
LOOK_BACK_US: Final = 86_400_000_000
"""Alerts that a finding led to are looked for among those whose window began so long before it, or later."""
_MOST_ALERTS: Final = 200
_ALERT: Final = "alert/"
_FINDING: Final = "finding."


class Book(Protocol):
    """What is asked of the ledger; ``consumers.notifier.ledger.port`` says what the answers are."""

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided; None before the notifier has begun."""
        ...

    def live_mark(self) -> Mapping[str, Position] | None:
        """Up to where nothing was ever decided; None before the notifier has begun."""
        ...

    def notices(self, wanted: Wanted) -> list[Notice]:
        """Notices, the last decided first."""
        ...

    def get(self, key: Key) -> Notice | None:
        """One notice, or None."""
        ...

    def groups(self) -> Iterable[tuple[Group, Sequence[Member]]]:
        """All groups with their members."""
        ...

    def pace(self, channel: str) -> Pace:
        """How the channel rests."""
        ...


class Progress(Enum):
    """How far the notifier is with an event."""

    NO_NOTIFIER = "no_notifier"
    BEFORE = "before"
    """It stood on the log already when the notifier began."""
    NOT_YET = "not_yet"
    READ = "read"


@dataclass(frozen=True, slots=True)
class ByWay:
    """What became of an alert that a finding led to. ``notices`` tell of its being raised; ``held`` as in ``Known``."""

    alert: Alert
    notices: tuple[Notice, ...]
    held: tuple[tuple[Group, Member], ...]


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of an event.

    ``digests`` are those into which ``notices``, those of ``by_way``, or digests of them, were merged. ``held`` are the groups
    that what it is about is in, and as what, unless every route that wants it has told it. ``alerts`` are what it is about, or
    led to; ``findings`` what led to the former, ``by_way`` what became of the latter. ``paces`` say how channels rest for which
    something waits.
    """

    record: Record
    item: Item | None
    progress: Progress
    notices: tuple[Notice, ...]
    digests: Mapping[Key, Notice]
    held: tuple[tuple[Group, Member], ...]
    policies: Policies
    alerts: tuple[Alert, ...]
    findings: tuple[Entry, ...]
    by_way: tuple[ByWay, ...] = ()
    paces: Mapping[str, Pace] = field(default_factory=dict)


def gather(
    record: Record, book: Book, reading: Reading, judged: Judged, policies: Policies, *, now_us: int, names: Names
) -> Known:
    """All that is known of an event. ``names`` are those of people. Raises ``LedgerUnavailable``, ``StoreUnavailable``."""
    event = record.event
    found = item.of(event, record.position)
    notices = _notices(event.id, book, names)
    alerts = _alerts(record, judged)
    by_way = () if event.subject.startswith(_ALERT) else tuple(_by_way(alert, book, names) for alert in alerts[:ALERTS_FOLLOWED])
    led = alerts[0].event_ids[:FINDINGS_SHOWN] if alerts and event.subject.startswith(_ALERT) else ()
    all_notices = [*notices, *(notice for each in by_way for notice in each.notices)]
    digests = _digests(all_notices, book)
    waiting = {notice.channel for notice in (*all_notices, *digests.values()) if notice.state is State.PENDING}
    return Known(
        record,
        found,
        _progress(record.position, book),
        notices,
        digests,
        _held(found.fingerprint if found else None, () if _is_asked_elsewhere(found, notices, policies) else notices, book),
        policies,
        alerts,
        tuple(entry for event_id in led for entry in reading.event(event_id, now_us=now_us)[:1]),
        by_way,
        {channel: book.pace(channel) for channel in waiting},
    )


def _is_asked_elsewhere(found: Item | None, notices: Iterable[Notice], policies: Policies) -> bool:
    """Whether a route wants it that has decided nothing about it yet."""
    decided = {notice.key.route for notice in notices}
    return found is not None and any(
        home.route.name not in decided for home in homes(policies.routing, found.fields, found.fingerprint)
    )


def _notices(event_id: str, book: Book, names: Names) -> tuple[Notice, ...]:
    return tuple(named(book.notices(Wanted(event_id=event_id, limit=MOST_NOTICES)), names))


def _by_way(alert: Alert, book: Book, names: Names) -> ByWay:
    notices = _notices(alert.raised, book, names)
    return ByWay(alert, notices, _held(f"{_ALERT}{alert.id}", notices, book))


def _progress(position: Position, book: Book) -> Progress:
    marks = book.marks()
    if marks is None:
        return Progress.NO_NOTIFIER
    if not _is_behind(position, marks):
        return Progress.NOT_YET
    return Progress.BEFORE if _is_behind(position, book.live_mark() or {}) else Progress.READ


def _is_behind(position: Position, marks: Mapping[str, Position]) -> bool:
    mark = marks.get(position.shard)
    return mark is not None and position <= mark


def _digests(notices: Iterable[Notice], book: Book) -> dict[Key, Notice]:
    """The digests that took over, and those that took over these."""
    found: dict[Key, Notice] = {}
    waiting = [notice.merged_into for notice in notices]
    while waiting:
        key = waiting.pop()
        if key is not None and key not in found and (digest := book.get(key)) is not None:
            found[key] = digest
            waiting.append(digest.merged_into)
    return found


def _held(fingerprint: str | None, notices: Iterable[Notice], book: Book) -> tuple[tuple[Group, Member], ...]:
    """Where something is held. All groups are read for that: it is asked where it may matter."""
    if fingerprint is None or any(notice.state is not State.SUPPRESSED for notice in notices):
        return ()
    return tuple((group, member) for group, members in book.groups() for member in members if member.fingerprint == fingerprint)


def _alerts(record: Record, judged: Judged) -> tuple[Alert, ...]:
    """The alert that an event is about; of a finding, those that it led to."""
    event = record.event
    if event.subject.startswith(_ALERT):
        known = judged.alert(event.subject.removeprefix(_ALERT))
        return (known[0],) if known else ()
    if not event.type.startswith(_FINDING):
        return ()
    query = AlertQuery(since_us=event.time_us - LOOK_BACK_US, until_us=event.time_us + 1, limit=_MOST_ALERTS)
    return tuple(alert for alert in judged.alerts(query).alerts if event.id in alert.event_ids)
