"""Jobs in a dictionary."""

from collections.abc import Sequence
from dataclasses import replace

from consumers.jobs.errors import JobTaken
from consumers.jobs.job import Job, State


class MemoryJobs:
    """The port."""

    def __init__(self) -> None:
        self.kept: dict[str, Job] = {}

    def close(self) -> None:
        pass

    def add(self, job: Job) -> None:
        self.kept.setdefault(job.id, job)

    def get(self, job_id: str) -> Job | None:
        return self.kept.get(job_id)

    def latest(self, limit: int, before: str = "") -> Sequence[Job]:
        newest = sorted(self.kept, reverse=True)
        return [replace(self.kept[job_id], result=None) for job_id in newest if not before or job_id < before][:limit]

    def unsettled(self, limit: int = 100) -> Sequence[str]:
        return sorted(job.id for job in self.kept.values() if not job.state.settled)[:limit]

    def take(self, job_id: str, now_us: int) -> Job | None:
        job = self.kept.get(job_id)
        if job is None or job.state.settled:
            return None
        self.kept[job_id] = replace(job, state=State.RUNNING, turn=job.turn + 1, changed_us=now_us)
        return self.kept[job_id]

    def note(self, job: Job, done: int, total: int, now_us: int) -> bool:
        there = self._mine(job)
        self.kept[job.id] = replace(there, done=done, total=total, changed_us=now_us)
        return there.cancelling

    def settle(self, job: Job, now_us: int) -> None:
        there = self._mine(job)
        self.kept[job.id] = replace(job, changed_us=now_us, cancelling=there.cancelling)

    def cancel(self, job_id: str, now_us: int) -> Job | None:
        job = self.kept.get(job_id)
        if job and not job.state.settled:
            state = State.CANCELLED if job.state is State.WAITING else job.state
            self.kept[job_id] = replace(job, state=state, cancelling=True, changed_us=now_us)
        return self.kept.get(job_id)

    def forget(self, before_us: int, limit: int = 100) -> int:
        old = [job.id for job in self.kept.values() if job.state.settled and job.changed_us < before_us][:limit]
        for job_id in old:
            del self.kept[job_id]
        return len(old)

    def _mine(self, job: Job) -> Job:
        there = self.kept[job.id]
        if there.turn != job.turn or there.state is not State.RUNNING:
            raise JobTaken
        return there
