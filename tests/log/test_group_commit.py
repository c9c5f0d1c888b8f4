"""Group commit: who waits is written together, in order, and gets its own answer or the error of its write."""

from collections.abc import Sequence
from threading import Event, Thread

import pytest

from pipeline.log.group_commit import GroupCommit

PATIENCE_SECONDS = 30.0


class Writes:
    """What was written together. The first write waits until it is let go."""

    def __init__(self, *, failing: bool = False) -> None:
        self.groups: list[list[int]] = []
        self.started = Event()
        self.go_on = Event()
        self.failing = failing

    def __call__(self, requests: Sequence[int]) -> list[int]:
        self.groups.append(list(requests))
        self.started.set()
        assert self.go_on.wait(PATIENCE_SECONDS)
        if self.failing and len(self.groups) == 2:
            message = "disk on fire"
            raise OSError(message)
        return [-request for request in requests]


def submitting(commits: GroupCommit[int, int], request: int, answers: dict[int, object]) -> Thread:
    def submit() -> None:
        try:
            answers[request] = commits.submit(request)
        except OSError as broken:
            answers[request] = broken

    thread = Thread(target=submit, daemon=True)
    thread.start()
    return thread


def waiting(commits: GroupCommit[int, int], count: int) -> None:
    """Return when this many callers wait for the write under way."""
    turns = Event()
    while len(commits._waiting) < count:
        turns.wait(0.001)


def together(writes: Writes) -> dict[int, object]:
    """Submit 1, and while it is being written 2, 3 and 4."""
    commits = GroupCommit(writes)
    answers: dict[int, object] = {}
    threads = [submitting(commits, 1, answers)]
    assert writes.started.wait(PATIENCE_SECONDS)
    for number, request in enumerate([2, 3, 4]):
        threads.append(submitting(commits, request, answers))
        waiting(commits, number + 1)
    writes.go_on.set()
    for thread in threads:
        thread.join(PATIENCE_SECONDS)
    assert commits.submit(9) == -9
    return answers


def test_who_waits_is_written_together_in_order() -> None:
    writes = Writes()

    answers = together(writes)

    assert writes.groups == [[1], [2, 3, 4], [9]]
    assert answers == {1: -1, 2: -2, 3: -3, 4: -4}


def test_an_error_reaches_all_of_its_group_and_nobody_else() -> None:
    writes = Writes(failing=True)

    answers = together(writes)

    assert answers[1] == -1
    assert {"disk on fire"} == {str(answers[request]) for request in (2, 3, 4)}
    assert writes.groups[-1] == [9]


def test_an_answer_may_be_empty() -> None:
    commits: GroupCommit[int, list[int]] = GroupCommit(lambda requests: [[] for _ in requests])

    assert commits.submit(1) == []


def test_a_write_that_answers_too_few_is_an_error() -> None:
    commits: GroupCommit[int, int] = GroupCommit(lambda _: [])

    with pytest.raises(ValueError, match="shorter"):
        commits.submit(1)
