"""A worker does what is asked, oldest first, tells how far it is, and leaves nothing half said."""

from collections.abc import Mapping
from dataclasses import replace
from threading import Event
from typing import Any

import pytest

from consumers.jobs.errors import JobsUnavailable, JobTooLarge
from consumers.jobs.job import Job, State
from consumers.jobs.worker import KEPT_US, MOST_TURNS, Worker
from consumers.rules.history.errors import Cancelled, RuleUnknown
from consumers.rules.history.lockstep import Progress, Watch
from tests.jobs.asked import NOW_US, asked
from tests.jobs.memory import MemoryJobs


class Clock:
    def __init__(self) -> None:
        self.now_us = NOW_US

    def __call__(self) -> int:
        return self.now_us


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def jobs() -> MemoryJobs:
    return MemoryJobs()


@pytest.fixture
def worker(jobs: MemoryJobs, clock: Clock) -> Worker:
    def count(job: Job, watch: Watch) -> Mapping[str, Any]:
        """Counts to what is asked, a second each."""
        for number in range(job.parameters["to"]):
            if watch.cancelled():
                raise Cancelled
            clock.now_us += 1_000_000
            watch.on_progress(Progress(number + 1, job.parameters["to"]))
        return {"counted": job.parameters["to"]}

    return Worker(jobs, {"count": count}, clock)


def test_a_job_is_done_and_its_result_kept(jobs: MemoryJobs, worker: Worker) -> None:
    jobs.add(asked(3))

    done = worker.do(asked(3).id)

    assert done is not None
    assert (done.state, done.result, done.done, done.total) == (State.DONE, {"counted": 3}, 3, 3)
    assert jobs.get(done.id) == replace(done, changed_us=NOW_US + 3_000_000)


def test_what_is_settled_is_not_done_again(jobs: MemoryJobs, worker: Worker) -> None:
    jobs.add(asked(3))
    worker.do(asked(3).id)

    assert worker.do(asked(3).id) is None


def test_jobs_are_done_oldest_first(jobs: MemoryJobs, worker: Worker) -> None:
    for number in (2, 1, 3):
        jobs.add(asked(number))

    assert worker.drain() == 3
    assert sorted(jobs.kept.values(), key=lambda job: job.changed_us) == [jobs.get(asked(n).id) for n in (1, 2, 3)]


def test_progress_is_told_at_most_once_a_second(jobs: MemoryJobs, clock: Clock) -> None:
    told: list[int] = []

    def work(_: Job, watch: Watch) -> Mapping[str, Any]:
        for number in range(40):
            clock.now_us += 100_000
            watch.on_progress(Progress(number, 40))
            told.append(jobs.kept[asked().id].done)
        return {}

    jobs.add(asked())
    Worker(jobs, {"count": work}, clock).do(asked().id)

    assert len(set(told)) == 4


def test_a_job_that_is_cancelled_ends_and_says_so(jobs: MemoryJobs, worker: Worker, clock: Clock) -> None:
    jobs.add(asked(3))
    started = worker.kinds["count"]

    def cancelled_on_the_way(job: Job, watch: Watch) -> Mapping[str, Any]:
        jobs.cancel(job.id, clock())
        return started(job, watch)

    done = replace(worker, kinds={"count": cancelled_on_the_way}).do(asked(3).id)

    assert done is not None
    assert (done.state, done.done, done.result) == (State.CANCELLED, 1, None)


def test_what_breaks_is_kept_in_words(jobs: MemoryJobs, clock: Clock) -> None:
    def work(_: Job, __: Watch) -> Mapping[str, Any]:
        message = "no rule storm was ever published"
        raise RuleUnknown(message)

    jobs.add(asked())

    done = Worker(jobs, {"count": work}, clock).do(asked().id)

    assert done is not None
    assert (done.state, done.error) == (State.FAILED, "no rule storm was ever published")


def test_a_kind_that_nobody_knows_fails(jobs: MemoryJobs, worker: Worker) -> None:
    jobs.add(asked(kind="dance"))

    done = worker.do(asked().id)

    assert done is not None
    assert done.error == "no worker here knows jobs of kind dance"


def test_a_job_whose_workers_die_is_given_up(jobs: MemoryJobs, worker: Worker) -> None:
    jobs.add(asked(turn=MOST_TURNS))

    done = worker.do(asked().id)

    assert done is not None
    assert "ended 10 times" in done.error


def test_a_job_whose_worker_died_is_taken_by_the_next(jobs: MemoryJobs, worker: Worker, clock: Clock) -> None:
    def die(_: Job, __: Watch) -> Mapping[str, Any]:
        raise ZeroDivisionError

    jobs.add(asked(2))
    with pytest.raises(ZeroDivisionError):
        Worker(jobs, {"count": die}, clock).do(asked(2).id)

    assert worker.drain() == 1
    done = jobs.get(asked(2).id)
    assert done is not None
    assert (done.state, done.turn) == (State.DONE, 2)


def test_who_was_overtaken_keeps_nothing(jobs: MemoryJobs, worker: Worker) -> None:
    started = worker.kinds["count"]

    def overtaken(job: Job, watch: Watch) -> Mapping[str, Any]:
        jobs.take(job.id, NOW_US)
        return started(job, watch)

    jobs.add(asked(2))

    assert replace(worker, kinds={"count": overtaken}).do(asked(2).id) is None
    assert jobs.kept[asked(2).id].state is State.RUNNING


def test_a_worker_that_is_to_stop_lets_its_job_wait(jobs: MemoryJobs, worker: Worker) -> None:
    answers = iter([False, False, True, True])
    jobs.add(asked(5))

    assert replace(worker, ending=lambda: next(answers)).drain() == 0
    assert jobs.kept[asked(5).id].state is State.RUNNING
    assert worker.drain() == 1


def test_a_worker_without_a_next_one_says_why_it_is_undone(jobs: MemoryJobs, worker: Worker) -> None:
    answers = iter([False, False, True, True])
    jobs.add(asked(5))

    assert replace(worker, ending=lambda: next(answers), undone="too long").drain() == 1
    assert (jobs.kept[asked(5).id].state, jobs.kept[asked(5).id].error) == (State.FAILED, "too long")


def test_a_job_that_began_after_others_waits_for_a_worker_with_more_time(jobs: MemoryJobs, worker: Worker) -> None:
    jobs.add(asked(1))
    jobs.add(asked(5))

    def ending() -> bool:
        return jobs.kept[asked(5).id].turn > 0

    assert replace(worker, ending=ending, undone="too long").drain() == 1
    assert (jobs.kept[asked(1).id].state, jobs.kept[asked(5).id].state) == (State.DONE, State.RUNNING)
    assert worker.drain() == 1
    assert jobs.kept[asked(5).id].state == State.DONE


def test_a_result_that_cannot_be_kept_fails_the_job(jobs: MemoryJobs, worker: Worker) -> None:
    settle = jobs.settle

    def picky(job: Job, now_us: int) -> None:
        if job.result is not None:
            message = "ask for less"
            raise JobTooLarge(message)
        settle(job, now_us)

    jobs.settle = picky  # type: ignore[method-assign]
    jobs.add(asked(1))

    done = worker.do(asked(1).id)

    assert done is not None
    assert (done.state, done.error, done.result) == (State.FAILED, "ask for less", None)


def test_old_jobs_are_forgotten(jobs: MemoryJobs, worker: Worker, clock: Clock) -> None:
    jobs.add(asked(1))
    worker.drain()
    clock.now_us += KEPT_US + 2_000_000

    worker.drain()

    assert not jobs.kept


def test_a_worker_waits_for_outages_and_ends_when_told(jobs: MemoryJobs, worker: Worker) -> None:
    stop = Event()
    unsettled = jobs.unsettled
    calls: list[int] = []

    def flaky(limit: int = 100) -> Any:
        calls.append(1)
        if len(calls) == 1:
            message = "locked"
            raise JobsUnavailable(message)
        if not unsettled(limit):
            stop.set()
        return unsettled(limit)

    jobs.unsettled = flaky  # type: ignore[method-assign]
    jobs.add(asked(1))

    worker.run(stop)

    assert jobs.kept[asked(1).id].state is State.DONE
