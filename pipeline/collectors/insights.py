"""Error lines of many log groups, by CloudWatch Logs Insights.

Queries:  one a chunk of log groups, at most four at a time, for an account's people and dashboards share its 30.
Time-out: a query that takes longer than a chunk may is stopped. So is all at ``until``; nothing is started after it.
Retries:  what is refused for a reason that passes (too many queries, throttling, network) is tried again until ``until``.
Smaller:  a chunk that is too slow, or of which a log group is gone, is tried again in halves: one group does not spoil nine.
Answers:  one or more a chunk: lines in order of time, or why there are none. A single group that is gone gives no answer: its
          lines went with it.
Rows:     at most ``most_lines`` a chunk, the earliest; the answer tells how many more matched.
Source:   Amazon CloudWatch Logs API Reference, "StartQuery", "GetQueryResults", "StopQuery".
"""

import re
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Protocol, TypeAlias

from pipeline.collectors import backoff, faults
from pipeline.collectors.bus_events import Line
from pipeline.errors import QueryRejected

AT_ONCE: Final = 4
POLL_SECONDS: Final = 1.0

_GONE: Final = "ResourceNotFoundException"
_NOT_QUERIED: Final = "InvalidParameterException"
_MALFORMED: Final = "MalformedQueryException"
_COMPLETE: Final = "Complete"
_UNDER_WAY: Final = frozenset({"Scheduled", "Running"})
_UNESCAPED: Final = re.compile(r"(\\.)|/", re.DOTALL)

Chunk: TypeAlias = tuple[str, ...]


class LogsClient(Protocol):
    """What is needed of boto3's ``logs`` client."""

    def start_query(self, **query: Any) -> Any:
        """Start a query; see the API reference."""
        ...

    def get_query_results(self, **query: Any) -> Any:
        """A page of what a query found; see the API reference."""
        ...

    def stop_query(self, **query: Any) -> Any:
        """Stop a query; see the API reference."""
        ...


@dataclass(frozen=True, slots=True)
class Window:
    """A stretch of time in epoch seconds; both ends belong to it."""

    since: int
    until: int


class Why(StrEnum):
    """Why a chunk was not looked through."""

    TIMED_OUT = "timed_out"
    NO_TIME_LEFT = "no_time_left"
    FAILED = "query_failed"


@dataclass(frozen=True, slots=True)
class Found:
    """The lines of a chunk. ``beyond`` more matched and were not returned."""

    chunk: Chunk
    lines: Sequence[Line]
    beyond: int


@dataclass(frozen=True, slots=True)
class Unfinished:
    """A chunk of which nothing is known. ``told`` is what AWS said, if anything."""

    chunk: Chunk
    why: Why
    told: str = ""


Answer: TypeAlias = Found | Unfinished


@dataclass(frozen=True, slots=True)
class _Query:
    id: str
    chunk: Chunk
    until: float


class Insights:
    """Asks for the lines that ``pattern`` finds. ``clock`` is in seconds; ``random`` gives a number from 0 to below 1."""

    def __init__(
        self,
        client: LogsClient,
        *,
        pattern: str,
        chunk_seconds: float,
        most_lines: int,
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self._client = client
        self._text = query_text(pattern)
        self._chunk_seconds = chunk_seconds
        self._most = most_lines
        self._clock = clock
        self._sleep = sleep
        self._random = random

    def ask(self, chunks: Iterable[Chunk], window: Window, *, until: float) -> Iterator[Answer]:
        """The answers, as they come. Raises ``QueryRejected``, and what boto3 raises where asking again is no use."""
        asking = _Asking(deque(chunks), until)
        try:
            while asking.waiting or asking.running:
                if self._clock() >= until:
                    yield from asking.give_up()
                else:
                    yield from self._start(asking, window)
                if asking.running:
                    self._sleep(POLL_SECONDS)
                for query in tuple(asking.running):
                    yield from self._look(query, asking)
        finally:
            for query in asking.running:
                self._stop(query)

    def _start(self, asking: "_Asking", window: Window) -> Iterator[Answer]:
        """Start as many queries as may run. If none may, wait before the next try."""
        while asking.waiting and len(asking.running) < AT_ONCE and self._clock() < asking.until:
            chunk = asking.waiting.popleft()
            try:
                query_id = self._client.start_query(
                    logGroupNames=list(chunk),
                    startTime=window.since,
                    endTime=window.until,
                    queryString=self._text,
                    limit=self._most,
                )["queryId"]
            except faults.AwsFault as fault:
                if faults.passes(fault):
                    asking.waiting.appendleft(chunk)
                    self._wait(asking)
                    return
                yield from self._refused(chunk, asking, faults.code(fault), fault)
            else:
                asking.tries = 0
                asking.running.append(_Query(query_id, chunk, min(self._clock() + self._chunk_seconds, asking.until)))

    def _wait(self, asking: "_Asking") -> None:
        asking.tries += 1
        seconds = backoff.wait_seconds(asking.tries, self._random)
        self._sleep(max(min(seconds, asking.until - self._clock()), 0.0))

    def _refused(self, chunk: Chunk, asking: "_Asking", code: str, fault: Exception) -> Iterator[Answer]:
        if code == _MALFORMED:
            raise QueryRejected(str(fault)) from fault
        if code not in {_GONE, _NOT_QUERIED}:
            raise fault
        if not asking.halved(chunk) and code == _NOT_QUERIED:
            yield Unfinished(chunk, Why.FAILED, str(fault))

    def _look(self, query: _Query, asking: "_Asking") -> Iterator[Answer]:
        """See what became of a query, once."""
        try:
            answer = self._client.get_query_results(queryId=query.id)
            status = answer["status"]
            found = self._found(query, answer) if status == _COMPLETE else None
        except faults.AwsFault as fault:
            status = "Running" if faults.passes(fault) else str(fault)
            found = None
        late = self._clock() >= query.until
        if status in _UNDER_WAY and not late:
            return
        asking.running.remove(query)
        if found:
            yield found
            return
        if status in _UNDER_WAY:
            self._stop(query)
        if not asking.halved(query.chunk):
            yield Unfinished(query.chunk, Why.TIMED_OUT) if status in _UNDER_WAY else Unfinished(query.chunk, Why.FAILED, status)

    def _found(self, query: _Query, answer: Any) -> Found:
        matched = int(answer.get("statistics", {}).get("recordsMatched", 0))
        rows = list(answer["results"])
        while answer.get("nextToken"):
            answer = self._client.get_query_results(queryId=query.id, nextToken=answer["nextToken"])
            rows += answer["results"]
        return Found(query.chunk, [_line(row) for row in rows], max(matched - len(rows), 0) if len(rows) >= self._most else 0)

    def _stop(self, query: _Query) -> None:
        with suppress(*faults.AwsFault):  # it may have ended by itself; a query that runs on only costs
            self._client.stop_query(queryId=query.id)


class _Asking:
    """What is under way."""

    def __init__(self, waiting: deque[Chunk], until: float) -> None:
        self.waiting = waiting
        self.running: list[_Query] = []
        self.until = until
        self.tries = 0

    def halved(self, chunk: Chunk) -> bool:
        """Let a chunk wait in two halves, if it has as many groups."""
        middle = len(chunk) // 2
        if not middle:
            return False
        self.waiting += (chunk[:middle], chunk[middle:])
        return True

    def give_up(self) -> Iterator[Unfinished]:
        """Answer what still waits."""
        while self.waiting:
            yield Unfinished(self.waiting.popleft(), Why.NO_TIME_LEFT)


def query_text(pattern: str) -> str:
    """The query for lines in which ``pattern`` is found, the earliest first."""
    escaped = _UNESCAPED.sub(lambda found: found[1] or r"\/", pattern)
    return f"fields @timestamp, @message, @logStream, @log | filter @message like /{escaped}/ | sort @timestamp asc"


def _line(row: Sequence[Any]) -> Line:
    """The line of a row; ``@log`` is ``<account>:<log group>``, ``@timestamp`` is UTC."""
    told = {cell["field"]: cell.get("value", "") for cell in row}
    time = datetime.fromisoformat(f"{told['@timestamp']}+00:00")
    group = told.get("@log", "").partition(":")[2]
    return Line(group, told.get("@logStream", ""), round(time.timestamp() * 1000), told.get("@message", ""))
