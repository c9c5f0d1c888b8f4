"""What the first page shows, computed once for the API and the page: the last day, agents, tasks, the state of the pipeline."""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from consumers.api import views
from consumers.api.figures import DAY_US, HOUR_US, floor, totals
from consumers.api.lag import furthest
from consumers.api.models import Agents, Day, Overview, Pipeline, Share, Tasks, seconds
from consumers.people.principal import Principal
from pipeline.quarantine.port import Quarantine, Status
from projections.event_index import EventQuery
from projections.reading import Reading

LATEST: Final = 10
TOP: Final = 10


class Overviews:
    """Makes overviews. ``rate`` answers how many events a second were appended over the last minute."""

    def __init__(self, reading: Reading, quarantine: Quarantine, *, rate: Callable[[], float], latest: int = LATEST) -> None:
        self._reading = reading
        self._quarantine = quarantine
        self._rate = rate
        self._latest = latest

    def at(self, now_us: int, who: Principal) -> Overview:
        """The overview as of ``now_us``; of tasks, those that ``who`` may see."""
        return Overview(
            time=seconds(now_us),
            last_24_hours=self._day(now_us),
            agents=self._agents(now_us),
            tasks=self._tasks(now_us, who),
            pipeline=self._pipeline(now_us),
            latest=[views.event(e) for e in self._reading.events(EventQuery(limit=self._latest), now_us=now_us).entries],
        )

    def _day(self, now_us: int) -> Day:
        until_us = floor(now_us, HOUR_US) + HOUR_US
        now = self._reading.hourly(until_us - DAY_US, until_us)
        before = self._reading.hourly(until_us - 2 * DAY_US, until_us - DAY_US)
        return Day(
            count=sum(count.count for count in now),
            previous=sum(count.count for count in before),
            by_severity=totals(now, "severity"),
            top_sources=_top(totals(now, "source")),
            top_accounts=_top(totals(now, "account")),
        )

    def _agents(self, now_us: int) -> Agents:
        agents = self._reading.agents(now_us=now_us)
        return Agents(total=len(agents), by_status=_counted(agent.status for agent in agents))

    def _tasks(self, now_us: int, who: Principal) -> Tasks:
        tasks = [task for task in self._reading.tasks(now_us=now_us) if who.is_admin or task.belongs_to(who.user_id)]
        return Tasks(
            total=len(tasks), by_status=_counted(task.status for task in tasks), overdue=sum(task.overdue for task in tasks)
        )

    def _pipeline(self, now_us: int) -> Pipeline:
        states = self._reading.states()
        lag = furthest(states, now_us=now_us)
        return Pipeline(
            events_per_second=self._rate(),
            lag_events=lag.events,
            lag_seconds=lag.seconds,
            parked=sum(state.parked for state in states),
            quarantined=self._quarantine.count().get(Status.HELD, 0),
            projections=[views.projection(state, now_us=now_us) for state in states],
        )


def _counted(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _top(counts: Mapping[str, int]) -> list[Share]:
    return [Share(key=key, count=count) for key, count in list(counts.items())[:TOP]]
