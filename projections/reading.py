"""What readers (API, page, CLI, reports) may ask of the projections; ``now_us`` is always an argument, never a clock.

Every answer comes from the serving generation at the time of the call, in one short read transaction.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from pipeline.log.port import Position
from projections.event_index import Entry, EventPage, EventQuery


@dataclass(frozen=True, slots=True)
class AgentStatus:
    """What is known of the agent in one account.

    ``status`` is pending, deploying, active, failed, disabled, or computed on reading: ``offline`` (an active agent
    without a heartbeat for ten minutes) and ``unregistered`` (findings came, no agent was ever deployed). Times are
    microseconds since the epoch, None if never. ``counts`` is findings by severity (0-4).

    What people said of it: whether it is ``registered``, as what; ``revision`` is that of their entry (0: none), ``version`` the
    agent's own. One that is registered and was never heard of is pending; one that is not enabled is disabled.
    """

    account: str
    region: str
    status: str
    version: str
    deployed_at_us: int | None
    last_heartbeat_us: int | None
    last_finding_us: int | None
    counts: Mapping[int, int]
    registered: bool = False
    name: str = ""
    description: str = ""
    contact: str = ""
    enabled: bool = True
    revision: int = 0


@dataclass(frozen=True, slots=True)
class Task:
    """A task as the board shows it. Times are microseconds since the epoch; ``due_us`` and ``closed_at_us`` may be None.

    ``event_id`` is the finding that it came from, ``event`` a copy of its details as they were then; ``comments`` counts them.
    """

    id: str
    title: str
    description: str
    status: str
    priority: str
    assignee_id: str
    event_id: str
    due_us: int | None
    created_us: int
    updated_us: int
    closed_at_us: int | None
    overdue: bool
    version: int
    created_by: str = ""
    event: Mapping[str, Any] | None = None
    comments: int = 0

    def belongs_to(self, user_id: str) -> bool:
        """Whether it is this person's own: assigned to them or created by them."""
        return user_id in (self.assignee_id, self.created_by)


@dataclass(frozen=True, slots=True)
class FieldChange:
    """A field's value before and after; None before it was there, and for what is not set."""

    field: str
    old: Any
    new: Any


@dataclass(frozen=True, slots=True)
class TaskChange:
    """One fact of a task: ``version`` is the task's after it, ``type`` and ``id`` are the event's. ``comment``: what was said."""

    version: int
    time_us: int
    by: str
    type: str
    id: str
    changes: tuple[FieldChange, ...] = ()
    comment: str = ""


@dataclass(frozen=True, slots=True)
class Configuration:
    """A configuration as it stands. ``kind`` is aws or monitoring; ``document`` is without secrets."""

    kind: str
    id: str
    document: Mapping[str, Any]
    version: int
    updated_us: int
    updated_by: str


@dataclass(frozen=True, slots=True)
class Count:
    """How many findings fell into one bucket. ``start_us`` is the bucket's first microsecond (an hour or a UTC day)."""

    start_us: int
    source: str
    severity: int
    account: str
    count: int


@dataclass(frozen=True, slots=True)
class ProjectionState:
    """How a projection fares. ``lag_events`` is how many events of the log it has not folded yet."""

    name: str
    version: int
    generation: int
    checkpoints: Mapping[str, Position]
    lag_events: int
    waiting_since_us: int | None
    """When the oldest event that it has not folded yet was recorded; None if it has folded all."""
    parked: int
    building: int | None
    """The number of the generation being rebuilt beside it, if one is."""


class Reading(Protocol):
    """The questions. Implemented by ``projections.catalog.Catalog``."""

    def events(self, query: EventQuery, *, now_us: int) -> EventPage:
        """A page of the event index, without entries recorded more than 90 days (by setting) before ``now_us``.

        Raises ``CursorRejected``.
        """
        ...

    def event(self, event_id: str, *, now_us: int) -> Sequence[Entry]:
        """The entries with this id: ours (at most one), else those whose source gave them it (newest first, at most 100)."""
        ...

    def agents(self, *, now_us: int) -> Sequence[AgentStatus]:
        """All agents, by account."""
        ...

    def tasks(self, *, now_us: int) -> Sequence[Task]:
        """All tasks that are not deleted, by priority, due date, id."""
        ...

    def task(self, task_id: str, *, now_us: int) -> Task | None:
        """A task; None if it is deleted or was never there."""
        ...

    def task_history(self, task_id: str) -> Sequence[TaskChange]:
        """All that happened to a task, deleted ones included, in order; empty if it was never there."""
        ...

    def tasks_from(self, event_id: str, *, now_us: int) -> Sequence[Task]:
        """The tasks that were made from an event (by our id) and are not deleted, by priority, due date, id."""
        ...

    def configurations(self) -> Sequence[Configuration]:
        """All configurations, by kind and id."""
        ...

    def daily(self, since_us: int, until_us: int) -> Sequence[Count]:
        """Findings per UTC day, source, severity and account, for days that begin in the range; by day, then the rest."""
        ...

    def hourly(self, since_us: int, until_us: int) -> Sequence[Count]:
        """The same per hour, for hours that begin in the range."""
        ...

    def states(self) -> Sequence[ProjectionState]:
        """One state a projection, by name."""
        ...

    def wait_for(self, projection: str, positions: Sequence[Position], timeout_seconds: float) -> None:
        """Return when the serving generation has folded up to all these positions. Raises ``NotFresh`` at the deadline."""
        ...
