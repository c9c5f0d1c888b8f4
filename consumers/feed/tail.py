"""Follows the log in one thread, whoever listens, and hands what comes to all followers.

Order:   append order within a shard; shards are independent.
Handover: a client that resumes reads its backlog from the log by itself, at its own pace, and joins the followers at the moment
          when it has reached what they were given; nothing is missed or told twice in between.
Outages: a log that cannot be read is waited for.
"""

import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from consumers.feed import vector
from consumers.feed.backlog import BATCH, backlog, messages_of
from consumers.feed.errors import FeedClosed, FeedFull
from consumers.feed.follower import Follower
from consumers.feed.message import Filter, Message
from consumers.feed.rate import Rate
from pipeline.errors import PipelineError
from pipeline.log.port import Batch, Log, Position

CAPACITY: Final = 2_000
MOST_CLIENTS: Final = 100
PAUSE_SECONDS: Final = 2.0
"""Between two tries to read a log that cannot be read."""

_WAIT_SECONDS: Final = 0.5

_logger = logging.getLogger(__name__)


@dataclass(slots=True)
class Visit:
    """One client's stay."""

    too_slow: bool = False


class Tail:
    """One a process. ``clock`` answers microseconds; ``capacity`` is how many messages may wait for one follower."""

    def __init__(
        self,
        log: Log,
        *,
        clock: Callable[[], int],
        capacity: int = CAPACITY,
        most_clients: int = MOST_CLIENTS,
        pause_seconds: float = PAUSE_SECONDS,
    ) -> None:
        self._log = log
        self._clock = clock
        self._capacity = capacity
        self._most_clients = most_clients
        self._pause_seconds = pause_seconds
        self._rate = Rate()
        self._lock = threading.Lock()
        self._seen: dict[str, Position] = {}
        self._followers: set[Follower] = set()
        self._clients = 0
        self._dropped = 0
        self._events = 0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="feed-tail", daemon=True)

    def start(self) -> None:
        """Begin at the log's end. Raises ``LogUnavailable``."""
        self._seen = dict(self._log.heads())
        self._thread.start()

    def close(self) -> None:
        """End all followers, then the thread. Idempotent."""
        with self._lock:
            self._stop.set()
            followers = list(self._followers)
        for follower in followers:
            follower.close()
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join()

    @property
    def closing(self) -> bool:
        """Whether ``close`` was called."""
        return self._stop.is_set()

    @property
    def vector(self) -> Mapping[str, Position]:
        """What all followers were given so far."""
        with self._lock:
            return MappingProxyType(dict(self._seen))

    @property
    def clients(self) -> int:
        """How many clients are served."""
        with self._lock:
            return self._clients

    @property
    def dropped(self) -> int:
        """How many were too slow, since the start."""
        with self._lock:
            return self._dropped

    @property
    def events(self) -> int:
        """How many events came, since the start."""
        return self._events

    def per_second(self) -> float:
        """Events appended a second, mean of the last minute (of what this process saw of it)."""
        return self._rate.per_second(self._clock())

    @contextmanager
    def admitted(self) -> Iterator[Visit]:
        """While a client is served; whether it was too slow is counted at its end. Raises ``FeedFull``, ``FeedClosed``."""
        with self._lock:
            if self._stop.is_set():
                raise FeedClosed
            if self._clients >= self._most_clients:
                raise FeedFull
            self._clients += 1
        visit = Visit()
        try:
            yield visit
        finally:
            with self._lock:
                self._clients -= 1
                self._dropped += visit.too_slow

    def follow(self, wanted: Filter, at: Mapping[str, Position], wake: Callable[[], None]) -> Follower | None:
        """Join as of ``at``; None if there is a backlog to read first."""
        with self._lock:
            if not vector.reached(at, self._seen):
                return None
            follower = Follower(wanted, at, vector.encode({**self._seen, **at}), capacity=self._capacity, wake=wake)
            self._followers.add(follower)
            if self._stop.is_set():
                follower.close()
            return follower

    def leave(self, follower: Follower) -> None:
        """The client is gone, or was too slow."""
        with self._lock:
            self._followers.discard(follower)

    def backlog(self, at: Mapping[str, Position]) -> tuple[list[Message], dict[str, Position]]:
        """The next messages behind ``at``, some of every shard, and where they lead. Reads the log in the caller's thread."""
        return backlog(self._log, at, self.vector)

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                if self._log.wait(self._seen, _WAIT_SECONDS):
                    for shard in self._log.shards():
                        self._publish(self._log.read(shard.id, self._seen.get(shard.id), BATCH))
            except PipelineError:
                _logger.warning("the feed cannot read the log; it goes on where it was once it can", exc_info=True)
                self._stop.wait(self._pause_seconds)

    def _publish(self, batch: Batch) -> None:
        if not len(batch):
            return
        self._rate.add(batch.recorded_us)
        self._events += len(batch)
        with self._lock:
            if not self._followers:
                self._seen[batch.shard] = batch.positions[-1]
                return
            messages = messages_of(batch, self._seen)
            for follower in self._followers:
                follower.offer(messages)
