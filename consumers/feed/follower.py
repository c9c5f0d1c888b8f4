"""One client of the feed: a bounded queue between the thread that reads the log and the task that writes to the client.

Bound: holds at most ``capacity`` messages. A client that lets more pile up is dropped; it resumes behind its last id.
"""

import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from enum import Enum

from consumers.feed.message import Filter, Message
from pipeline.log.port import Position


class State(Enum):
    """Whether a follower gets more."""

    OPEN = "open"
    DROPPED = "dropped"
    """It was too slow."""
    CLOSED = "closed"
    """The server stops."""


class Follower:
    """``wake`` is called, from any thread, whenever there is something to take. ``at`` is where the client stands."""

    def __init__(
        self, wanted: Filter, at: Mapping[str, Position], resume: str, *, capacity: int, wake: Callable[[], None]
    ) -> None:
        self._wanted = wanted
        self._at = dict(at)
        self._resume = resume
        self._capacity = capacity
        self._wake = wake
        self._lock = threading.Lock()
        self._waiting: deque[Message] = deque()
        self._state = State.OPEN

    def offer(self, messages: Sequence[Message]) -> None:
        """Queue what the client wants and has not had; drop the client if that is more than it may have waiting."""
        with self._lock:
            if self._state is not State.OPEN:
                return
            for message in messages:
                position = message.position
                if position.shard in self._at and position <= self._at[position.shard]:
                    continue
                if self._wanted.wants(message):
                    self._waiting.append(message)
            if len(self._waiting) > self._capacity:
                self._waiting.clear()
                self._state = State.DROPPED
            elif not self._waiting:
                self._resume = messages[-1].resume
                return
        self._wake()

    def take(self) -> tuple[list[Message], str, State]:
        """All that waits, the vector behind it, and whether more may come."""
        with self._lock:
            messages = list(self._waiting)
            self._waiting.clear()
            if messages:
                self._resume = messages[-1].resume
            return messages, self._resume, self._state

    def close(self) -> None:
        """No more; what waits may still be taken."""
        with self._lock:
            if self._state is State.OPEN:
                self._state = State.CLOSED
        self._wake()
