"""One run of the agent: a heartbeat, then the error lines since the last runs.

Time:    queries end ``RESERVE_SECONDS`` before the run must, so that what they found can still be put.
Failure: what AWS refuses for good (a permission, a malformed query) and events that the bus did not take fail the run, after all
         else was done; the caller (Lambda) tries again, and what is told twice counts once.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol

from pipeline.collectors import heartbeat, log_groups
from pipeline.collectors.bus import Bus, EventsClient, Put
from pipeline.collectors.error_logs import ErrorLogs, Known
from pipeline.collectors.insights import Insights, LogsClient
from pipeline.collectors.log_groups import FunctionsClient, GroupsClient
from pipeline.collectors.options import Options
from pipeline.collectors.place import Place
from pipeline.collectors.window import window
from pipeline.errors import BusUnavailable

RESERVE_SECONDS: Final = 15.0
LAST_CALL_SECONDS: Final = 3.0


class Logs(LogsClient, GroupsClient, Protocol):
    """What is needed of boto3's ``logs`` client."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run did. ``published`` are the lines and findings that the bus took, without those that it had taken before."""

    groups: int
    skipped: tuple[str, ...]
    chunks: int
    lines: int
    published: int
    beyond: int
    timed_out: int
    unfinished: int


class Agent:
    """The agent of one account and region. It may run again and again; ``known`` lives as long as the process."""

    def __init__(
        self,
        options: Options,
        *,
        logs: Logs,
        functions: FunctionsClient,
        events: EventsClient,
        now_ms: Callable[[], int],
        clock: Callable[[], float],
        sleep: Callable[[float], None],
        random: Callable[[], float],
    ) -> None:
        self._options = options
        self._logs = logs
        self._functions = functions if options.functions else None
        self._events = events
        self._now_ms = now_ms
        self._clock = clock
        self._sleep = sleep
        self._random = random
        self._known = Known()

    def run(self, event: Mapping[str, Any], place: Place, *, remaining_seconds: float) -> Report:
        """Run once. Raises ``WindowRejected``, ``QueryRejected``, ``BusUnavailable``, and what boto3 raises."""
        began = self._clock()
        stretch = window(event, now_ms=self._now_ms(), overlap_seconds=self._options.overlap_minutes * 60)
        bus = self._bus(began + remaining_seconds - LAST_CALL_SECONDS)
        put = heartbeat.beat(bus, place, self._options.version, now_ms=self._now_ms)
        groups = log_groups.find(self._options.log_groups, self._functions, self._logs)
        chunks = groups.chunks()
        collected = ErrorLogs(self._insights(), bus, place, self._known).collect(
            chunks, stretch, until=began + remaining_seconds - RESERVE_SECONDS
        )
        put.add(collected.put)
        _held_to(put)
        return Report(
            groups=sum(map(len, chunks)),
            skipped=groups.skipped,
            chunks=len(chunks),
            lines=collected.lines,
            published=len(collected.put.taken),
            beyond=collected.beyond,
            timed_out=collected.timed_out,
            unfinished=len(collected.unfinished),
        )

    def _bus(self, until: float) -> Bus:
        return Bus(self._events, self._options.bus_arn, until=until, clock=self._clock, sleep=self._sleep, random=self._random)

    def _insights(self) -> Insights:
        return Insights(
            self._logs,
            pattern=self._options.pattern,
            chunk_seconds=self._options.chunk_seconds,
            most_lines=self._options.chunk_lines,
            clock=self._clock,
            sleep=self._sleep,
            random=self._random,
        )


def _held_to(put: Put) -> None:
    """Raises ``BusUnavailable`` if the bus did not take all."""
    if put.refused:
        message = (
            f"{len(put.refused)} of {len(put.refused) + len(put.taken)} events were not taken, the first because: {put.reason}"
        )
        raise BusUnavailable(message)
