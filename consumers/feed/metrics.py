"""What the live feed tells Prometheus."""

from collections.abc import Iterable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.feed.tail import Tail


class FeedCollector(Collector):
    """Reads a tail at each scrape."""

    def __init__(self, tail: Tail) -> None:
        self._tail = tail

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics of the feed."""
        yield GaugeMetricFamily("findstream_feed_clients", "Clients that follow the feed.", value=self._tail.clients)
        yield CounterMetricFamily("findstream_feed_dropped", "Clients disconnected as too slow.", value=self._tail.dropped)
        yield CounterMetricFamily(
            "findstream_feed_events", "Events that the feed has read from the log.", value=self._tail.events
        )
        rate = self._tail.per_second()
        yield GaugeMetricFamily("findstream_log_appends_per_second", "Events appended a second, mean of a minute.", value=rate)
