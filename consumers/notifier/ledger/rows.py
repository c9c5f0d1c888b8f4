"""The tables of the SQLite ledger, and how notices and facts are written in them.

A change to the tables raises ``FORMAT``; a file of another format is refused.
"""

from dataclasses import asdict
from typing import Any, Final

import orjson

from consumers.notifier.notice import Cause, Key, Notice, Reason, State
from pipeline.log.port import Position
from schemas.envelope import Envelope

FORMAT: Final = 1
"""Kept in ``PRAGMA user_version``."""

TABLES: Final = (
    """CREATE TABLE writer (
        one INTEGER PRIMARY KEY CHECK (one = 1), token INTEGER NOT NULL, begun INTEGER NOT NULL, doubt_us INTEGER NOT NULL)""",
    "INSERT INTO writer VALUES (1, 0, 0, 0)",
    "CREATE TABLE marks (shard TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE notices (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        route TEXT NOT NULL, grouping TEXT NOT NULL, flush INTEGER NOT NULL,
        channel TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        decided_us INTEGER NOT NULL, due_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, first_attempt_us INTEGER,
        attempt INTEGER NOT NULL, unsure INTEGER NOT NULL, detail TEXT NOT NULL,
        UNIQUE (route, grouping, flush))""",
    "CREATE INDEX open_notices ON notices (channel, number, due_us) WHERE state = 'pending'",
    "CREATE INDEX sending_notices ON notices (number) WHERE state = 'sending'",
    "CREATE INDEX notices_by_state ON notices (channel, state)",
    """CREATE TABLE causes (
        number INTEGER NOT NULL, place INTEGER NOT NULL, event_id TEXT NOT NULL, position TEXT NOT NULL,
        PRIMARY KEY (number, place)) WITHOUT ROWID""",
    "CREATE INDEX causes_by_event ON causes (event_id)",
    "CREATE TABLE channels (name TEXT PRIMARY KEY, not_before_us INTEGER NOT NULL, failures INTEGER NOT NULL) WITHOUT ROWID",
    "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, header BLOB NOT NULL, body BLOB NOT NULL)",
)

COLUMNS: Final = (
    "route, grouping, flush, channel, state, reason, decided_us, due_us, changed_us, first_attempt_us, attempt, unsure, detail"
)

SELECT: Final = f"SELECT number, {COLUMNS} FROM notices"  # noqa: S608  # constants of ours, here and below
INSERT: Final = f"INSERT INTO notices ({COLUMNS}) VALUES ({', '.join('?' * 13)}) ON CONFLICT DO NOTHING"  # noqa: S608
BY_KEY: Final = "route = ? AND grouping = ? AND flush = ?"
CHANGE: Final = f"UPDATE notices SET ({COLUMNS}) = ({', '.join('?' * 13)}) WHERE {BY_KEY} AND state = ? AND attempt = ?"  # noqa: S608
RECOVER: Final = (
    "UPDATE notices SET state = 'pending', reason = ?, unsure = 1, due_us = ?, changed_us = ? WHERE state = 'sending'"
)
DOUBT: Final = "UPDATE notices SET unsure = 1 WHERE state IN ('pending', 'sending', 'failed')"
SETTLED_BEFORE: Final = (
    "SELECT number FROM notices WHERE state IN ('sent', 'suppressed') AND changed_us < ? ORDER BY number LIMIT ?"
)
REDRIVE: Final = (
    "UPDATE notices SET state = 'pending', reason = ?, due_us = ?, changed_us = ?, first_attempt_us = NULL WHERE state = 'failed'"
)
REDRIVE_ONE: Final = f"{REDRIVE} AND {BY_KEY}"


def row(notice: Notice) -> tuple[Any, ...]:
    """The values of ``COLUMNS``."""
    timing = (notice.decided_us, notice.due_us, notice.changed_us, notice.first_attempt_us)
    return (*notice.key, notice.channel, notice.state, notice.reason, *timing, notice.attempt, notice.unsure, notice.detail)


def notice_of(values: tuple[Any, ...], causes: list[tuple[str, str]]) -> Notice:
    """The notice of a row of ``COLUMNS``; ``causes`` are (event id, position), in order."""
    route, group, flush, channel, state, reason, decided_us, due_us, changed_us, first_attempt_us, attempt, unsure, detail = (
        values
    )
    return Notice(
        key=Key(route, group, flush),
        channel=channel,
        causes=tuple(Cause(event_id, Position.parse(position)) for event_id, position in causes),
        state=State(state),
        reason=Reason(reason),
        decided_us=decided_us,
        due_us=due_us,
        changed_us=changed_us,
        first_attempt_us=first_attempt_us,
        attempt=attempt,
        unsure=bool(unsure),
        detail=detail,
    )


def fact_row(fact: Envelope) -> tuple[bytes, bytes]:
    """An event of the outbox as (header, body)."""
    header = asdict(fact)
    body = header.pop("body")
    return orjson.dumps(header), body


def fact_of(header: bytes, body: bytes) -> Envelope:
    """The inverse of ``fact_row``."""
    fields = orjson.loads(header)
    return Envelope(**{**fields, "resources": tuple(fields["resources"]), "body": body})
