"""How a reader learns of new events: at once from its own process, by a cheap look at the file from others.

The look (``PRAGMA data_version``) reads shared memory and takes microseconds. Its interval follows the log: half a
millisecond while events come, growing with the silence to twenty, so that an idle reader costs next to nothing.
"""

import sqlite3
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from threading import Condition
from typing import Final, Protocol

_SHORTEST_SECONDS: Final = 0.0005
_LONGEST_SECONDS: Final = 0.02
_SHARE_OF_SILENCE: Final = 16
"""The interval is this part of the time since the last news: it adds little to a delay that is already long."""


class Readable(Protocol):
    """A file that lends connections, of which the one that waits writes nothing."""

    def reading(self) -> AbstractContextManager[sqlite3.Connection]:
        """A connection of one's own."""
        ...


class Tail:
    """Wakes those who wait for a file to change."""

    def __init__(self, file: Readable) -> None:
        self._file = file
        self._changed = Condition()
        self._changes = 0
        self._last_news = time.monotonic()

    def announce(self) -> None:
        """Wake the waiters of this process: something was committed, or the file was closed."""
        with self._changed:
            self._changes += 1
            self._changed.notify_all()

    def wait(self, news: Callable[[], bool], timeout_seconds: float) -> bool:
        """Wait until ``news()`` is true, asking it first and whenever something was committed. False at the deadline."""
        deadline = time.monotonic() + timeout_seconds
        asked_at: tuple[int, int] | None = None
        with self._file.reading() as connection:
            while True:
                state = self._changes, connection.execute("PRAGMA data_version").fetchone()[0]
                if state != asked_at:
                    asked_at = state
                    if news():
                        self._last_news = time.monotonic()
                        return True
                now = time.monotonic()
                if now >= deadline:
                    return False
                pause = (now - self._last_news) / _SHARE_OF_SILENCE
                with self._changed:
                    if self._changes == state[0]:
                        self._changed.wait(min(max(pause, _SHORTEST_SECONDS), _LONGEST_SECONDS, deadline - now))
