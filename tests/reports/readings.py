"""Projections that a test makes up: counts, entries and tasks, answered as ``Reading`` promises."""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields
from typing import Any

from pipeline.log.port import Position
from projections.errors import NotFresh
from projections.event_index import Entry, EventPage, EventQuery
from projections.reading import AgentStatus, Configuration, Count, ProjectionState, Task, TaskChange


def state(name: str) -> ProjectionState:
    known: dict[str, Any] = {"name": name, "version": 1, "generation": 1, "checkpoints": {}, "lag_events": 0, "parked": 0}
    given: dict[str, Any] = {each.name: known.get(each.name) for each in fields(ProjectionState)}
    return ProjectionState(**given)


class Clock:
    """Microseconds since the epoch; goes on only when told."""

    now_us = 1_700_000_000_000_000

    def __call__(self) -> int:
        return self.now_us

    def advance(self, seconds: float) -> None:
        self.now_us += round(seconds * 1_000_000)


@dataclass
class MadeUp:
    """The port. ``behind`` makes it stale; ``queries`` keeps what the index was asked."""

    counts: list[Count] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    board: list[Task] = field(default_factory=list)
    behind: bool = False
    queries: list[EventQuery] = field(default_factory=list)

    def events(self, query: EventQuery, *, now_us: int) -> EventPage:
        assert now_us
        self.queries.append(query)
        begin = int(query.cursor or 0)
        found = [e for e in self.entries if (query.since_us or 0) <= e.time_us < (query.until_us or 1 << 62)]
        end = begin + query.limit
        return EventPage(tuple(found[begin:end]), str(end) if end < len(found) else "", "")

    def event(self, event_id: str, *, now_us: int) -> Sequence[Entry]:
        return [entry for entry in self.entries if entry.id == event_id and now_us]

    def agents(self, *, now_us: int) -> Sequence[AgentStatus]:
        assert now_us
        return []

    def tasks(self, *, now_us: int) -> Sequence[Task]:
        assert now_us
        return self.board

    def task(self, task_id: str, *, now_us: int) -> Task | None:
        raise NotImplementedError

    def task_history(self, task_id: str) -> Sequence[TaskChange]:
        raise NotImplementedError

    def tasks_from(self, event_id: str, *, now_us: int) -> Sequence[Task]:
        raise NotImplementedError

    def configurations(self) -> Sequence[Configuration]:
        raise NotImplementedError

    def daily(self, since_us: int, until_us: int) -> Sequence[Count]:
        return self.hourly(since_us, until_us)

    def hourly(self, since_us: int, until_us: int) -> Sequence[Count]:
        return [count for count in self.counts if since_us <= count.start_us < until_us]

    def states(self) -> Sequence[ProjectionState]:
        return [state("daily_aggregates"), state("event_index")]

    def wait_for(self, projection: str, positions: Sequence[Position], timeout_seconds: float) -> None:
        if self.behind:
            message = f"{projection} is behind {len(positions)} positions after {timeout_seconds} s"
            raise NotFresh(message)
