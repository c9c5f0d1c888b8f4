"""Jobs in the DynamoDB table of everything else, as the port says.

Layout: ``jobs``/id is a job, ``jobs#result``/id its result, packed. Both have a TTL; ``forget`` is for who will not wait for it.
Writes: conditional on the turn, decided anew where somebody else was first.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from time import sleep
from typing import Any, Final

import orjson
import zstandard

from consumers.jobs.errors import JobsUnavailable, JobTaken, JobTooLarge
from consumers.jobs.job import Job, State
from pipeline.dynamodb_table import MOST_ITEM_BYTES, Item, Key, Refused, Table, delete, put, update
from schemas.identity import MICROSECONDS

KEPT_SECONDS: Final = 30 * 86_400
MOST_RESULT_BYTES: Final = MOST_ITEM_BYTES - 4096

_JOBS: Final = "jobs"
_RESULTS: Final = "jobs#result"
_SAME: Final = "#turn = :turn AND #state = :running"
_FIRST_PAGE: Final = 100


class DynamoJobs:
    """The port of the jobs on the table of this name. ``dice`` spreads retries."""

    def __init__(self, client: Any, table: str, *, dice: Random, pause: Callable[[float], None] = sleep) -> None:
        self._table = Table(client, table, JobsUnavailable, dice=dice, pause=pause)

    def close(self) -> None:
        """Nothing is held open."""

    def add(self, job: Job) -> None:
        """Keep a new job, as the port says."""
        try:
            self._table.write(put(Key(_JOBS, job.id), _item(job), "attribute_not_exists(pk)"))
        except Refused:
            return

    def get(self, job_id: str) -> Job | None:
        """A job, as the port says."""
        job = self._brief(job_id)
        if job is None or job.state is not State.DONE:
            return job
        kept = self._table.get(Key(_RESULTS, job_id))
        return replace(job, result=orjson.loads(zstandard.decompress(bytes(kept["result"])))) if kept else job  # type: ignore[arg-type]

    def latest(self, limit: int, before: str = "") -> Sequence[Job]:
        """Jobs, newest first, as the port says."""
        found = self._table.query(_JOBS, high=before, descending=True, first_page=limit)
        return [_job(item) for item, _ in zip(found, range(limit), strict=False)]

    def unsettled(self, limit: int = 100) -> Sequence[str]:
        """What waits or runs, as the port says."""
        jobs = map(_job, self._table.query(_JOBS, first_page=_FIRST_PAGE))
        return [job.id for job in jobs if not job.state.settled][:limit]

    def take(self, job_id: str, now_us: int) -> Job | None:
        """Take a job, as the port says."""
        while (job := self._brief(job_id)) is not None and not job.state.settled:
            taken = replace(job, state=State.RUNNING, turn=job.turn + 1, changed_us=now_us)
            if self._changed(
                job, "SET #state = :new, #turn = :next, #changed = :now", new=taken.state, next=taken.turn, now=now_us
            ):
                return replace(taken, cancelling=job.cancelling)
        return None

    def note(self, job: Job, done: int, total: int, now_us: int) -> bool:
        """Tell how far a job is, as the port says."""
        values: dict[str, str | int | bytes] = {
            "done": done,
            "total": total,
            "now": now_us,
            "turn": job.turn,
            "running": State.RUNNING.value,
        }
        try:
            self._table.write(update(Key(_JOBS, job.id), "SET #done = :done, #total = :total, #changed = :now", _SAME, values))
        except Refused:
            raise _taken(job) from None
        there = self._brief(job.id)
        return there is not None and there.cancelling

    def settle(self, job: Job, now_us: int) -> None:
        """Keep what became of a job, as the port says."""
        if job.result is not None:
            packed = zstandard.compress(orjson.dumps(job.result))
            if len(packed) > MOST_RESULT_BYTES:
                message = f"the result is {len(packed):,} bytes packed; at most {MOST_RESULT_BYTES:,} can be kept. Ask for less"
                raise JobTooLarge(message)
            self._table.write(put(Key(_RESULTS, job.id), {"result": packed, "expires": _expires(now_us)}))
        values: dict[str, str | int | bytes] = {
            "state": job.state.value,
            "error": job.error,
            "done": job.done,
            "total": job.total,
            "now": now_us,
            "expires": _expires(now_us),
            "turn": job.turn,
            "running": State.RUNNING.value,
        }
        change = "SET #state = :state, #error = :error, #done = :done, #total = :total, #changed = :now, #expires = :expires"
        try:
            self._table.write(update(Key(_JOBS, job.id), change, _SAME, values))
        except Refused:
            raise _taken(job) from None

    def cancel(self, job_id: str, now_us: int) -> Job | None:
        """Ask a job to end, as the port says."""
        while (job := self._brief(job_id)) is not None and not job.state.settled:
            state = State.CANCELLED if job.state is State.WAITING else job.state
            if self._changed(job, "SET #cancelling = :one, #state = :new, #changed = :now", one=1, new=state, now=now_us):
                break
        return self.get(job_id)

    def forget(self, before_us: int, limit: int = 100) -> int:
        """Forget old jobs, as the port says."""
        jobs = map(_job, self._table.query(_JOBS, first_page=_FIRST_PAGE))
        old = [job.id for job in jobs if job.state.settled and job.changed_us < before_us][:limit]
        for job_id in old:
            self._table.write(delete(Key(_RESULTS, job_id)))
            self._table.write(delete(Key(_JOBS, job_id)))
        return len(old)

    def _brief(self, job_id: str) -> Job | None:
        item = self._table.get(Key(_JOBS, job_id))
        return _job(item) if item else None

    def _changed(self, job: Job, change: str, **values: str | int) -> bool:
        """Change a job if it is still as it was read; whether it was."""
        same = "#turn = :turn AND #state = :state"
        try:
            self._table.write(update(Key(_JOBS, job.id), change, same, {"turn": job.turn, "state": job.state.value, **values}))
        except Refused:
            return False
        return True


def _item(job: Job) -> Item:
    return {
        "kind": job.kind,
        "parameters": orjson.dumps(job.parameters),
        "by": job.by,
        "asked": job.asked_us,
        "changed": job.changed_us,
        "state": job.state.value,
        "turn": job.turn,
        "done": job.done,
        "total": job.total,
        "cancelling": int(job.cancelling),
        "error": job.error,
        "expires": _expires(job.asked_us),
    }


def _job(item: Item) -> Job:
    return Job(
        id=str(item["sk"]),
        kind=str(item["kind"]),
        parameters=orjson.loads(bytes(item["parameters"])),  # type: ignore[arg-type]
        by=str(item["by"]),
        asked_us=int(item["asked"]),
        changed_us=int(item["changed"]),
        state=State(str(item["state"])),
        turn=int(item["turn"]),
        done=int(item["done"]),
        total=int(item["total"]),
        cancelling=bool(item["cancelling"]),
        error=str(item["error"]),
    )


def _expires(time_us: int) -> int:
    return time_us // MICROSECONDS + KEPT_SECONDS


def _taken(job: Job) -> JobTaken:
    return JobTaken(f"job {job.id} was taken by another worker, or is settled")
