"""One writer at a time, over threads and processes.

Why not SQLite's own lock alone: its waiters sleep up to 100 ms between tries, and before 3.51.3 a commit and a checkpoint of
two connections at the same instant could corrupt a file ("The WAL-reset bug", SQLite's page "Write-Ahead Logging"). Both
happen under this lock.

Fairness: who releases the lock while other processes wait for it lets one of them in before it comes again.
Crash:    the kernel lets go of the lock if its holder dies.
"""

import fcntl
import os
import time
from pathlib import Path
from threading import Lock
from typing import Final

_FIRST_PAUSE_SECONDS: Final = 0.0001
_LONGEST_PAUSE_SECONDS: Final = 0.001
_POLITE_PAUSE_SECONDS: Final = 0.0015
"""Between two tries of one who waits, and, longer than these, before the next try of one who lets others in."""


class WriterLock:
    """The lock that the file at ``path`` stands for. A second file beside it tells whether any wait; both stay empty."""

    def __init__(self, path: Path) -> None:
        self._threads = Lock()
        self._turn = _opened(path)
        self._queue = _opened(path.with_name(f"{path.name}-queue"))
        self._closed = False
        self._others_wait = False

    def acquire(self, timeout_seconds: float) -> bool:
        """Wait for the turn, at most this long. False if it did not come, or the lock was closed."""
        deadline = time.monotonic() + timeout_seconds
        if not self._threads.acquire(timeout=timeout_seconds):
            return False
        if self._closed or not self._wait_until(deadline):
            self._threads.release()
            return False
        return True

    def release(self) -> None:
        """Let the next one in."""
        self._others_wait = not _taken(self._queue, fcntl.LOCK_EX)
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        fcntl.flock(self._turn, fcntl.LOCK_UN)
        self._threads.release()

    def close(self) -> None:
        """Give the descriptors back, after whoever holds the lock has released it."""
        with self._threads:
            if not self._closed:
                self._closed = True
                os.close(self._turn)
                os.close(self._queue)

    def _wait_until(self, deadline: float) -> bool:
        if self._others_wait:
            time.sleep(_POLITE_PAUSE_SECONDS)
        if _taken(self._turn, fcntl.LOCK_EX):
            return True
        fcntl.flock(self._queue, fcntl.LOCK_SH)  # blocks only while one who releases looks into the queue
        pause = _FIRST_PAUSE_SECONDS
        while not (came := _taken(self._turn, fcntl.LOCK_EX)) and time.monotonic() < deadline:
            time.sleep(pause)
            pause = min(pause * 1.5, _LONGEST_PAUSE_SECONDS)
        fcntl.flock(self._queue, fcntl.LOCK_UN)
        return came


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)


def _taken(descriptor: int, kind: int) -> bool:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
