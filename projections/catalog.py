"""The questions of ``projections.reading``, answered from whichever generations serve just now."""

import threading
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from time import monotonic, sleep
from typing import Final

from pipeline.log.port import Log, Position
from projections import (
    agent_status,
    alert_pages,
    alerts,
    configuration,
    daily_aggregates,
    event_index,
    policies,
    rules,
    silence_pages,
    task_board,
)
from projections.alert_pages import Alert, AlertEvent, AlertPage, AlertQuery
from projections.alerts import AlertStatus
from projections.errors import GenerationGone, NotFresh
from projections.event_index import Entry, EventPage, EventQuery
from projections.policies import KnownRouting, KnownSilence, RoutingVersion
from projections.projection import Parked, Projection
from projections.projector import ALL
from projections.reading import AgentStatus, Configuration, Count, ProjectionState, Task, TaskChange
from projections.rules import KnownRule, RuleVersion
from projections.silence_pages import SilencePage, SilenceQuery
from projections.stores.port import Generation, GenerationInfo, GenerationRows, Status, Store

DAY_US: Final = 86_400_000_000

_FIRST_PAUSE_SECONDS: Final = 0.001
_LONGEST_PAUSE_SECONDS: Final = 0.05


class Catalog:
    """The read side over one store, for any number of threads: each answer is one short read transaction."""

    def __init__(
        self,
        store: Store,
        log: Log,
        *,
        retention_days: int,
        projections: Sequence[Projection] = ALL,
        pause: Callable[[float], None] = sleep,
    ) -> None:
        self._store = store
        self._log = log
        self._retention_us = retention_days * DAY_US
        self._projections = projections
        self._pause = pause
        self._lock = threading.Lock()
        self._open: dict[str, Generation] = {}

    def events(self, query: EventQuery, *, now_us: int) -> EventPage:
        """A page of the event index. Raises ``CursorRejected``."""
        with self._rows(event_index.EventIndex.name) as rows:
            return event_index.page(rows, query, recorded_since_us=now_us - self._retention_us)

    def event(self, event_id: str, *, now_us: int) -> Sequence[Entry]:
        """The entries with this id: ours (at most one), else those whose source gave them it (newest first, at most 100)."""
        with self._rows(event_index.EventIndex.name) as rows:
            return event_index.find(rows, event_id, recorded_since_us=now_us - self._retention_us)

    def agents(self, *, now_us: int) -> Sequence[AgentStatus]:
        """All agents, by account."""
        with self._rows(agent_status.AgentStatuses.name) as rows:
            documents = agent_status.merged(document for _, document in rows.all_documents())
        return [agent_status.status(document, now_us=now_us) for document in documents if not agent_status.gone(document)]

    def tasks(self, *, now_us: int) -> Sequence[Task]:
        """All tasks that are not deleted, by priority, due date, id."""
        with self._rows(task_board.TaskBoard.name) as rows:
            return task_board.tasks((document for _, document in rows.all_documents(task_board.TASKS)), now_us=now_us)

    def task(self, task_id: str, *, now_us: int) -> Task | None:
        """A task; None if it is deleted or was never there."""
        with self._rows(task_board.TaskBoard.name) as rows:
            return next(iter(task_board.tasks(task_board.found(rows, [task_id]), now_us=now_us)), None)

    def task_history(self, task_id: str) -> Sequence[TaskChange]:
        """All that happened to a task, in order."""
        with self._rows(task_board.TaskBoard.name) as rows:
            return task_board.history(rows, task_id)

    def tasks_from(self, event_id: str, *, now_us: int) -> Sequence[Task]:
        """The tasks that were made from an event and are not deleted."""
        with self._rows(task_board.TaskBoard.name) as rows:
            made = task_board.made_from(rows, event_id, rows.checkpoints())
            return task_board.tasks(task_board.found(rows, made), now_us=now_us)

    def configurations(self) -> Sequence[Configuration]:
        """All configurations, by kind and id."""
        with self._rows(configuration.Configurations.name) as rows:
            return configuration.shown(document for _, document in rows.all_documents())

    def rules(self) -> Sequence[KnownRule]:
        """All rules that were ever published, by id."""
        with self._rows(rules.Rules.name) as rows:
            return rules.known(document for _, document in rows.all_documents(rules.RULES))

    def rule(self, rule_id: str) -> KnownRule | None:
        """A rule; None if none of this id was ever published."""
        with self._rows(rules.Rules.name) as rows:
            return rules.found(rows, rule_id)

    def rule_version(self, rule_id: str, number: int) -> RuleVersion | None:
        """A version of a rule with its text; None if there is none."""
        with self._rows(rules.Rules.name) as rows:
            rule = rules.found(rows, rule_id)
            versions = [version for version in rule.versions if version.number == number] if rule else []
            return next(iter(rules.with_texts(rows, versions)), None)

    def rule_versions(self, *, but: Collection[tuple[str, int]] = ()) -> Sequence[RuleVersion]:
        """Every version of every rule, by rule and number, with its text, unless that is known (``but``: rule and number)."""
        with self._rows(rules.Rules.name) as rows:
            known = rules.known(document for _, document in rows.all_documents(rules.RULES))
            return rules.with_texts(rows, [version for rule in known for version in rule.versions], but=but)

    def alerts(self, query: AlertQuery) -> AlertPage:
        """A page of the alerts that match, newest first. Raises ``CursorRejected``."""
        with self._rows(alerts.Alerts.name) as rows:
            return alert_pages.page(rows, query)

    def alert(self, alert_id: str) -> tuple[Alert, Sequence[AlertEvent]] | None:
        """An alert and what happened to it, by time; None if none of this id was raised."""
        with self._rows(alerts.Alerts.name) as rows:
            return alert_pages.find(rows, alert_id)

    def alert_ids(self, rule_id: str, since_us: int, until_us: int) -> Mapping[str, AlertStatus]:
        """How each alert of a rule stands whose time lies in the range, by its id; newest first."""
        with self._rows(alerts.Alerts.name) as rows:
            return alert_pages.standings(rows, rule_id, since_us, until_us)

    def routing(self) -> KnownRouting | None:
        """The routing that holds, with its last versions; None if none was ever published: then the default holds."""
        with self._rows(policies.Policies.name) as rows:
            return policies.routing(rows)

    def routing_version(self, number: int) -> RoutingVersion | None:
        """A version of the routing with its text; None if there is none."""
        with self._rows(policies.Policies.name) as rows:
            return policies.routing_version(rows, number)

    def silences(self, *, ending_after_us: int = 0) -> Sequence[KnownSilence]:
        """The silences that end after a time, the last to end first. Those that have not begun are among them."""
        with self._rows(policies.Policies.name) as rows:
            return silence_pages.live(rows, ending_after_us)

    def silence(self, silence_id: str) -> KnownSilence | None:
        """A silence, ended or not; None if none of this id was ever created."""
        with self._rows(policies.Policies.name) as rows:
            return silence_pages.find(rows, silence_id)

    def silence_page(self, query: SilenceQuery, *, now_us: int) -> SilencePage:
        """A page of silences. Raises ``CursorRejected``."""
        with self._rows(policies.Policies.name) as rows:
            return silence_pages.page(rows, query, now_us=now_us)

    def daily(self, since_us: int, until_us: int) -> Sequence[Count]:
        """Findings per UTC day, source, severity and account, for days that begin in the range; by day, then the rest."""
        days = range(-(-since_us // DAY_US), -(-until_us // DAY_US))
        return self._counts(days.start * 24, days.stop * 24, daily_aggregates.HOURS_A_DAY)

    def hourly(self, since_us: int, until_us: int) -> Sequence[Count]:
        """The same per hour, for hours that begin in the range."""
        hour_us = daily_aggregates.HOUR_US
        return self._counts(-(-since_us // hour_us), -(-until_us // hour_us), 1)

    def states(self) -> Sequence[ProjectionState]:
        """One state a projection, by name."""
        return [self._state(projection) for projection in sorted(self._projections, key=lambda p: p.name)]

    def reached(self, projection: str) -> Mapping[str, Position]:
        """How far the serving generation has been folded, by shard."""
        return self._checkpoints(projection)

    def parked(self, projection: str) -> Sequence[Parked]:
        """The events parked in a projection's serving generation, in the order in which they were parked."""
        with self._rows(projection) as rows:
            return rows.parked()

    def wait_for(self, projection: str, positions: Sequence[Position], timeout_seconds: float) -> None:
        """Return when the serving generation has folded up to all these positions. Raises ``NotFresh`` at the deadline."""
        deadline = monotonic() + timeout_seconds
        pause = _FIRST_PAUSE_SECONDS
        while missing := [p for p in positions if not self._reached(self._checkpoints(projection).get(p.shard), p)]:
            if monotonic() >= deadline:
                message = f"{projection} has not reached {missing[0]} within {timeout_seconds:g} s; ask again"
                raise NotFresh(message)
            self._pause(pause)
            pause = min(pause * 2, _LONGEST_PAUSE_SECONDS)

    def close(self) -> None:
        """Close all generations."""
        with self._lock:
            for generation in self._open.values():
                generation.close()
            self._open.clear()

    @staticmethod
    def _reached(checkpoint: Position | None, position: Position) -> bool:
        return checkpoint is not None and checkpoint >= position

    def _checkpoints(self, projection: str) -> Mapping[str, Position]:
        with self._rows(projection) as rows:
            return rows.checkpoints()

    def _counts(self, since_hour: int, until_hour: int, hours: int) -> list[Count]:
        with self._rows(daily_aggregates.DailyAggregates.name) as rows:
            buckets = list(daily_aggregates.per_bucket(rows.counts(since_hour, until_hour), hours))
        return [
            Count(key.hour * daily_aggregates.HOUR_US, key.source, key.severity, key.account, count) for key, count in buckets
        ]

    def _state(self, projection: Projection) -> ProjectionState:
        with self._reading(projection.name) as (info, rows):
            checkpoints = rows.checkpoints()
            parked = sum(rows.waiting().values())
        builds = self._store.generations(projection.name)
        lag = self._log.behind(checkpoints)
        return ProjectionState(
            name=projection.name,
            version=info.version,
            generation=info.number,
            checkpoints=checkpoints,
            lag_events=lag,
            waiting_since_us=self._waiting_since(checkpoints) if lag else None,
            parked=parked,
            building=next((build.number for build in builds if build.status is Status.BUILDING), None),
        )

    def _waiting_since(self, checkpoints: Mapping[str, Position]) -> int | None:
        firsts = (self._log.read(shard.id, checkpoints.get(shard.id), 1).recorded_us for shard in self._log.shards())
        return min((first[0] for first in firsts if first), default=None)

    @contextmanager
    def _rows(self, projection: str) -> Iterator[GenerationRows]:
        with self._reading(projection) as (_, rows):
            yield rows

    @contextmanager
    def _reading(self, projection: str) -> Iterator[tuple[GenerationInfo, GenerationRows]]:
        """The serving generation and its rows as of a moment at which it served: never older than what was read before."""
        with ExitStack() as stack:
            rows = None
            while rows is None:
                stack.close()
                info = self._serving(projection)
                try:
                    rows = stack.enter_context(self._begin(info))
                    rows.checkpoints()  # the first question: no row that is read from here on is older
                except GenerationGone:
                    if self._serving(projection) == info:
                        raise
                else:
                    rows = rows if self._serving(projection) == info else None
            yield info, rows

    def _serving(self, projection: str) -> GenerationInfo:
        """The serving generation; made empty if the projector has not come to it yet."""
        versions = {known.name: known.version for known in self._projections}
        return self._store.serving().get(projection) or self._store.create(projection, versions[projection], serving=True)

    @contextmanager
    def _begin(self, info: GenerationInfo) -> Iterator[GenerationRows]:
        """The rows of a generation, which is opened anew if another was read before; readers of the other finish."""
        with ExitStack() as stack:
            with self._lock:
                opened = self._open.get(info.projection)
                if opened is None or opened.info != info:
                    fresh = self._store.open(info)
                    if opened is not None:
                        opened.close()
                    opened = self._open[info.projection] = fresh
                rows = stack.enter_context(opened.reading())
            yield rows
