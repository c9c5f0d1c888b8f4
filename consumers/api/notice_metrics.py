"""What notices and their channels tell Prometheus, read from the ledger at each scrape."""

from collections.abc import Callable, Iterable, Iterator
from typing import Final

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.ledger.port import Ledger, Tally
from consumers.notifier.notice import State
from schemas.identity import MICROSECONDS

_CLASSES: Final = (True, False)


class NoticeCollector(Collector):
    """Reads the ledger; tells nothing while that cannot be read."""

    def __init__(self, ledger: Ledger, *, clock: Callable[[], int]) -> None:
        self._ledger = ledger
        self._clock = clock

    def describe(self) -> Iterable[Metric]:
        """Nothing in advance."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """All metrics of notices."""
        try:
            yield from self._read(self._ledger.tallies())
        except LedgerUnavailable:
            return

    def _read(self, tallies: Iterable[Tally]) -> list[Metric]:
        notices = GaugeMetricFamily("findstream_notices", "Notices in the ledger.", labels=["channel", "state"])
        failures = GaugeMetricFamily("findstream_channel_failures", "Failures of a channel in a row.", labels=["channel"])
        oldest = GaugeMetricFamily(
            "findstream_notices_oldest_pending_seconds",
            "How long the oldest notice has waited that was not tried.",
            labels=["channel"],
        )
        for tally in tallies:
            notices.add_metric([tally.channel, tally.state.value], tally.count)
            if tally.state is State.PENDING:
                failures.add_metric([tally.channel], self._ledger.pace(tally.channel).failures)
                oldest.add_metric([tally.channel], self._age_seconds(tally.channel))
        return [notices, failures, oldest]

    def _age_seconds(self, channel: str) -> float:
        crowds = [self._ledger.crowd(channel, critical=critical) for critical in _CLASSES]
        begun = [crowd.first_us for crowd in crowds if crowd.count]
        return max(0, self._clock() - min(begun)) / MICROSECONDS if begun else 0.0
