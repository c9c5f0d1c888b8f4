"""The port of the jobs: where they are kept.

Durability: every method that writes returns after its write is durable, and writes all or nothing.
Workers:    any number; of two that take the same job the later one has it, and the earlier one's writes raise ``JobTaken``.
Errors:     ``JobsUnavailable`` from every method, for the while.
"""

from collections.abc import Sequence
from typing import Protocol

from consumers.jobs.job import Job


class Jobs(Protocol):
    """What every keeper of jobs offers. Methods may be called from several threads and processes at once."""

    def add(self, job: Job) -> None:
        """Keep a new job. One of this id that is there already stays as it is."""
        ...

    def get(self, job_id: str) -> Job | None:
        """A job; None if there is none."""
        ...

    def latest(self, limit: int, before: str = "") -> Sequence[Job]:
        """At most ``limit`` jobs, newest first, without results; only those older than ``before``, an id, if it is given."""
        ...

    def unsettled(self, limit: int = 100) -> Sequence[str]:
        """The ids of jobs that wait or run, oldest first."""
        ...

    def take(self, job_id: str, now_us: int) -> Job | None:
        """Take a job that waits or runs, from whoever had it. None if it is settled, or not there."""
        ...

    def note(self, job: Job, done: int, total: int, now_us: int) -> bool:
        """Tell how far a job is that was taken; whether it is asked to end. Raises ``JobTaken``."""
        ...

    def settle(self, job: Job, now_us: int) -> None:
        """Keep a job that was taken as it is now: its state, result and error. Raises ``JobTaken``, ``JobTooLarge``."""
        ...

    def cancel(self, job_id: str, now_us: int) -> Job | None:
        """Ask a job to end: one that waits ends at once, one that runs when its worker sees it, a settled one stays as it is.

        Returns the job as it then is; None if there is none.
        """
        ...

    def forget(self, before_us: int, limit: int = 100) -> int:
        """Forget jobs that were settled and last changed before this, at most ``limit``; returns how many."""
        ...
