"""Issues the daily report: a fact on the log, once a day, from which the notifier makes a message.

Once:      the event's id derives from the date, so a restart, or a second reporter, tells the same fact; the log or its readers
           drop the repeat. The first one told stands.
When:      after 09:00 UTC. Who was down then issues at the next start of the same day, never for an older day; a log that
           began later has its first report on the next day.
Freshness: it waits for the projections to have folded what the log held; after a quarter of an hour it issues what there is.
"""

import logging
from collections.abc import Callable
from threading import Event
from typing import Final

import orjson

from consumers.reports.daily import DAY_US, HOUR_US, DailyReport, build
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log, Outcome
from projections.errors import NotFresh
from projections.reading import Reading
from schemas.envelope import Envelope
from schemas.identity import derived_id

ISSUED_AT_US: Final = 9 * HOUR_US
"""Behind midnight UTC."""
SOURCE: Final = "findstream.reports"

_TYPE: Final = "report.issued"
_PATIENCE_US: Final = HOUR_US // 4
_FRESH_SECONDS: Final = 5.0
_LOOK_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


class Reporter:
    """The role as a whole. ``clock`` gives microseconds since the epoch, UTC."""

    def __init__(self, log: Log, reading: Reading, *, clock: Callable[[], int]) -> None:
        self._log = log
        self._reading = reading
        self._clock = clock
        self._done_us = 0

    def step(self) -> Envelope | None:
        """Issue today's report if it is due. Returns it if this call put it on the log, else None.

        Raises ``LogUnavailable``; call again.
        """
        now_us = self._clock()
        due_us = now_us // DAY_US * DAY_US + ISSUED_AT_US
        if now_us < due_us or self._done_us == due_us or not self._began_before(due_us):
            return None
        if not self._is_fresh(now_us - due_us):
            return None
        event = issued(build(self._reading, due_us, now_us), due_us, "daily")
        [receipt] = self._log.append([event])
        if receipt.outcome is Outcome.FAILED:
            raise LogUnavailable(receipt.reason)
        self._done_us = due_us
        return event if receipt.outcome is Outcome.ACCEPTED else None

    def report(self, end_us: int | None = None) -> DailyReport:
        """The report over the 24 hours before ``end_us``, a whole hour; without it, before the end of the running hour."""
        now_us = self._clock()
        return build(self._reading, (now_us // HOUR_US + 1) * HOUR_US if end_us is None else end_us, now_us)

    def issue(self, report: DailyReport) -> Envelope:
        """Put a report that was asked for on the log, to be told like the daily one. Raises ``LogUnavailable``."""
        event = issued(report, self._clock(), "on_demand")
        [receipt] = self._log.append([event])
        if receipt.outcome is Outcome.FAILED:
            raise LogUnavailable(receipt.reason)
        return event

    def run(self, stop: Event) -> None:
        """``step`` every few seconds until ``stop`` is set; goes on while the log is unavailable."""
        while not stop.is_set():
            try:
                self.step()
            except LogUnavailable as broken:
                _logger.warning("waiting: %s", broken)
            stop.wait(_LOOK_SECONDS)

    def _began_before(self, due_us: int) -> bool:
        """Whether anything was recorded by then: a log that began later has nothing to report of that day."""
        for shard in self._log.shards():
            first = self._log.read(shard.id, None, 1).recorded_us
            if not shard.complete or (first and first[0] < due_us):
                return True
        return False

    def _is_fresh(self, late_us: int) -> bool:
        if late_us >= _PATIENCE_US:
            return True
        heads = list(self._log.heads().values())
        try:
            for state in self._reading.states():
                self._reading.wait_for(state.name, heads, _FRESH_SECONDS)
        except NotFresh as behind:
            _logger.info("the daily report waits: %s", behind)
            return False
        return True


def issued(report: DailyReport, time_us: int, occasion: str) -> Envelope:
    """``report`` as an event, told apart from others by ``occasion``, its time and the end of its window."""
    return Envelope(
        id=derived_id(time_us, _TYPE, occasion, report.date, str(report.window.until_us)),
        type=_TYPE,
        version=1,
        time_us=time_us,
        source=SOURCE,
        account="",
        region="",
        subject=f"report/{report.date}",
        severity=0,
        summary=f"{report.total} findings in the 24 hours before {report.date}",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=orjson.dumps(report.body()),
    )
