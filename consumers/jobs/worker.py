"""A worker: takes a job, does it, keeps what came of it.

Killed:   a job whose worker died is still running; whoever takes it next does it from its beginning. So a kind's work may be done
          twice: what it changes must be the same the second time.
Ended:    a worker that is told to stop lets its job wait for the next one.
Progress: told at most once a second, and so is heard that somebody cancelled.
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from threading import Event
from typing import Any, Final

from consumers.errors import ConsumerError
from consumers.jobs.errors import JobsUnavailable, JobTaken, JobTooLarge
from consumers.jobs.job import Job, State
from consumers.jobs.port import Jobs
from consumers.notifier.errors import NotifierError
from consumers.rules.errors import RulesError
from consumers.rules.history.errors import Cancelled
from consumers.rules.history.lockstep import Progress, Watch
from pipeline.errors import PipelineError
from projections.errors import ProjectionError
from schemas.identity import MICROSECONDS

KEPT_US: Final = 30 * 86_400 * MICROSECONDS
"""How long what became of a job can be asked for."""

Work = Callable[[Job, Watch], Mapping[str, Any]]
"""Does a job of one kind; returns its result. Raises ``Cancelled`` soon after the watch says so."""
MOST_TURNS: Final = 10
"""How often a job is taken before it is given up: a defect that ends its worker would come again."""
_NOTED_EVERY_US: Final = MICROSECONDS
_LOOK_SECONDS: Final = 0.5
_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Worker:
    """Does jobs of these kinds. ``clock`` gives microseconds since the epoch; ``ending`` says that the worker is to stop.

    ``undone``: why a job fails that is not done then, though it had all of this worker's time; without it, or if others were done
    before it, the job waits for the next worker.
    """

    jobs: Jobs
    kinds: Mapping[str, Work]
    clock: Callable[[], int]
    ending: Callable[[], bool] = lambda: False
    undone: str = ""

    def do(self, job_id: str, *, first: bool = True) -> Job | None:
        """Do a job to its end, the ``first`` of this worker's or a later one.

        Returns the job as it then is, None if it was settled, was taken from this worker, or is left to the next.
        Raises ``JobsUnavailable``; the job is then still running, for whoever takes it next.
        """
        job = self.jobs.take(job_id, self.clock())
        if job is None:
            return None
        watch = _Watching(self, job)
        try:
            return self._settled(self._done(job, watch, first=first), watch)
        except JobTaken as taken:
            _logger.warning("%s", taken)
        return None

    def _done(self, job: Job, watch: "_Watching", *, first: bool) -> Job:
        work = self.kinds.get(job.kind)
        if work is None:
            return replace(job, state=State.FAILED, error=f"no worker here knows jobs of kind {job.kind}")
        if job.turn > MOST_TURNS:
            return replace(job, state=State.FAILED, error=f"its worker ended {MOST_TURNS} times before it was done; see the logs")
        try:
            result = work(job, Watch(watch.told, watch.cancelled))
        except Cancelled:
            return self._left(job, first=first) if watch.ended else replace(job, state=State.CANCELLED)
        except (JobTaken, JobsUnavailable):
            raise
        except (ConsumerError, PipelineError, ProjectionError, NotifierError, RulesError) as broken:
            return replace(job, state=State.FAILED, error=str(broken) or type(broken).__name__)
        return replace(job, state=State.DONE, result=result)

    def _left(self, job: Job, *, first: bool) -> Job:
        """A job that this worker is not to finish."""
        return replace(job, state=State.FAILED, error=self.undone) if self.undone and first else job

    def _settled(self, job: Job, watch: "_Watching") -> Job | None:
        """Keep what became of it; of one that this worker leaves undone there is nothing to keep."""
        if not job.state.settled:
            return None
        told = replace(job, done=watch.progress.done, total=watch.progress.total)
        try:
            self.jobs.settle(told, self.clock())
        except JobTooLarge as large:
            told = replace(told, state=State.FAILED, result=None, error=str(large))
            self.jobs.settle(told, self.clock())
        return told

    def drain(self) -> int:
        """Do what is asked, oldest first, until there is nothing or the worker is to stop; returns how many jobs were settled."""
        settled = 0
        while not self.ending() and (waiting := self.jobs.unsettled(1)):
            settled += self.do(waiting[0], first=not settled) is not None
        self.jobs.forget(self.clock() - KEPT_US)
        return settled

    def run(self, stop: Event) -> None:
        """Do what is asked, oldest first, until ``stop`` is set. Outages are waited for."""
        while not stop.is_set():
            try:
                self.drain()
                stop.wait(_LOOK_SECONDS)
            except JobsUnavailable as broken:
                _logger.warning("waiting: %s", broken)
                stop.wait(_LOOK_SECONDS)


class _Watching:
    """Passes progress on, now and then, and hears whether the job is to end."""

    def __init__(self, worker: Worker, job: Job) -> None:
        self._worker = worker
        self._job = job
        self._noted_us = 0
        self._cancelling = job.cancelling
        self.progress = Progress(0, 0)
        self.ended = False

    def told(self, progress: Progress) -> None:
        self.progress = progress
        now_us = self._worker.clock()
        if now_us - self._noted_us >= _NOTED_EVERY_US:
            self._noted_us = now_us
            self._cancelling = self._worker.jobs.note(self._job, progress.done, progress.total, now_us) or self._cancelling

    def cancelled(self) -> bool:
        self.ended = not self._cancelling and self._worker.ending()
        return self._cancelling or self.ended
