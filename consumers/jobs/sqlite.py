"""Jobs in one SQLite file, as the port says."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import orjson

from consumers.jobs.errors import JobsUnavailable, JobsUnreadable, JobTaken
from consumers.jobs.job import Job, State
from pipeline.sqlite_file import Connect, Errors, Schema, SqliteFile, connect

_ERRORS: Final = Errors(JobsUnavailable, JobsUnavailable, JobsUnreadable)
_TABLES: Final = (
    """CREATE TABLE job(
      id TEXT PRIMARY KEY, kind TEXT NOT NULL, parameters BLOB NOT NULL, asked_by TEXT NOT NULL, asked_us INTEGER NOT NULL,
      changed_us INTEGER NOT NULL, state TEXT NOT NULL, turn INTEGER NOT NULL, done INTEGER NOT NULL, total INTEGER NOT NULL,
      cancelling INTEGER NOT NULL, result BLOB, error TEXT NOT NULL
    ) WITHOUT ROWID""",
    "CREATE INDEX job_unsettled ON job(id) WHERE state IN ('waiting', 'running')",
)
_SCHEMA: Final = Schema(0x66736A62, 1, _TABLES)  # "fsjb" in ASCII
_BRIEF: Final = "id, kind, parameters, asked_by, asked_us, changed_us, state, turn, done, total, cancelling, NULL, error"
_WHOLE: Final = _BRIEF.replace("NULL", "result")
_TAKE: Final = f"""UPDATE job SET state = 'running', turn = turn + 1, changed_us = ?
WHERE id = ? AND state IN ('waiting', 'running') RETURNING {_WHOLE}"""  # noqa: S608  # constants


class SqliteJobs:
    """The port of the jobs on the file at ``path``, which is made if it is missing.

    Raises ``JobsUnavailable``, ``JobsUnreadable``, or ``UnknownFormat`` if the file holds no jobs of this build.
    """

    def __init__(self, path: Path, *, connect: Connect = connect) -> None:
        self._file = SqliteFile(path, _SCHEMA, _ERRORS, connect=connect)

    def close(self) -> None:
        """Let the file go. Later calls raise ``JobsUnavailable``."""
        self._file.close()

    def add(self, job: Job) -> None:
        """Keep a new job, as the port says."""
        with self._file.writing() as db:
            db.execute("INSERT OR IGNORE INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", _row(job))

    def get(self, job_id: str) -> Job | None:
        """A job, as the port says."""
        with self._file.snapshot() as db:
            row = db.execute(f"SELECT {_WHOLE} FROM job WHERE id = ?", (job_id,)).fetchone()  # noqa: S608  # constants
        return _job(row) if row else None

    def latest(self, limit: int, before: str = "") -> Sequence[Job]:
        """Jobs, newest first, as the port says."""
        older = "WHERE id < ?" if before else "WHERE ? = ''"
        with self._file.snapshot() as db:
            rows = db.execute(f"SELECT {_BRIEF} FROM job {older} ORDER BY id DESC LIMIT ?", (before, limit)).fetchall()  # noqa: S608
        return list(map(_job, rows))

    def unsettled(self, limit: int = 100) -> Sequence[str]:
        """What waits or runs, as the port says."""
        with self._file.snapshot() as db:
            found = "SELECT id FROM job WHERE state IN ('waiting', 'running') ORDER BY id LIMIT ?"
            return [job_id for (job_id,) in db.execute(found, (limit,)).fetchall()]

    def take(self, job_id: str, now_us: int) -> Job | None:
        """Take a job, as the port says."""
        with self._file.writing() as db:
            row = db.execute(_TAKE, (now_us, job_id)).fetchone()
        return _job(row) if row else None

    def note(self, job: Job, done: int, total: int, now_us: int) -> bool:
        """Tell how far a job is, as the port says."""
        with self._file.writing() as db:
            row = db.execute(
                "UPDATE job SET done = ?, total = ?, changed_us = ? WHERE id = ? AND turn = ? AND state = 'running'"
                " RETURNING cancelling",
                (done, total, now_us, job.id, job.turn),
            ).fetchone()
        if row is None:
            raise _taken(job)
        return bool(row[0])

    def settle(self, job: Job, now_us: int) -> None:
        """Keep what became of a job, as the port says."""
        with self._file.writing() as db:
            written = db.execute(
                "UPDATE job SET state = ?, result = ?, error = ?, done = ?, total = ?, changed_us = ?"
                " WHERE id = ? AND turn = ? AND state = 'running'",
                (job.state, _packed(job.result), job.error, job.done, job.total, now_us, job.id, job.turn),
            ).rowcount
        if not written:
            raise _taken(job)

    def cancel(self, job_id: str, now_us: int) -> Job | None:
        """Ask a job to end, as the port says."""
        with self._file.writing() as db:
            db.execute(
                "UPDATE job SET cancelling = 1, changed_us = ?, state = iif(state = 'waiting', 'cancelled', state)"
                " WHERE id = ? AND state IN ('waiting', 'running')",
                (now_us, job_id),
            )
        return self.get(job_id)

    def forget(self, before_us: int, limit: int = 100) -> int:
        """Forget old jobs, as the port says."""
        with self._file.writing() as db:
            return db.execute(
                "DELETE FROM job WHERE id IN (SELECT id FROM job WHERE changed_us < ?"
                " AND state NOT IN ('waiting', 'running') LIMIT ?)",
                (before_us, limit),
            ).rowcount


def _row(job: Job) -> tuple[Any, ...]:
    return (
        *(job.id, job.kind, orjson.dumps(job.parameters), job.by, job.asked_us, job.changed_us, job.state.value),
        *(job.turn, job.done, job.total, job.cancelling, _packed(job.result), job.error),
    )


def _packed(result: Any) -> bytes | None:
    return None if result is None else orjson.dumps(result)


def _job(row: tuple[Any, ...]) -> Job:
    job_id, kind, parameters, by, asked_us, changed_us, state, turn, done, total, cancelling, result, error = row
    job = Job(job_id, kind, orjson.loads(parameters), by, asked_us, changed_us, State(state), turn, done, total)
    return replace(job, cancelling=bool(cancelling), result=orjson.loads(result) if result else None, error=error)


def _taken(job: Job) -> JobTaken:
    return JobTaken(f"job {job.id} was taken by another worker, or is settled")
