"""The ledger in one SQLite file, beside the log but apart from it.

Durability: each write is on disk when its method returns; transactions are a few rows long, and no request is made inside one.
            Only ``commit`` does not wait for the disk where nothing of it goes out yet: the write that a request waits for, or
            the next fact, brings it there. What a power cut takes until then is read again, and decided again.
Threads:    all that ``pipeline.sqlite_file`` promises: any number of threads and processes.
"""

import sqlite3
from collections.abc import Collection, Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager
from dataclasses import astuple, replace
from pathlib import Path
from typing import Any, Final

import orjson

from consumers.notifier import facts
from consumers.notifier.errors import LedgerTaken, LedgerUnavailable, LedgerUnreadable
from consumers.notifier.groups.state import Change, Group, Member
from consumers.notifier.ledger import rows
from consumers.notifier.ledger.port import Crowd, Draft, Tally, Wanted
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.retry import Outcome, Pace
from pipeline.errors import UnknownFormat
from pipeline.log.port import Position
from pipeline.sqlite_backup import back_up
from pipeline.sqlite_file import Connect, Errors, Schema, SqliteFile, connect
from schemas.envelope import Envelope

_ERRORS: Final = Errors(LedgerUnavailable, LedgerUnavailable, LedgerUnreadable)
_AT_ONCE: Final = 500
_SCHEMA: Final = Schema(0x66736E6C, rows.FORMAT, rows.TABLES)  # "fsnl" in ASCII


class SqliteLedger:
    """The port of the ledger on the file at ``path``, which is made if it is missing.

    Raises ``LedgerUnavailable``, ``LedgerUnreadable``, or ``UnknownFormat`` if the file is no ledger of this build.
    """

    def __init__(self, path: Path, *, connect: Connect = connect) -> None:
        try:
            self._file = SqliteFile(path, _SCHEMA, _ERRORS, connect=connect)
        except UnknownFormat as unknown:
            message = f"{unknown}. If an earlier build wrote it, move it away: only what was sent and what waits is forgotten"
            raise UnknownFormat(message) from None

    def close(self) -> None:
        """Let the file go. Later calls raise ``LedgerUnavailable``."""
        self._file.close()

    def backup(self, target: Path) -> None:
        """Copy the ledger, as it is at one moment, to ``target``; the notifier may go on meanwhile. Raises ``BackupFailed``."""
        back_up(self._file, target)

    def claim(self) -> int:
        """Become the writer, as the port says."""
        with self._file.writing() as db:
            [(token,)] = db.execute("UPDATE writer SET token = token + 1 RETURNING token").fetchall()
        return int(token)

    def begin(self, marks: Mapping[str, Position]) -> bool:
        """Set the live mark, as the port says."""
        with self._file.writing() as db:
            first = db.execute("UPDATE writer SET begun = 1 WHERE begun = 0").rowcount == 1
            if first:
                self._mark(db, marks)
                db.execute("INSERT INTO live_mark SELECT shard, position FROM marks")
        return first

    def live_mark(self) -> Mapping[str, Position] | None:
        """What ``begin`` was told, as the port says."""
        return self._positions("live_mark")

    def doubt(self, until_us: int) -> None:
        """What happened before ``until_us`` may have been told of, as the port says."""
        with self._file.writing() as db:
            db.execute("UPDATE writer SET doubt_us = max(doubt_us, ?)", (until_us,))
            db.execute(rows.DOUBT)

    def marks(self) -> Mapping[str, Position] | None:
        """How far each shard has been decided, as the port says."""
        return self._positions("marks")

    def commit(self, token: int, marks: Mapping[str, Position], drafts: Sequence[Draft], change: Change) -> int:
        """Keep decisions, what they make of groups, and how far the log was read, as the port says."""
        new = 0
        with self._writing(token, synced=any(draft.fact for draft in drafts)) as db:
            [(doubt_us,)] = db.execute("SELECT doubt_us FROM writer").fetchall()
            for draft in drafts:
                new += self._insert(db, draft, doubt_us)
            self._regroup(db, change)
            self._mark(db, marks)
        return new

    def groups(self) -> Iterator[tuple[Group, Sequence[Member]]]:
        """All groups with their members, as the port says."""
        with self._file.snapshot() as db:
            groups = db.execute("SELECT row FROM groups").fetchall()
            members = db.execute("SELECT row FROM members").fetchall()
        yield from rows.gathered((rows.group_of(row) for (row,) in groups), (rows.member_of(row) for (row,) in members))

    def known(self, event_ids: Collection[str]) -> AbstractSet[str]:
        """Which of these events some notice tells of, as the port says."""
        asked = list(event_ids)
        found: set[str] = set()
        with self._file.snapshot() as db:
            for first in range(0, len(asked), _AT_ONCE):
                some = asked[first : first + _AT_ONCE]
                marks = ", ".join("?" * len(some))
                told = db.execute(f"SELECT DISTINCT event_id FROM told WHERE event_id IN ({marks})", some)  # noqa: S608
                found.update(event_id for (event_id,) in told.fetchall())
        return found

    def crowd(self, channel: str, *, critical: bool) -> Crowd:
        """What waits for a channel, as the port says."""
        with self._file.reading() as db:
            [counted] = db.execute(rows.CROWD, (channel, critical)).fetchall()
        return Crowd(*counted)

    def merge(self, token: int, digest: Notice, now_us: int, *, critical: bool) -> int:
        """Merge what waits into a digest, as the port says."""
        with self._writing(token) as db:
            waiting = self._found(db, rows.MERGING, (digest.channel, critical))
            while waiting and not self._insert(db, Draft(rows.grown(digest, waiting)), 0):
                digest = digest.renumbered()
            for notice in waiting:
                merged = notice.merged(digest.key, now_us)
                self._change(db, notice, merged)
                self._tell(db, facts.merged(merged, time_us=now_us))
        return len(waiting)

    def recover(self, token: int, now_us: int) -> int:
        """Make every ``sending`` notice pending and unsure, as the port says."""
        with self._writing(token) as db:
            return db.execute(rows.RECOVER, (Reason.OUTCOME_UNKNOWN, now_us, now_us)).rowcount

    def due(self, channel: str, now_us: int) -> Notice | None:
        """The first notice that is pending and due, as the port says."""
        with self._file.reading() as db:
            return next(iter(self._found(db, rows.DUE, (channel, now_us))), None)

    def earlier(self, notice: Notice) -> Notice | None:
        """The first pending one of its group before ``notice``, as the port says."""
        with self._file.reading() as db:
            return next(iter(self._found(db, rows.EARLIER, (notice.channel, *notice.key))), None)

    def next_due_us(self, channel: str) -> int | None:
        """When the next pending notice is due, as the port says."""
        with self._file.reading() as db:
            [(due_us,)] = db.execute(
                "SELECT min(due_us) FROM notices WHERE channel = ? AND state = 'pending'", (channel,)
            ).fetchall()
        return None if due_us is None else int(due_us)

    def pace(self, channel: str) -> Pace:
        """How the channel rests, as the port says."""
        with self._file.reading() as db:
            return self._pace(db, channel)

    def intend(self, token: int, notice: Notice, now_us: int) -> Notice:
        """Write down that a request is about to go out, as the port says."""
        after = notice.attempted(now_us)
        with self._writing(token) as db:
            self._change(db, notice, after)
        return after

    def settle(self, token: int, notice: Notice, outcome: Outcome, now_us: int, fact: Envelope | None = None) -> None:
        """Write down what became of a notice, and of its channel, as the port says."""
        with self._writing(token) as db:
            outcome = outcome.unless_retried(self._pace(db, notice.channel), now_us)
            self._change(db, notice, outcome.of(notice, now_us))
            self._set_pace(db, notice.channel, outcome.pace)
            if fact is not None:
                self._tell(db, fact)

    def orphans(self, channels: Collection[str], limit: int) -> list[Notice]:
        """Pending notices to any other channel, as the port says."""
        others = ", ".join("?" * len(channels))
        with self._file.reading() as db:
            where = f"state = 'pending' AND channel NOT IN ({others}) ORDER BY number LIMIT ?"
            return self._found(db, where, (*channels, limit))

    def outbox(self, limit: int) -> list[tuple[int, Envelope]]:
        """Facts to relay, as the port says."""
        with self._file.reading() as db:
            found = db.execute("SELECT number, header, body FROM outbox ORDER BY number LIMIT ?", (limit,)).fetchall()
        return [(number, rows.fact_of(header, body)) for number, header, body in found]

    def relayed(self, numbers: Sequence[int]) -> None:
        """Drop facts from the outbox, as the port says."""
        with self._file.writing() as db:
            db.executemany("DELETE FROM outbox WHERE number = ?", [(number,) for number in numbers])

    def prune(self, token: int, before_us: int, limit: int) -> int:
        """Forget what was settled long ago, as the port says. It is looked for before the writer's turn: it changes no more."""
        with self._file.reading() as db:
            numbers = db.execute(rows.SETTLED_BEFORE, (before_us, limit)).fetchall()
        if numbers:
            with self._writing(token) as db:
                for table in ("told", "notices"):
                    db.executemany(f"DELETE FROM {table} WHERE number = ?", numbers)  # noqa: S608  # constants
        return len(numbers)

    def redrive(self, key: Key | None, now_us: int) -> int:
        """Make dead letters pending again, as the port says."""
        statement, values = (rows.REDRIVE, ()) if key is None else (rows.REDRIVE_ONE, key)
        with self._file.writing() as db:
            return db.execute(statement, (Reason.REDRIVEN, now_us, now_us, *values)).rowcount

    def retry(self, channel: str, now_us: int) -> int:
        """Have a channel tried now, as the port says."""
        with self._file.writing() as db:
            self._set_pace(db, channel, self._pace(db, channel).retried(now_us))
            return db.execute(rows.RETRY, (now_us, channel)).rowcount

    def get(self, key: Key) -> Notice | None:
        """One notice, as the port says."""
        with self._file.reading() as db:
            return next(iter(self._found(db, rows.BY_KEY, tuple(key))), None)

    def notices(self, wanted: Wanted) -> list[Notice]:
        """Notices, the last decided first, as the port says."""
        asked: dict[str, Sequence[Any]] = {
            "state = ?": (wanted.state,) if wanted.state else (),
            "reason = ?": (wanted.reason,) if wanted.reason else (),
            "channel = ?": (wanted.channel,) if wanted.channel else (),
            "number IN (SELECT number FROM told WHERE event_id = ?)": (wanted.event_id,) if wanted.event_id else (),
            f"number < (SELECT number FROM notices WHERE {rows.BY_KEY})": wanted.after or (),  # noqa: S608  # a constant
        }
        given = {where: values for where, values in asked.items() if values}
        where = " AND ".join(("1", *given)) + " ORDER BY number DESC LIMIT ?"
        with self._file.reading() as db:
            return self._found(db, where, (*(value for values in given.values() for value in values), wanted.limit))

    def tallies(self) -> list[Tally]:
        """Counts by channel and state, as the port says."""
        with self._file.reading() as db:
            found = db.execute("SELECT channel, state, count(*) FROM notices GROUP BY channel, state ORDER BY 1, 2").fetchall()
        return [Tally(channel, State(state), count) for channel, state, count in found]

    def _positions(self, table: str) -> dict[str, Position] | None:
        with self._file.snapshot() as db:
            [(begun,)] = db.execute("SELECT begun FROM writer").fetchall()
            found = db.execute(f"SELECT shard, position FROM {table}").fetchall()  # noqa: S608  # a constant
        return {shard: Position.parse(position) for shard, position in found} if begun else None

    @contextmanager
    def _writing(self, token: int, *, synced: bool = True) -> Iterator[sqlite3.Connection]:
        with self._file.writing(synced=synced) as db:
            [(current,)] = db.execute("SELECT token FROM writer").fetchall()
            if current != token:
                message = f"{self._file.path}: another notifier has taken over"
                raise LedgerTaken(message)
            yield db

    @staticmethod
    def _pace(db: sqlite3.Connection, channel: str) -> Pace:
        found = db.execute(rows.PACE, (channel,)).fetchone()
        return Pace() if found is None else Pace(*orjson.loads(found[0]))

    @staticmethod
    def _set_pace(db: sqlite3.Connection, channel: str, pace: Pace) -> None:
        db.execute(rows.SET_PACE, (channel, orjson.dumps(astuple(pace)).decode()))

    @staticmethod
    def _change(db: sqlite3.Connection, before: Notice, after: Notice) -> None:
        done = db.execute(rows.CHANGE, (*rows.row(after), *before.key, before.state, before.attempt))
        if done.rowcount != 1:
            message = f"notice {before.key} is no longer {before.state} at attempt {before.attempt}"
            raise LedgerTaken(message)

    @staticmethod
    def _insert(db: sqlite3.Connection, draft: Draft, doubt_us: int) -> int:
        notice = draft.notice
        if doubt_us and notice.state is State.PENDING and any(cause.time_us < doubt_us for cause in notice.causes):
            notice = replace(notice, unsure=True)
        done = db.execute(rows.INSERT, rows.row(notice))
        if not done.rowcount:
            return 0
        told = [(event_id, done.lastrowid) for event_id in rows.named_by(notice)]
        db.executemany("INSERT INTO told VALUES (?, ?)", told)
        if draft.fact is not None:
            SqliteLedger._tell(db, draft.fact)
        return 1

    @staticmethod
    def _tell(db: sqlite3.Connection, fact: Envelope) -> None:
        db.execute("INSERT INTO outbox (header, body) VALUES (?, ?)", rows.fact_row(fact))

    @staticmethod
    def _mark(db: sqlite3.Connection, marks: Mapping[str, Position]) -> None:
        db.executemany(
            "INSERT INTO marks VALUES (?1, ?2) ON CONFLICT DO UPDATE SET position = ?2",
            [(shard, str(position)) for shard, position in marks.items()],
        )

    @staticmethod
    def _regroup(db: sqlite3.Connection, change: Change) -> None:
        for key, group in change.groups.items():
            if group is None:
                db.execute("DELETE FROM groups WHERE route = ? AND grouping = ?", key)
            else:
                db.execute("INSERT OR REPLACE INTO groups VALUES (?, ?, ?)", (*key, rows.group_row(group)))
        for (key, fingerprint), member in change.members.items():
            if member is None:
                db.execute("DELETE FROM members WHERE route = ? AND grouping = ? AND fingerprint = ?", (*key, fingerprint))
            else:
                made = (*key, fingerprint, rows.member_row(key, member))
                db.execute("INSERT OR REPLACE INTO members VALUES (?, ?, ?, ?)", made)

    @staticmethod
    def _found(db: sqlite3.Connection, where: str, values: Sequence[Any]) -> list[Notice]:
        found = db.execute(f"{rows.SELECT} WHERE {where}", values).fetchall()
        return [rows.notice_of(row) for _, *row in found]
