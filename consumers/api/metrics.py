"""Prometheus metrics of this process, and of log, projections and quarantine as they are when asked.

What only this process knows (requests, what it took in, followers) is counted as it happens; the rest is read at each scrape,
so that nothing is stale and nothing is kept. A part that cannot be read is told by ``findstream_part_up`` 0; the others answer.
"""

import platform
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client import CollectorRegistry, Counter, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.api.lag import seconds_behind
from pipeline.errors import PipelineError
from pipeline.ingest import Tally
from pipeline.log.port import Log
from pipeline.quarantine.port import Quarantine
from projections.errors import ProjectionError
from projections.reading import Reading

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"

_METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_BUCKETS: Final = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)


class Metrics:
    """A registry of its own; nothing is global."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._seconds = Histogram(
            "findstream_http_request_duration_seconds",
            "How long requests took.",
            ["method", "route", "status"],
            buckets=_BUCKETS,
            registry=self._registry,
        )
        self._items = Counter(
            "findstream_ingest_items", "Items that came by HTTP, by what became of them.", ["outcome"], registry=self._registry
        )
        for outcome in ("accepted", "duplicate", "quarantined"):
            self._items.labels(outcome)

    def add(self, collector: Collector) -> None:
        """Ask ``collector`` too at each scrape."""
        self._registry.register(collector)

    def requested(self, method: str, route: str, status: int, seconds: float) -> None:
        """A request was answered. ``route`` is a template, never a path: labels are few."""
        self._seconds.labels(method if method in _METHODS else "OTHER", route, status).observe(seconds)

    def taken(self, tally: Tally) -> None:
        """Input was taken in."""
        self._items.labels("accepted").inc(tally.accepted)
        self._items.labels("duplicate").inc(tally.duplicate)
        self._items.labels("quarantined").inc(tally.quarantined)

    def text(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class StateCollector(Collector):
    """Reads log, projections and quarantine at each scrape."""

    def __init__(self, reading: Reading, log: Log, quarantine: Quarantine, *, clock: Callable[[], int], version: str) -> None:
        self._reading = reading
        self._log = log
        self._quarantine = quarantine
        self._clock = clock
        self._version = version

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance: registering must not read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All state metrics."""
        build = {"version": self._version, "python": platform.python_version()}
        yield InfoMetricFamily("findstream_build", "What runs here.", build)
        up = GaugeMetricFamily("findstream_part_up", "Whether a part can be read (1) or not (0).", labels=["part"])
        for part, read in (("log", self._heads), ("projections", self._states), ("quarantine", self._quarantined)):
            try:
                metrics = read()
            except (PipelineError, ProjectionError):
                up.add_metric([part], 0)
            else:
                up.add_metric([part], 1)
                yield from metrics
        yield up

    def _heads(self) -> list[Metric]:
        head = GaugeMetricFamily(
            "findstream_log_head",
            "Sequence number of a shard's last event; the embedded log counts its events so.",
            labels=["shard"],
        )
        for shard, position in self._log.heads().items():
            head.add_metric([shard], position.sequence)
        events = GaugeMetricFamily("findstream_log_events", "Events on the log.")
        events.add_metric([], self._log.behind({}))
        return [head, events]

    def _states(self) -> list[Metric]:
        now_us = self._clock()
        events, age, parked, generation, building = families = [
            GaugeMetricFamily(f"findstream_projection_{name}", text, labels=["projection"])
            for name, text in (
                ("lag_events", "Events of the log that a projection has not folded yet."),
                ("lag_seconds", "How long the oldest of these has been waiting."),
                ("parked_events", "Events that its fold could not digest."),
                ("generation", "Number of the serving generation."),
                ("rebuilding", "Whether another generation is being built (1) or not (0)."),
            )
        ]
        for state in self._reading.states():
            events.add_metric([state.name], state.lag_events)
            age.add_metric([state.name], seconds_behind(state, now_us=now_us))
            parked.add_metric([state.name], state.parked)
            generation.add_metric([state.name], state.generation)
            building.add_metric([state.name], state.building is not None)
        return [*families]

    def _quarantined(self) -> list[Metric]:
        items = GaugeMetricFamily("findstream_quarantine_items", "Items in quarantine.", labels=["status"])
        for status, count in self._quarantine.count().items():
            items.add_metric([status.value], count)
        return [items]
