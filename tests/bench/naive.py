"""The naive baseline: what one writes without thinking of speed, and what ours is measured against.

stdlib ``json``, a pydantic model per event, a row per event, one SQL statement per event and projection, the body in the index,
a commit per 100 events. One SQLite file (WAL); synchronous=FULL where the log is in it.

Two indexes: ``plain`` has body and text columns and indexes on time, source and account: it drops no repeats and finds nothing by
id, resource or word. ``equal`` answers every question of ours: it drops repeats by id, and finds by the source's id, by resource,
by words.
"""

import json
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal
from uuid import NAMESPACE_URL, uuid5

from pydantic import BaseModel, Field

from schemas.envelope import Envelope

Variant = Literal["plain", "equal"]

COMMIT_EVENTS: Final = 100
HOUR_US: Final = 3_600_000_000

_LOG: Final[dict[Variant, str]] = {
    "plain": "CREATE TABLE log(position INTEGER PRIMARY KEY, id TEXT, recorded_us INTEGER NOT NULL, event TEXT NOT NULL);",
    "equal": "CREATE TABLE log(position INTEGER PRIMARY KEY, id TEXT UNIQUE, recorded_us INTEGER NOT NULL, event TEXT NOT NULL);",
}
_APPEND: Final = "INSERT OR IGNORE INTO log(id, recorded_us, event) VALUES (?, ?, ?)"
_PROJECTIONS: Final = """
CREATE TABLE event(
  number INTEGER PRIMARY KEY, id TEXT NOT NULL, type TEXT NOT NULL, time_us INTEGER NOT NULL, recorded_us INTEGER NOT NULL,
  source TEXT NOT NULL, account TEXT NOT NULL, region TEXT NOT NULL, subject TEXT NOT NULL, severity INTEGER NOT NULL,
  summary TEXT NOT NULL, resources TEXT NOT NULL, source_id TEXT NOT NULL, position INTEGER NOT NULL, body TEXT NOT NULL
);
CREATE INDEX event_source ON event(source);
CREATE INDEX event_account ON event(account);
CREATE TABLE agent(
  account TEXT PRIMARY KEY, last_finding_us INTEGER DEFAULT 0, last_beat_us INTEGER DEFAULT 0, version TEXT DEFAULT '',
  s0 INTEGER DEFAULT 0, s1 INTEGER DEFAULT 0, s2 INTEGER DEFAULT 0, s3 INTEGER DEFAULT 0, s4 INTEGER DEFAULT 0
);
CREATE TABLE task(id TEXT PRIMARY KEY, title TEXT, description TEXT, priority TEXT, status TEXT, history TEXT);
CREATE TABLE counter(
  hour INTEGER, source TEXT, severity INTEGER, account TEXT, count INTEGER NOT NULL, PRIMARY KEY (hour, source, severity, account)
);
"""
_INDEXES: Final[dict[Variant, str]] = {
    "plain": "CREATE INDEX event_time ON event(time_us);",
    "equal": """
CREATE INDEX event_time ON event(time_us, id);
CREATE UNIQUE INDEX event_id ON event(id);
CREATE INDEX event_source_id ON event(source_id);
CREATE TABLE resource(name TEXT, number INTEGER, PRIMARY KEY (name, number)) WITHOUT ROWID;
CREATE VIRTUAL TABLE word USING fts5(summary, content = '', columnsize = 0, detail = none);
""",
}


class Event(BaseModel):
    """What the naive log holds, as JSON."""

    id: str
    type: str
    version: int
    time_us: int
    source: str
    account: str
    region: str
    subject: str
    severity: int = Field(ge=0, le=4)
    summary: str
    resources: list[str]
    source_id: str
    correlation_id: str = ""
    causation_id: str = ""
    body: dict[str, Any]


class Finding(BaseModel):
    """An EventBridge envelope as it comes in."""

    id: str
    detail_type: str = Field(alias="detail-type")
    source: str
    account: str = Field(pattern=r"^[0-9]{12}$")
    time: datetime
    region: str
    resources: list[str]
    detail: dict[str, Any]


_LEVELS: Final = {"aws.guardduty": 3, "aws.cloudwatch": 3, "aws.health": 2, "aws.securityhub": 2, "monitoring.agent.logs": 3}


def ingested(line: bytes) -> Event:
    """Parse and validate a line, and make an event of it."""
    raw = json.loads(line)
    finding = Finding.model_validate(raw)
    time_us = int(finding.time.timestamp() * 1_000_000)
    told = json.dumps([finding.account, finding.region, finding.source, time_us, finding.id, finding.detail], sort_keys=True)
    detail = finding.detail
    name = str(detail.get("alarmName") or detail.get("title") or detail.get("eventName") or detail.get("message") or "")
    return Event(
        id=f"{time_us // 1_000_000}-{uuid5(NAMESPACE_URL, told)}",
        type="agent.beat" if finding.detail_type == "Agent Heartbeat" else "finding.observed",
        version=1,
        time_us=time_us,
        source=finding.source,
        account=finding.account,
        region=finding.region,
        subject=f"resource/{finding.resources[0]}" if finding.resources else f"{finding.source}/{finding.account}",
        severity=_LEVELS.get(finding.source, 1),
        summary=f"{finding.detail_type}: {name}"[:200],
        resources=finding.resources,
        source_id=finding.id,
        body={
            "version": str(detail.get("version", "")),
            "kind": finding.source.rpartition(".")[2],
            "form": "eventbridge",
            "detail_type": finding.detail_type,
            "facts": {"title": name[:4000], **{k: v for k, v in detail.items() if type(v) in (int, float)}},
            "raw": raw,
        },
    )


def encoded(event: Event) -> str:
    """An event as the log keeps it."""
    return json.dumps(event.model_dump())


class Naive:
    """A naive log, naive projections, or both, in the file at ``path``."""

    def __init__(self, path: Path, variant: Variant = "plain", *, log: bool = True, projections: bool = True) -> None:
        self._equal = variant == "equal"
        new = not path.exists()
        self.connection = sqlite3.connect(path)
        self.connection.execute("PRAGMA journal_mode = WAL")
        self.connection.execute(f"PRAGMA synchronous = {'FULL' if log else 'NORMAL'}")
        if new:
            tables = (_PROJECTIONS + _INDEXES[variant]) if projections else ""
            self.connection.executescript((_LOG[variant] if log else "") + tables)

    def append(self, events: Iterable[tuple[str, str]], *, commit_events: int = COMMIT_EVENTS) -> None:
        """Append validated events: (id, JSON)."""
        for number, (event_id, text) in enumerate(events, 1):
            self.connection.execute(_APPEND, (event_id, 1, text))
            if number % commit_events == 0:
                self.connection.commit()
        self.connection.commit()

    def live(self, events: Iterable[Event]) -> None:
        """Append and project."""
        for number, event in enumerate(events, 1):
            appended = self.connection.execute(_APPEND, (event.id, 1, encoded(event)))
            if appended.rowcount:
                self.project(event, appended.lastrowid or 0, 1)
            if number % COMMIT_EVENTS == 0:
                self.connection.commit()
        self.connection.commit()

    def rebuild(self, log: "Naive") -> int:
        """Fold all of another's log."""
        count = 0
        for position, recorded_us, text in log.connection.execute(
            "SELECT position, recorded_us, event FROM log ORDER BY position"
        ):
            self.project(Event.model_validate(json.loads(text)), position, recorded_us)
            count += 1
            if count % COMMIT_EVENTS == 0:
                self.connection.commit()
        self.connection.commit()
        return count

    def project(self, event: Event, position: int, recorded_us: int) -> None:
        """One event into four projections, a statement each."""
        if event.type == "finding.observed":
            if self._index(event, position, recorded_us):
                self._agent(event)
                self._count(event)
        elif event.type == "agent.beat":
            self.connection.execute(
                "INSERT INTO agent(account, last_beat_us, version) VALUES (?, ?, ?)"
                " ON CONFLICT DO UPDATE SET last_beat_us = max(last_beat_us, excluded.last_beat_us), version = excluded.version",
                (event.account, event.time_us, event.body["version"]),
            )
        else:
            self._task(event)

    def _index(self, event: Event, position: int, recorded_us: int) -> bool:
        inserted = self.connection.execute(
            "INSERT OR IGNORE INTO event(id, type, time_us, recorded_us, source, account, region, subject, severity, summary,"
            " resources, source_id, position, body) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                event.id,
                event.type,
                event.time_us,
                recorded_us,
                event.source,
                event.account,
                event.region,
                event.subject,
                event.severity,
                event.summary,
                json.dumps(event.resources),
                event.source_id,
                position,
                json.dumps(event.body),
            ),
        )
        if not inserted.rowcount:
            return False
        if self._equal:
            number = inserted.lastrowid
            for name in event.resources:
                self.connection.execute("INSERT OR IGNORE INTO resource VALUES (?, ?)", (name, number))
            self.connection.execute("INSERT INTO word(rowid, summary) VALUES (?, ?)", (number, event.summary))
        return True

    def _agent(self, event: Event) -> None:
        column = f"s{event.severity}"
        self.connection.execute(
            f"INSERT INTO agent(account, last_finding_us, {column}) VALUES (?, ?, 1) ON CONFLICT DO UPDATE SET"  # noqa: S608  # 0-4
            f" last_finding_us = max(last_finding_us, excluded.last_finding_us), {column} = {column} + 1",
            (event.account, event.time_us),
        )

    def _count(self, event: Event) -> None:
        self.connection.execute(
            "INSERT INTO counter VALUES (?, ?, ?, ?, 1) ON CONFLICT DO UPDATE SET count = count + 1",
            (event.time_us // HOUR_US, event.source, event.severity, event.account),
        )

    def _task(self, event: Event) -> None:
        task_id = event.subject.removeprefix("task/")
        if event.type == "task.created":
            b = event.body
            self.connection.execute(
                "INSERT OR IGNORE INTO task VALUES (?, ?, ?, ?, 'open', ?)",
                (task_id, b["title"], b["description"], b["priority"], json.dumps([event.id])),
            )
        else:
            status = event.body.get("status")
            self.connection.execute(
                "UPDATE task SET status = coalesce(?, status), history = json_insert(history, '$[#]', ?) WHERE id = ?",
                (status, event.id, task_id),
            )

    def page(
        self,
        *,
        source: str = "",
        account: str = "",
        text: Sequence[str] = (),
        resource: str = "",
        before: tuple[int, str] | None = None,
        limit: int = 50,
    ) -> list[tuple[Any, ...]]:
        """A page of the event index, newest first. ``text`` and ``resource`` only in ``equal``."""
        conditions = ["recorded_us >= 0"]
        values: list[Any] = []
        if source:
            conditions.append("source = ?")
            values.append(source)
        if account:
            conditions.append("account = ?")
            values.append(account)
        if text:
            conditions.append("number IN (SELECT rowid FROM word WHERE word MATCH ?)")
            values.append(" AND ".join(f'"{word}"' for word in text))
        if resource:
            conditions.append("number IN (SELECT number FROM resource WHERE name = ?)")
            values.append(resource)
        if before:
            conditions.append("(time_us, id) < (?, ?)")
            values += before
        where = " AND ".join(conditions)
        return self.connection.execute(
            f"SELECT * FROM event WHERE {where} ORDER BY time_us DESC, id DESC LIMIT {int(limit)}",  # noqa: S608  # fixed parts
            values,
        ).fetchall()

    def found(self, event_id: str) -> list[tuple[Any, ...]]:
        """By our id, else by the source's; only in ``equal``."""
        own = self.connection.execute("SELECT * FROM event WHERE id = ?", (event_id,)).fetchall()
        return (
            own
            or self.connection.execute(
                "SELECT * FROM event WHERE source_id = ? ORDER BY time_us DESC, id DESC LIMIT 100", (event_id,)
            ).fetchall()
        )

    def close(self) -> None:
        """Close the file."""
        self.connection.close()


def copied(event: Envelope) -> Event:
    """One of our events as a naive one."""
    header = {name: getattr(event, name) for name in Event.model_fields if name not in {"body", "resources"}}
    return Event(**header, resources=list(event.resources), body=json.loads(event.body))
