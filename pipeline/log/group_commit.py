"""Several callers, one commit: who comes while a commit is under way waits, and is written with the next one.

Order:    requests are written in the order in which they came.
Outcome:  each caller gets the answer to its own request, or the error of the write that it was part of.
Fairness: the first of those who waited leads the next commit, so nobody waits for more than two.
"""

from collections.abc import Callable, Sequence
from threading import Event, Lock
from typing import Generic, TypeVar

Request = TypeVar("Request")
Answer = TypeVar("Answer")


class _Caller(Generic[Request, Answer]):
    """A caller with its request. ``woken`` once it has an answer or an error; without either it is to lead."""

    def __init__(self, request: Request) -> None:
        self.request = request
        self.answers: list[Answer] = []
        self.error: BaseException | None = None
        self.woken = Event()


class GroupCommit(Generic[Request, Answer]):
    """Turns the calls of many threads into few calls of ``write``, which answers all requests in order, or raises for all."""

    def __init__(self, write: Callable[[Sequence[Request]], Sequence[Answer]]) -> None:
        self._write = write
        self._lock = Lock()
        self._waiting: list[_Caller[Request, Answer]] = []
        self._led = False

    def submit(self, request: Request) -> Answer:
        """Have ``request`` written, alone or with others; returns its answer, or raises what ``write`` raised."""
        caller: _Caller[Request, Answer] = _Caller(request)
        with self._lock:
            self._waiting.append(caller)
            leads, self._led = not self._led, True
        if not leads:
            caller.woken.wait()
        if not caller.answers and caller.error is None:
            self._lead()
        if caller.error is not None:
            raise caller.error
        return caller.answers[0]

    def _lead(self) -> None:
        """Write everything that waits, wake those who asked for it, and hand the lead to the first who came meanwhile."""
        with self._lock:
            group, self._waiting = self._waiting, []
        try:
            answers = self._write([caller.request for caller in group])
            for caller, answer in zip(group, answers, strict=True):
                caller.answers.append(answer)
        except BaseException as broken:  # noqa: BLE001 each caller raises it again, none may be left waiting
            for caller in group:
                caller.error = broken
        with self._lock:
            self._led = bool(self._waiting)
            followers = self._waiting[:1]
        for caller in (*group, *followers):
            caller.woken.set()
