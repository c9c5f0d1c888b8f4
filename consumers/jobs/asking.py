"""How long work is asked for: the job is kept first, then a worker is woken, if it needs to be."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from consumers.jobs.job import Job
from consumers.jobs.port import Jobs


@dataclass(frozen=True, slots=True)
class Asks:
    """The asker's side. ``wake`` is told the id of each new job; without it workers look by themselves."""

    jobs: Jobs
    clock: Callable[[], int]
    new_id: Callable[[], UUID]
    wake: Callable[[str], None] = lambda _: None

    def ask(self, kind: str, parameters: Mapping[str, Any], by: str) -> Job:
        """Ask for work. Raises ``JobsUnavailable``, or what ``wake`` raises; the job may then be kept all the same."""
        now_us = self.clock()
        job = Job(str(self.new_id()), kind, parameters, by, now_us, now_us)
        self.jobs.add(job)
        self.wake(job.id)
        return job
