"""What every keeper of jobs promises."""

from dataclasses import replace
from random import Random

import pytest

from consumers.jobs.dynamodb import DynamoJobs
from consumers.jobs.errors import JobTaken, JobTooLarge
from consumers.jobs.job import Job, State
from consumers.jobs.port import Jobs
from tests.jobs.asked import NOW_US, asked


def taken(jobs: Jobs, job: Job) -> Job:
    found = jobs.take(job.id, NOW_US + 1)
    assert found is not None
    return found


def test_a_job_is_kept_as_it_was_asked(jobs: Jobs) -> None:
    jobs.add(asked())

    assert jobs.get(asked().id) == asked()
    assert jobs.get(asked(2).id) is None


def test_a_job_that_is_there_stays_as_it_is(jobs: Jobs) -> None:
    jobs.add(asked())
    jobs.add(asked(kind="other"))

    assert jobs.get(asked().id) == asked()


def test_the_latest_are_listed_first_and_page_by_page(jobs: Jobs) -> None:
    for number in (2, 1, 4, 3):
        jobs.add(asked(number))

    assert jobs.latest(3) == [asked(4), asked(3), asked(2)]
    assert jobs.latest(3, before=asked(2).id) == [asked(1)]


def test_what_waits_or_runs_is_unsettled_oldest_first(jobs: Jobs) -> None:
    for number in (3, 1, 2):
        jobs.add(asked(number))
    jobs.take(asked(2).id, NOW_US)
    jobs.cancel(asked(3).id, NOW_US)

    assert list(jobs.unsettled()) == [asked(1).id, asked(2).id]
    assert list(jobs.unsettled(1)) == [asked(1).id]


def test_a_job_is_taken_and_taken_over(jobs: Jobs) -> None:
    jobs.add(asked())

    first, second = taken(jobs, asked()), taken(jobs, asked())

    assert (first.state, first.turn, second.turn) == (State.RUNNING, 1, 2)
    with pytest.raises(JobTaken):
        jobs.note(first, 1, 2, NOW_US)
    with pytest.raises(JobTaken):
        jobs.settle(replace(first, state=State.DONE, result={}), NOW_US)
    assert jobs.get(asked().id) == second


def test_what_is_settled_or_not_there_is_not_taken(jobs: Jobs) -> None:
    jobs.add(asked())
    jobs.cancel(asked().id, NOW_US)

    assert jobs.take(asked().id, NOW_US) is None
    assert jobs.take(asked(2).id, NOW_US) is None


def test_progress_is_kept_and_says_whether_to_end(jobs: Jobs) -> None:
    jobs.add(asked())
    job = taken(jobs, asked())

    assert jobs.note(job, 3, 10, NOW_US + 2) is False
    cancelled = jobs.cancel(job.id, NOW_US + 3)

    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelling, cancelled.done, cancelled.total) == (State.RUNNING, True, 3, 10)
    assert jobs.note(job, 4, 10, NOW_US + 4) is True
    assert taken(jobs, job).cancelling


def test_the_result_is_kept_with_the_end(jobs: Jobs) -> None:
    jobs.add(asked())
    job = taken(jobs, asked())

    jobs.settle(replace(job, state=State.DONE, result={"found": [1, 2]}, done=5, total=5), NOW_US + 9)

    found = jobs.get(job.id)
    assert found is not None
    assert (found.state, found.result, found.done, found.changed_us) == (State.DONE, {"found": [1, 2]}, 5, NOW_US + 9)
    assert jobs.latest(1)[0].result is None


def test_a_failure_is_kept_with_what_went_wrong(jobs: Jobs) -> None:
    jobs.add(asked())
    job = taken(jobs, asked())

    jobs.settle(replace(job, state=State.FAILED, error="no such rule"), NOW_US)

    found = jobs.get(job.id)
    assert found is not None
    assert (found.state, found.error, found.result) == (State.FAILED, "no such rule", None)


def test_cancelling_what_is_settled_or_not_there_changes_nothing(jobs: Jobs) -> None:
    jobs.add(asked())
    jobs.settle(replace(taken(jobs, asked()), state=State.FAILED, error="it broke"), NOW_US)

    cancelled = jobs.cancel(asked().id, NOW_US + 5)

    assert cancelled is not None
    assert (cancelled.state, cancelled.cancelling) == (State.FAILED, False)
    assert jobs.cancel(asked(2).id, NOW_US) is None


def test_old_jobs_are_forgotten_but_those_that_wait_or_run(jobs: Jobs) -> None:
    for number in (1, 2, 3):
        jobs.add(asked(number))
    jobs.cancel(asked(1).id, NOW_US)
    jobs.cancel(asked(2).id, NOW_US + 100)

    assert jobs.forget(NOW_US + 50) == 1
    assert [job.id for job in jobs.latest(9)] == [asked(3).id, asked(2).id]


def test_a_result_that_is_too_large_for_an_item_is_refused(jobs: Jobs) -> None:
    if not isinstance(jobs, DynamoJobs):
        return
    jobs.add(asked())

    with pytest.raises(JobTooLarge, match="Ask for less"):
        jobs.settle(replace(taken(jobs, asked()), state=State.DONE, result={"x": Random(1).randbytes(500_000).hex()}), NOW_US)
