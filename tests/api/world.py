"""The ports of the API in memory: a few plain lines each, so that a test says what stands where."""

import itertools
import threading
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import cache
from pathlib import Path
from random import Random
from shutil import rmtree
from tempfile import mkdtemp
from typing import Any
from uuid import UUID

import orjson
from eventsourcing.popo import POPOAggregateRecorder, POPOProcessRecorder

from consumers.api import service
from consumers.api.app import Application, build
from consumers.api.authentication import Authentication
from consumers.api.metrics import Metrics
from consumers.api.overview import Overviews
from consumers.api.resolver import Resolver
from consumers.api.routing import Routes
from consumers.api.telling import Notified
from consumers.assuming import Attempt
from consumers.draw import draw_id
from consumers.jobs.asking import Asks
from consumers.people.sign_in import SignIn
from consumers.people.sqlite import SqlitePeople
from consumers.people.tokens import Tokens, Use
from consumers.people.user import User
from pipeline.desks.desk import Desk
from pipeline.errors import InputRejected, LogUnavailable, RejectedItem
from pipeline.ingest import Accepted, Tally
from pipeline.log.port import Batch, Log, Outcome, Position, Receipt, Record, Shard, shard_for
from pipeline.quarantine.port import Quarantined, Reject, Status
from projections.errors import CursorRejected, NotFresh
from projections.event_index import Entry, EventPage, EventQuery
from projections.projector import ALL
from projections.reading import AgentStatus, Configuration, Count, ProjectionState, Task, TaskChange
from schemas.envelope import Envelope
from schemas.identity import finding_id
from tests.api.decided import MemoryDecided
from tests.api.judged import MemoryJudged
from tests.api.noted import MemoryLedger
from tests.jobs.memory import MemoryJobs
from tests.people import stores as people
from tests.people.signing import MemoryKeys
from tests.support.memory_log import batch_of
from tests.support.scratch import IN_MEMORY, scratch

NOW_US = 1_795_219_200_000_000
"""2026-11-21T00:00:00Z."""
SECOND_US = 1_000_000
HOUR_US = 3600 * SECOND_US
DAY_US = 24 * HOUR_US
SHARDS = 2


class Clock:
    """Stands still until a test moves it."""

    def __init__(self, now_us: int = NOW_US) -> None:
        self.now_us = now_us

    def __call__(self) -> int:
        return self.now_us


def finding(
    number: int = 0,
    *,
    severity: int = 2,
    time_us: int = NOW_US - 60 * SECOND_US,
    source: str = "aws.guardduty",
    account: str = "111122223333",
    summary: str = "Something was seen",
    source_id: str = "",
    resources: tuple[str, ...] = (),
    data: Mapping[str, Any] | None = None,
) -> Envelope:
    """A finding; ``number`` tells it from others."""
    event_id = finding_id(
        time_us, account=account, region="eu-central-1", source=source, source_id=source_id, detail=[number, summary]
    )
    return Envelope(
        id=event_id,
        type="finding.observed",
        version=1,
        time_us=time_us,
        source=source,
        account=account,
        region="eu-central-1",
        subject=f"thing/{number}",
        severity=severity,
        summary=summary,
        resources=resources,
        source_id=source_id or f"source-{number}",
        correlation_id="",
        causation_id="",
        body=orjson.dumps(data or {"kind": "generic", "facts": {"title": summary}, "raw": {"number": number}}),
    )


class MemoryLog:
    """Appends to lists. ``down`` makes it unreachable."""

    def __init__(self, clock: Clock) -> None:
        self.down = False
        self._clock = clock
        self._known: dict[str, Position] = {}
        self._changed = threading.Condition()
        self.records: dict[str, list[Record]] = {f"shard-{n}": [] for n in range(SHARDS)}

    def _check(self) -> None:
        if self.down:
            message = "the log in /secret/place is locked"
            raise LogUnavailable(message)

    def shards(self) -> Sequence[Shard]:
        self._check()
        return [Shard(shard) for shard in self.records]

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        self._check()
        receipts = []
        with self._changed:
            for event in events:
                if event.id in self._known:
                    receipts.append(Receipt(event.id, Outcome.DUPLICATE, self._known[event.id]))
                    continue
                shard = shard_for(event.subject, SHARDS)
                position = Position(shard, len(self.records[shard]) + 1)
                self.records[shard].append(Record(position, self._clock(), event))
                self._known[event.id] = position
                receipts.append(Receipt(event.id, Outcome.ACCEPTED, position))
            self._changed.notify_all()
        return receipts

    def read(self, shard: str, after: Position | None, limit: int) -> Batch:
        self._check()
        start = after.sequence if after else 0
        records = self.records.get(shard, [])[start : start + limit]
        return batch_of(shard, records)

    def since(self, shard: str, recorded_us: int) -> Position | None:
        self._check()
        before = [record.position for record in self.records.get(shard, []) if record.recorded_us < recorded_us]
        return before[-1] if before else None

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        self._check()
        return [self.records[p.shard][p.sequence - 1] if p.sequence <= len(self.records[p.shard]) else None for p in positions]

    def heads(self) -> Mapping[str, Position]:
        self._check()
        return {shard: records[-1].position for shard, records in self.records.items() if records}

    def behind(self, positions: Mapping[str, Position]) -> int:
        self._check()
        return sum(
            len(records) - (positions[shard].sequence if shard in positions else 0) for shard, records in self.records.items()
        )

    def wait(self, seen: Mapping[str, Position], timeout_seconds: float) -> bool:
        self._check()
        with self._changed:
            return self._changed.wait_for(lambda: dict(seen) != self.heads(), min(timeout_seconds, 0.02))


class MemoryReading:
    """Answers by reading the whole log each time, up to ``folded`` if that is set."""

    def __init__(self, log: Log) -> None:
        self._log = log
        self.folded: Mapping[str, Position] | None = None
        self.agent_list: list[AgentStatus] = []
        self.task_list: list[Task] = []
        self.history: dict[str, list[TaskChange]] = {}
        self.configuration_list: list[Configuration] = []
        self.state_list: list[ProjectionState] | None = None

    def _entries(self) -> list[Entry]:
        return sorted(
            (
                Entry(**{name: getattr(r.event, name) for name in _OF_EVENT}, recorded_us=r.recorded_us, position=r.position)
                for shard in self._log.shards()
                for r in self._log.read(shard.id, None, 1_000_000).records()
                if self.folded is None or (shard.id in self.folded and r.position <= self.folded[shard.id])
            ),
            key=lambda entry: (entry.time_us, entry.id),
        )

    def events(self, query: EventQuery, *, now_us: int) -> EventPage:
        assert now_us
        words = query.text.lower().split()
        found = [
            entry
            for entry in self._entries()
            if entry.severity >= query.min_severity
            if query.source in ("", entry.source) and query.account in ("", entry.account)
            if not query.resource or query.resource in entry.resources
            if query.since_us is None or entry.time_us >= query.since_us
            if query.until_us is None or entry.time_us < query.until_us
            if all(word in entry.summary.lower() for word in words)
        ]
        if query.direction == "desc":
            found.reverse()
        filters = repr(replace(query, cursor="", limit=0)).encode().hex()[:4096]
        start = 0
        if query.cursor:
            number, _, made_for = query.cursor.partition(".")
            if made_for != str(sum(filters.encode())) or not number.isdigit():
                message = "this cursor belongs to other filters"
                raise CursorRejected(message)
            start = int(number)
        stop = start + query.limit
        mark = sum(filters.encode())
        return EventPage(
            tuple(found[start:stop]),
            f"{stop}.{mark}" if stop < len(found) else "",
            f"{max(0, start - query.limit)}.{mark}" if start else "",
        )

    def event(self, event_id: str, *, now_us: int) -> Sequence[Entry]:
        assert now_us
        ours = [entry for entry in self._entries() if entry.id == event_id]
        return ours or [entry for entry in reversed(self._entries()) if entry.source_id == event_id]

    def agents(self, *, now_us: int) -> Sequence[AgentStatus]:
        assert now_us
        return self.agent_list

    def tasks(self, *, now_us: int) -> Sequence[Task]:
        assert now_us
        return self.task_list

    def task(self, task_id: str, *, now_us: int) -> Task | None:
        return next((task for task in self.tasks(now_us=now_us) if task.id == task_id), None)

    def task_history(self, task_id: str) -> Sequence[TaskChange]:
        return self.history.get(task_id, [])

    def tasks_from(self, event_id: str, *, now_us: int) -> Sequence[Task]:
        return [task for task in self.tasks(now_us=now_us) if task.event_id == event_id]

    def configurations(self) -> Sequence[Configuration]:
        return self.configuration_list

    def _counts(self, since_us: int, until_us: int, step_us: int) -> list[Count]:
        counted = Counter((e.time_us - e.time_us % step_us, e.source, e.severity, e.account) for e in self._entries())
        return [Count(*key, count) for key, count in sorted(counted.items()) if since_us <= key[0] < until_us]

    def daily(self, since_us: int, until_us: int) -> Sequence[Count]:
        return self._counts(since_us, until_us, DAY_US)

    def hourly(self, since_us: int, until_us: int) -> Sequence[Count]:
        return self._counts(since_us, until_us, HOUR_US)

    def states(self) -> Sequence[ProjectionState]:
        if self.state_list is not None:
            return self.state_list
        checkpoints = self._log.heads() if self.folded is None else self.folded
        return [
            ProjectionState(name, 1, 1, checkpoints, self._log.behind(checkpoints), None, 0, None)
            for name in sorted(projection.name for projection in ALL)
        ]

    def wait_for(self, projection: str, positions: Sequence[Position], timeout_seconds: float) -> None:
        assert projection
        folded = self._log.heads() if self.folded is None else self.folded
        if any(p.shard not in folded or folded[p.shard] < p for p in positions):
            message = f"not within {timeout_seconds} s"
            raise NotFresh(message)


_OF_EVENT = (
    "id", "type", "time_us", "source", "account", "region", "subject", "severity", "summary", "resources", "source_id",
)  # fmt: skip


class MemoryQuarantine:
    """A list."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self.items: list[Quarantined] = []

    def put(self, rejects: Sequence[Reject]) -> list[str]:
        now_us = self._clock()
        for reject in rejects:
            self.items.insert(0, Quarantined(f"q{len(self.items)}", reject, Status.HELD, now_us, now_us, 1))
        return [item.id for item in self.items[: len(rejects)]]

    def list(self, *, status: Status | None = Status.HELD, after: str = "", limit: int = 50) -> "list[Quarantined]":
        items = [item for item in self.items if status in (None, item.status)]
        start = next((place + 1 for place, item in enumerate(items) if item.id == after), 0)
        return items[start : start + limit]

    def get(self, item_id: str) -> Quarantined | None:
        return next((item for item in self.items if item.id == item_id), None)

    def mark(self, item_id: str, status: Status) -> bool:
        self.items = [replace(item, status=status) if item.id == item_id else item for item in self.items]
        return self.get(item_id) is not None

    def count(self) -> dict[Status, int]:
        return dict(Counter(item.status for item in self.items))


class MemoryIngest:
    """Takes JSON objects with ``number`` and ``time`` (Unix seconds), one, an array, or a line each."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log
        self.hold = threading.Event()
        self.hold.set()
        self.waiting = 0
        self.most_waiting = 0
        self._lock = threading.Lock()

    def accept(self, raw: bytes, *, origin: str) -> Accepted:
        assert origin == "http"
        self._together()
        try:
            parsed = [orjson.loads(line) for line in raw.splitlines()] if b"\n" in raw else orjson.loads(raw)
        except orjson.JSONDecodeError as wrong:
            raise InputRejected([RejectedItem(0, "", f"is no JSON: {wrong.msg}")]) from None
        items = parsed if isinstance(parsed, list) else [parsed]
        bad = [RejectedItem(index, "time", "is missing") for index, item in enumerate(items) if "time" not in item]
        if bad:
            raise InputRejected(bad, several=isinstance(parsed, list))
        events = [finding(item["number"], time_us=int(item["time"] * SECOND_US)) for item in items]
        receipts = self._log.append(events)
        new = sum(receipt.outcome is Outcome.ACCEPTED for receipt in receipts)
        last = {receipt.position.shard: receipt.position for receipt in receipts if receipt.position}
        return Accepted(Tally(len(items), new, len(items) - new, 0, tuple(last.values())), tuple(receipts))

    def _together(self) -> None:
        """Count how many calls are under way at once, while ``hold`` is cleared."""
        with self._lock:
            self.waiting += 1
            self.most_waiting = max(self.waiting, self.most_waiting)
        assert self.hold.wait(10)
        with self._lock:
            self.waiting -= 1


KEYS = MemoryKeys()
ADMIN = people.admin("admin@example.org")
USER = people.user("user@example.org")
OTHER = people.user("other@example.org")
PASSWORD = people.PASSWORD
"""Of all three. They are the same in every world, and so are their first sessions."""
SESSIONS = {one.id: people.session(one, expires_us=NOW_US + 3650 * DAY_US) for one in (ADMIN, USER, OTHER)}


def token_of(user: User = ADMIN, use: Use = Use.ACCESS, **lifetime: int) -> str:
    """A token of the user's first session, good for ten years unless a test says otherwise."""
    signer = Tokens(KEYS, clock=lambda: NOW_US, entropy=people.entropy)
    return signer.sign(use, user.id, SESSIONS[user.id].id, lifetime=timedelta(**lifetime or {"days": 3650}))


def signed_in(user: User = ADMIN) -> dict[str, str]:
    """The headers of a client that signed in."""
    return {"Authorization": f"Bearer {token_of(user)}"}


@cache
def _template() -> bytes:
    """A store of people in which all three signed in: a file, copied for each world that asks for one."""
    with scratch() as folder:
        with closing(SqlitePeople(folder / "people.db", passwords=people.QUICK)) as store:
            for one in (ADMIN, USER, OTHER):
                store.users.add(one, PASSWORD)
                store.sessions.open(SESSIONS[one.id])
        return (folder / "people.db").read_bytes()


_opened: list[tuple[SqlitePeople, Path]] = []


def people_store() -> SqlitePeople:
    """A store of its own, until ``close_stores``."""
    folder = Path(mkdtemp(prefix="findstream-people-", dir=IN_MEMORY if IN_MEMORY.is_dir() else None))
    (folder / "people.db").write_bytes(_template())
    store = SqlitePeople(folder / "people.db", passwords=people.QUICK)
    _opened.append((store, folder))
    return store


@contextmanager
def kept_open(world: "World") -> Iterator[None]:
    """Its store stays open for longer than a test."""
    mine = next(one for one in _opened if one[0] is world.people)
    _opened.remove(mine)
    yield
    _opened.append(mine)


def close_stores() -> None:
    """Close what worlds have opened, and take it away."""
    while _opened:
        store, folder = _opened.pop()
        store.close()
        rmtree(folder)


@dataclass
class World:
    """Everything that an application needs, in memory."""

    clock: Clock = field(default_factory=Clock)

    def __post_init__(self) -> None:
        self.log = MemoryLog(self.clock)
        self.reading = MemoryReading(self.log)
        self.judged = MemoryJudged()
        self.decided = MemoryDecided()
        self.ledger: Any = MemoryLedger()
        self.channels: dict[str, Any] = {}
        self.asks = Asks(MemoryJobs(), self.clock, draw_id)
        self.quarantine = MemoryQuarantine(self.clock)
        self.ingest = MemoryIngest(self.log)
        self.people = people_store()
        self.tokens = Tokens(KEYS, clock=self.clock, entropy=people.entropy)
        self.sign_in = SignIn(self.people, self.tokens, clock=self.clock, entropy=people.entropy)

    def application(self, **options: Any) -> Application:
        """The application over it."""
        given = {"ingest": self.ingest, "quarantine": self.quarantine, "clock": self.clock, "version": "1.2.3"}
        given |= {"judged": self.judged, "decided": self.decided, "asks": self.asks}
        given |= {"notified": Notified(self.ledger, lambda: self.channels, "http://127.0.0.1:8321")}
        given |= {"desk": desk_in_memory(self.clock), "assume": nobody_assumes}
        given |= {"people": self.people, "sign_in": self.sign_in, "entropy": people.entropy}
        return build(reading=self.reading, log=self.log, **{**given, **options})

    def resolver(self, *, authentication: Authentication | None = None, more: Sequence[Routes] = ()) -> Resolver:
        """The routes of the API alone, as on Lambda, with ``more`` that this deployment has."""
        return service.resolver(
            self.reading,
            self.ingest,
            self.log,
            self.quarantine,
            desk_in_memory(self.clock),
            judged=self.judged,
            decided=self.decided,
            notified=Notified(self.ledger, lambda: self.channels, "http://127.0.0.1:8321"),
            asks=self.asks,
            assume=nobody_assumes,
            people=self.people,
            sign_in=self.sign_in,
            authentication=authentication or Authentication(self.sign_in, local=False, cookies=False),
            more=more,
            clock=self.clock,
            entropy=people.entropy,
            version="1.2.3",
            overviews=Overviews(self.reading, self.quarantine, rate=lambda: 0.0),
            taken=Metrics().taken,
        )


def desk_in_memory(clock: Clock) -> Desk:
    """A desk whose facts nobody relays."""
    numbers = itertools.count(1)
    return Desk(
        POPOProcessRecorder(),
        POPOAggregateRecorder(),
        clock=clock,
        new_id=lambda: UUID(int=(7 << 76) | (2 << 62) | next(numbers)),
        pause=lambda _: None,
        dice=Random(0),
    )


def nobody_assumes(role_arn: str, external_id: str) -> Attempt:
    """There is no AWS here."""
    assert role_arn
    return Attempt("no_credentials", f"nothing assumes roles in this test{external_id and ' with an id'}")


def agent(account: str = "111122223333", status: str = "active") -> AgentStatus:
    """An agent that was heard a minute ago."""
    heard_us = NOW_US - 60 * SECOND_US
    return AgentStatus(account, "eu-central-1", status, "1.0", NOW_US - DAY_US, heard_us, None, {3: 2, 1: 0})


def task(number: int, *, status: str = "open", priority: str = "high", assignee: str = "u1", overdue: bool = False) -> Task:
    """A task."""
    name = f"Look into {number}"
    return Task(f"t{number}", name, "…", status, priority, assignee, "", None, NOW_US, NOW_US, None, overdue, 1)
