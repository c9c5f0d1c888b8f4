"""The desks in a DynamoDB table, beside whatever else stands there: recorders that pass ``eventsourcing``'s published cases.

Items:    ``desk#log#<bucket>``     a *commit*: the facts of one insert, packed, under the last of their notification ids;
          ``desk#fact#<aggregate>`` a *run*: those facts of a commit that are of one aggregate, under the last of their versions;
          ``desk#count``            the last notification id;
          ``desk#mark``             by name, up to which notification id somebody has followed;
          ``desk#picture<n>#<aggregate>`` snapshots.
Order:    each insert counts the one counter on, under the condition that it stands where it was read: commits are serial, ids
          follow them without a gap, and what was read after the counter decides as if it had been alone. So a version that exists
          is looked for, not guarded item by item, and a commit may have more facts than a transaction has actions.
Rate:     one item is written by every insert: some tens of commands a second, which people do not reach.
Reading:  what lies behind the counter as read first is left out, since a query is not of one moment.
Retries:  the transaction's token is drawn for each attempt at a commit: an answer that was lost counts once.
Source: Amazon DynamoDB Developer Guide, "Amazon DynamoDB Transactions: How it works".
"""

from base64 import b64decode, b64encode
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import islice
from random import Random
from threading import Lock
from time import sleep
from typing import Any, Final
from uuid import UUID

import orjson
from eventsourcing.persistence import (
    AggregateRecorder,
    ApplicationRecorder,
    IntegrityError,
    Notification,
    OperationalError,
    ProcessRecorder,
    StoredEvent,
    Subscription,
    Tracking,
)

from pipeline.desks.entity import SNAPSHOTS
from pipeline.desks.recorder.port import Recorders
from pipeline.dynamodb_table import Action, Item, Key, Refused, Table, put, update

PREFIX: Final = "desk#"
COMMITS: Final = f"{PREFIX}log#"
"""The partitions of commits: what wakes a relay."""

_BUCKET: Final = 10_000
_DIGITS: Final = 16
_COUNT: Final = Key(f"{PREFIX}count", "count")
_ATTEMPTS: Final = 60
_FIRST_PAUSE_SECONDS: Final = 0.005
_LONGEST_PAUSE_SECONDS: Final = 0.5


class DynamoSnapshots(AggregateRecorder):
    """An item an event, for sequences of which nobody is notified."""

    def __init__(self, table: Table, purpose: str, *, token: Callable[[], str]) -> None:
        self._table = table
        self._purpose = purpose
        self._token = token

    def insert_events(self, stored_events: Sequence[StoredEvent], **_: Any) -> Sequence[int] | None:
        """Store all of them or none. Raises ``IntegrityError`` if a version is there already."""
        actions = [
            put(self._key(event), {"facts": _packed([event])}, "attribute_not_exists(pk)") for event in _distinct(stored_events)
        ]
        if actions:
            try:
                self._table.transact(actions, self._token())
            except Refused as refused:
                raise IntegrityError(refused) from refused
        return None

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The events of a sequence in a range of versions, in order."""
        low, high = _sk(0 if gt is None else gt + 1), "" if lte is None else _sk(lte + 1)
        items = self._table.query(self._partition(originator_id), low, high, descending=desc, first_page=limit or 0)
        return _first((event for item in items for event in _unpacked(item)), limit)

    def _partition(self, originator_id: UUID | str) -> str:
        return f"{PREFIX}{self._purpose}#{_hex(originator_id)}"

    def _key(self, event: StoredEvent) -> Key:
        return Key(self._partition(event.originator_id), _sk(event.originator_version))


class DynamoRecorder(ProcessRecorder):
    """Facts, their notifications, and marks. Safe for several threads and processes at once.

    ``dice`` and ``pause`` (seconds) are for inserts that others overtook; ``token`` draws a transaction's name (36 characters).
    """

    def __init__(self, table: Table, *, token: Callable[[], str], dice: Random, pause: Callable[[float], object] = sleep) -> None:
        self._table = table
        self._token = token
        self._dice = dice
        self._pause = pause
        self._turn = Lock()
        """Threads of one process take turns, since their inserts would only refuse each other."""

    def insert_events(
        self, stored_events: Sequence[StoredEvent], *, tracking: Tracking | None = None, **_: Any
    ) -> Sequence[int] | None:
        """Store all of them, and the mark, or nothing; returns their notification ids.

        Raises ``IntegrityError`` if a version is there already, or the mark is not behind the one that is there.
        """
        events = _distinct(stored_events)
        if not events and tracking is None:
            return []
        with self._turn:
            for attempt in range(_ATTEMPTS):
                first = self._count() + 1
                self._check(events, tracking)
                try:
                    self._table.transact(_commit(events, first, tracking), self._token())
                except Refused:
                    self._pause(self._dice.uniform(0, min(_FIRST_PAUSE_SECONDS * 2**attempt, _LONGEST_PAUSE_SECONDS)))
                else:
                    return list(range(first, first + len(events)))
        message = f"others were faster {_ATTEMPTS} times"
        raise OperationalError(message)

    def select_events(
        self,
        originator_id: UUID | str,
        *,
        gt: int | None = None,
        lte: int | None = None,
        desc: bool = False,
        limit: int | None = None,
    ) -> Sequence[StoredEvent]:
        """The facts of an aggregate in a range of versions, in order."""
        low = _sk(0 if gt is None else gt + 1)
        return _first(self._within(self._table.query(_facts(originator_id), low, descending=desc), gt, lte, desc=desc), limit)

    @staticmethod
    def _within(items: Iterable[Item], gt: int | None, lte: int | None, *, desc: bool) -> Iterator[StoredEvent]:
        """A run stands under its last version, so that the first behind the range may begin in it."""
        for item in items:
            run = _unpacked(item)
            if not desc and lte is not None and run[0].originator_version > lte:
                return
            for event in reversed(run) if desc else run:
                if (gt is None or event.originator_version > gt) and (lte is None or event.originator_version <= lte):
                    yield event

    def select_notifications(
        self,
        start: int | None,
        limit: int,
        stop: int | None = None,
        topics: Sequence[str] = (),
        *,
        inclusive_of_start: bool = True,
    ) -> Sequence[Notification]:
        """At most ``limit`` notifications from ``start`` on, in the order of commits."""
        first = 1 if start is None else start if inclusive_of_start else start + 1
        last = self._count() if stop is None else min(stop, self._count())
        wanted = (n for n in self._between(max(first, 1), last) if not topics or n.topic in topics)
        return _first(wanted, limit)

    def _between(self, first: int, last: int) -> Iterator[Notification]:
        """Those with ids from ``first`` to ``last``. A commit stands in the bucket of its last id."""
        for bucket in range(first // _BUCKET, last // _BUCKET + 2):
            for item in self._table.query(f"{COMMITS}{bucket}", _sk(first), first_page=100):
                events = _unpacked(item)
                begin = int(str(item["sk"])) - len(events) + 1
                if begin > last:
                    return
                for number, event in enumerate(events, begin):
                    if first <= number <= last:
                        yield Notification(event.originator_id, event.originator_version, event.topic, event.state, id=number)

    def max_notification_id(self) -> int | None:
        """The last notification id; None if there is none."""
        return self._count() or None

    def subscribe(self, gt: int | None = None, topics: Sequence[str] = ()) -> Subscription[ApplicationRecorder]:
        """Not offered, as by the library's own recorder for SQLite: notifications are asked for."""
        message = f"a {type(self).__name__} pushes nothing"
        raise NotImplementedError(message)

    def insert_tracking(self, tracking: Tracking) -> None:
        """Move a mark forward. Raises ``IntegrityError`` if it is there already."""
        try:
            self._table.write(_mark(tracking))
        except Refused as refused:
            raise IntegrityError(refused) from refused

    def max_tracking_id(self, application_name: str) -> int | None:
        """Where a mark stands; None if there is none."""
        item = self._table.get(_mark_key(application_name))
        return int(item["number"]) if item else None

    def _count(self) -> int:
        item = self._table.get(_COUNT)
        return int(item["number"]) if item else 0

    def _check(self, events: Sequence[StoredEvent], tracking: Tracking | None) -> None:
        """Raise ``IntegrityError`` for what is there already; true as of the counter that was read before."""
        for originator_id, versions in _by_originator(events).items():
            wanted = {event.originator_version for event in versions}
            items = self._table.query(_facts(originator_id), _sk(min(wanted)))
            if any(event.originator_version in wanted for item in items for event in _unpacked(item)):
                message = f"{originator_id} has a version of {sorted(wanted)} already"
                raise IntegrityError(message)
        if tracking is not None and (self.max_tracking_id(tracking.application_name) or 0) >= tracking.notification_id:
            message = f"{tracking.application_name} has come to {tracking.notification_id} already"
            raise IntegrityError(message)


def _commit(events: Sequence[StoredEvent], first: int, tracking: Tracking | None) -> list[Action]:
    """The transaction that makes ``events`` the notifications from ``first`` on."""
    last = first + len(events) - 1
    actions: list[Action] = []
    if events:
        condition = "#number = :before" if first > 1 else "attribute_not_exists(pk)"
        values = {"before": first - 1} if first > 1 else {}
        actions.append(update(_COUNT, "SET #number = :number", condition, {"number": last, **values}))
        actions.append(put(Key(f"{COMMITS}{last // _BUCKET}", _sk(last)), {"facts": _packed(events)}, "attribute_not_exists(pk)"))
    for originator_id, some in _by_originator(events).items():
        key = Key(_facts(originator_id), _sk(some[-1].originator_version))
        actions.append(put(key, {"facts": _packed(some)}, "attribute_not_exists(pk)"))
    if tracking is not None:
        actions.append(_mark(tracking))
    return actions


def _mark_key(name: str) -> Key:
    return Key(f"{PREFIX}mark", name)


def _mark(tracking: Tracking) -> Action:
    condition = "attribute_not_exists(pk) OR #number < :number"
    values = {"number": tracking.notification_id}
    return update(_mark_key(tracking.application_name), "SET #number = :number", condition, values)


def _distinct(events: Sequence[StoredEvent]) -> list[StoredEvent]:
    """The events of each aggregate by version, as they are to be stored. Raises ``IntegrityError`` if two are one."""
    if len({(event.originator_id, event.originator_version) for event in events}) < len(events):
        message = "an event stands twice among those to be stored"
        raise IntegrityError(message)
    return list(events)


def _by_originator(events: Iterable[StoredEvent]) -> dict[UUID | str, list[StoredEvent]]:
    found: dict[UUID | str, list[StoredEvent]] = defaultdict(list)
    for event in events:
        found[event.originator_id].append(event)
    return {originator_id: sorted(some, key=lambda e: e.originator_version) for originator_id, some in found.items()}


def _facts(originator_id: UUID | str) -> str:
    return f"{PREFIX}fact#{_hex(originator_id)}"


def _hex(originator_id: UUID | str) -> str:
    return originator_id.hex if isinstance(originator_id, UUID) else str(originator_id)


def _sk(number: int) -> str:
    return f"{number:0{_DIGITS}}"


def _packed(events: Iterable[StoredEvent]) -> bytes:
    """Rows of aggregate, version, topic, state; a state need not be text."""
    return orjson.dumps([[_hex(e.originator_id), e.originator_version, e.topic, b64encode(e.state).decode()] for e in events])


def _unpacked(item: Item) -> list[StoredEvent]:
    rows = orjson.loads(bytes(item["facts"]))  # type: ignore[arg-type]  # they are bytes
    return [StoredEvent(UUID(hexed), version, topic, b64decode(state)) for hexed, version, topic, state in rows]


def _first(found: Iterable[Any], limit: int | None) -> list[Any]:
    return list(islice(found, limit))


def open_dynamodb(
    client: Any, name: str, *, token: Callable[[], str], dice: Random, pause: Callable[[float], object] = sleep
) -> Recorders:
    """The desks in the table of this name. ``wait`` asks the counter now and then; on AWS the table's stream wakes the relay."""
    table = Table(client, name, OperationalError, dice=dice)
    events = DynamoRecorder(table, token=token, dice=dice, pause=pause)

    def wait(seen: int, timeout_seconds: float) -> None:
        if (events.max_notification_id() or 0) <= seen:
            pause(min(timeout_seconds, _LONGEST_PAUSE_SECONDS))

    return Recorders(events, DynamoSnapshots(table, f"picture{SNAPSHOTS}", token=token), wait, lambda: None)
