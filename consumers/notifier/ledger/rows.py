"""The tables of the SQLite ledger, and how notices, facts and groups are written in them.

A change to the tables raises ``FORMAT``; a file of another format is refused.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Final

import orjson

from consumers.notifier.groups.state import Group, GroupKey, Member
from consumers.notifier.notice import DIGEST, Cause, Count, Key, Notice, Reason, State
from pipeline.log.port import Position
from schemas.envelope import Envelope

FORMAT: Final = 2
"""Kept in ``PRAGMA user_version``. 1 knew no groups."""

CRITICAL: Final = 4
MOST_CAUSES: Final = 1000
"""That a digest names."""

TABLES: Final = (
    """CREATE TABLE writer (
        one INTEGER PRIMARY KEY CHECK (one = 1), token INTEGER NOT NULL, begun INTEGER NOT NULL, doubt_us INTEGER NOT NULL)""",
    "INSERT INTO writer VALUES (1, 0, 0, 0)",
    "CREATE TABLE marks (shard TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE live_mark (shard TEXT PRIMARY KEY, position TEXT NOT NULL) WITHOUT ROWID",
    """CREATE TABLE notices (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        route TEXT NOT NULL, grouping TEXT NOT NULL, flush INTEGER NOT NULL,
        channel TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL,
        decided_us INTEGER NOT NULL, due_us INTEGER NOT NULL, changed_us INTEGER NOT NULL, first_attempt_us INTEGER,
        attempt INTEGER NOT NULL, unsure INTEGER NOT NULL, detail TEXT NOT NULL,
        severity INTEGER NOT NULL, why TEXT NOT NULL, path TEXT NOT NULL, firing INTEGER NOT NULL, resolved INTEGER NOT NULL,
        merged_into TEXT, counts TEXT NOT NULL, causes BLOB NOT NULL, still BLOB NOT NULL,
        critical INTEGER AS (severity >= 4) STORED,
        UNIQUE (route, grouping, flush))""",
    """CREATE INDEX open_notices ON notices (channel, critical DESC, number, due_us, decided_us, unsure)
        WHERE state = 'pending'""",
    "CREATE INDEX sending_notices ON notices (number) WHERE state = 'sending'",
    "CREATE INDEX notices_by_state ON notices (channel, state)",
    "CREATE TABLE told (event_id TEXT NOT NULL, number INTEGER NOT NULL, PRIMARY KEY (event_id, number)) WITHOUT ROWID",
    "CREATE INDEX told_by_number ON told (number)",
    "CREATE TABLE channels (name TEXT PRIMARY KEY, pace TEXT NOT NULL) WITHOUT ROWID",
    "CREATE TABLE outbox (number INTEGER PRIMARY KEY AUTOINCREMENT, header BLOB NOT NULL, body BLOB NOT NULL)",
    """CREATE TABLE groups (
        route TEXT NOT NULL, grouping TEXT NOT NULL, row BLOB NOT NULL, PRIMARY KEY (route, grouping)) WITHOUT ROWID""",
    """CREATE TABLE members (
        route TEXT NOT NULL, grouping TEXT NOT NULL, fingerprint TEXT NOT NULL, row BLOB NOT NULL,
        PRIMARY KEY (route, grouping, fingerprint)) WITHOUT ROWID""",
)

_NAMES: Final = (
    "route, grouping, flush, channel, state, reason, decided_us, due_us, changed_us, first_attempt_us, attempt, unsure, detail, "
    "severity, why, path, firing, resolved, merged_into, counts, causes, still"
)
_MARKS: Final = ", ".join("?" * len(_NAMES.split(",")))

SELECT: Final = f"SELECT number, {_NAMES} FROM notices"  # noqa: S608  # constants of ours, here and below
INSERT: Final = f"INSERT INTO notices ({_NAMES}) VALUES ({_MARKS}) ON CONFLICT DO NOTHING"  # noqa: S608
BY_KEY: Final = "route = ? AND grouping = ? AND flush = ?"
CHANGE: Final = f"UPDATE notices SET ({_NAMES}) = ({_MARKS}) WHERE {BY_KEY} AND state = ? AND attempt = ?"  # noqa: S608
RECOVER: Final = (
    "UPDATE notices SET state = 'pending', reason = ?, unsure = 1, due_us = ?, changed_us = ? WHERE state = 'sending'"
)
DOUBT: Final = "UPDATE notices SET unsure = 1 WHERE state IN ('pending', 'sending', 'failed')"
DUE: Final = "channel = ? AND state = 'pending' AND due_us <= ? ORDER BY critical DESC, number LIMIT 1"
EARLIER: Final = "channel = ? AND state = 'pending' AND route = ? AND grouping = ? AND flush < ? ORDER BY flush LIMIT 1"
CROWD: Final = (
    "SELECT count(*), coalesce(min(decided_us), 0), coalesce(max(decided_us), 0) FROM notices "
    "WHERE channel = ? AND state = 'pending' AND critical = ? AND unsure = 0"
)
MERGING: Final = "channel = ? AND state = 'pending' AND critical <= ? AND unsure = 0 ORDER BY number"
SETTLED_BEFORE: Final = (
    "SELECT number FROM notices WHERE state IN ('sent', 'suppressed', 'merged') AND changed_us < ? ORDER BY number LIMIT ?"
)
REDRIVE: Final = (
    "UPDATE notices SET state = 'pending', reason = ?, due_us = ?, changed_us = ?, first_attempt_us = NULL WHERE state = 'failed'"
)
REDRIVE_ONE: Final = f"{REDRIVE} AND {BY_KEY}"
RETRY: Final = "UPDATE notices SET due_us = min(due_us, ?) WHERE channel = ? AND state = 'pending'"
PACE: Final = "SELECT pace FROM channels WHERE name = ?"
SET_PACE: Final = "INSERT INTO channels VALUES (?1, ?2) ON CONFLICT DO UPDATE SET pace = ?2"


def row(notice: Notice) -> tuple[Any, ...]:
    """The values of a notice, in the order in which they are selected."""
    return (
        *notice.key,
        notice.channel,
        notice.state,
        notice.reason,
        notice.decided_us,
        notice.due_us,
        notice.changed_us,
        notice.first_attempt_us,
        notice.attempt,
        notice.unsure,
        notice.detail,
        notice.severity,
        notice.why,
        orjson.dumps(notice.path).decode(),
        notice.firing,
        notice.resolved,
        None if notice.merged_into is None else str(notice.merged_into),
        orjson.dumps([tuple(count) for count in notice.counts]).decode(),
        causes_as_bytes(notice.causes),
        causes_as_bytes(notice.still),
    )


def notice_of(values: Sequence[Any]) -> Notice:
    """The notice of a row."""
    route, group, flush, channel, state, reason, decided_us, due_us, changed_us, first_attempt_us, attempt, unsure, *rest = values
    detail, severity, why, path, firing, resolved, merged_into, counts, causes, still = rest
    return Notice(
        key=Key(route, group, flush),
        channel=channel,
        causes=causes_of(causes),
        state=State(state),
        reason=Reason(reason),
        decided_us=decided_us,
        due_us=due_us,
        changed_us=changed_us,
        first_attempt_us=first_attempt_us,
        attempt=attempt,
        unsure=bool(unsure),
        detail=detail,
        severity=severity,
        why=Reason(why),
        path=tuple(orjson.loads(path)),
        still=causes_of(still),
        firing=firing,
        resolved=resolved,
        merged_into=None if merged_into is None else Key.parse(merged_into),
        counts=tuple(Count(*count) for count in orjson.loads(counts)),
    )


def causes_as_bytes(causes: Iterable[Cause]) -> bytes:
    """Causes as they are kept."""
    return orjson.dumps([_cause_row(cause) for cause in causes])


def causes_of(kept: bytes) -> tuple[Cause, ...]:
    """The inverse of ``causes_as_bytes``."""
    return tuple(map(_cause_of, orjson.loads(kept)))


def _cause_row(cause: Cause) -> list[Any]:
    row = [cause.event_id, str(cause.position), cause.severity, cause.kind, cause.resource, cause.resolved]
    return [*row, str(cause.began)] if cause.began else row


def _cause_of(kept: Sequence[Any]) -> Cause:
    event_id, position, severity, kind, resource, resolved, *began = kept
    return Cause(
        event_id, Position.parse(position), severity, kind, resource, resolved, *[Position.parse(where) for where in began]
    )


def named_by(notice: Notice) -> list[str]:
    """The events by which a notice is found.

    Not those of a digest, for what it merged is found by them; nor those of what is repeated, perhaps for ever.
    """
    if notice.key.route == DIGEST or notice.why is Reason.REPEATED:
        return []
    return list(dict.fromkeys(cause.event_id for cause in notice.causes))


def grown(digest: Notice, merged: Sequence[Notice]) -> Notice:
    """A digest that takes over what these tell of."""
    causes = sorted({*digest.causes, *(cause for notice in merged for cause in notice.causes)}, key=_rank)
    counts = Counter({(count.kind, count.severity, count.resolved): count.events for count in _counts(digest)})
    for count in (count for notice in merged for count in _counts(notice)):
        counts[count.kind, count.severity, count.resolved] += count.events
    return replace(
        digest,
        causes=tuple(causes[:MOST_CAUSES]),
        counts=tuple(Count(*what, events) for what, events in counts.most_common()),
        severity=max((digest.severity, *(notice.severity for notice in merged))),
        firing=sum(events for (_, _, resolved), events in counts.items() if not resolved),
        resolved=sum(events for (_, _, resolved), events in counts.items() if resolved),
    )


def _counts(notice: Notice) -> Iterable[Count]:
    if notice.counts:
        return notice.counts
    return [Count(cause.kind, cause.severity, cause.resolved, 1) for cause in notice.causes]


def _rank(cause: Cause) -> tuple[int, int, str]:
    return -cause.severity, -cause.time_us, cause.event_id


def fact_row(fact: Envelope) -> tuple[bytes, bytes]:
    """An event of the outbox as (header, body)."""
    header = {name: getattr(fact, name) for name in Envelope.__slots__ if name != "body"}
    return orjson.dumps(header), fact.body


def fact_of(header: bytes, body: bytes) -> Envelope:
    """The inverse of ``fact_row``."""
    fields = orjson.loads(header)
    return Envelope(**{**fields, "resources": tuple(fields["resources"]), "body": body})


def group_row(group: Group) -> bytes:
    """A group as it is kept, with its key."""
    key, *rest = (getattr(group, name) for name in Group.__slots__)
    return orjson.dumps([*key, *rest])


def group_of(kept: bytes) -> Group:
    """The inverse of ``group_row``."""
    route, values, *rest = orjson.loads(kept)
    return Group(GroupKey(route, values), *rest)


def member_row(key: GroupKey, member: Member) -> bytes:
    """A member as it is kept, with its group's key."""
    told = [member.lasting, member.resolved, member.acknowledged, member.told, member.held]
    fields = dict(member.fields)
    return orjson.dumps([*key, member.fingerprint, _cause_row(member.cause), member.since_us, fields, *told])


def member_of(kept: bytes) -> tuple[GroupKey, Member]:
    """The inverse of ``member_row``."""
    route, values, fingerprint, cause, *rest = orjson.loads(kept)
    return GroupKey(route, values), Member(fingerprint, _cause_of(cause), *rest)


def gathered(groups: Iterable[Group], members: Iterable[tuple[GroupKey, Member]]) -> list[tuple[Group, list[Member]]]:
    """Groups with their members. Members without a group are in one that is never due."""
    found: dict[GroupKey, tuple[Group, list[Member]]] = {group.key: (group, []) for group in groups}
    for key, member in members:
        if key not in found:
            found[key] = Group(key, begun_us=member.since_us, next_us=NEVER_US), []
        found[key][1].append(member)
    return list(found.values())


NEVER_US: Final = (1 << 63) - 1
