"""Issues the daily reports: facts on the log, each once a day, from which the notifier makes messages.

Once:      the event's id derives from the report's name and its moment, so a restart, or a second reporter, tells the same fact;
           the log or its readers drop the repeat. The first one told stands. A report that is moved to a later time, on a day on
           which it was issued, is issued then, too.
When:      at the times that the routing says, as ``consumers.reports.due`` tells. A log that began later has its first report on
           the next day.
Freshness: it waits for the projections to have folded what the log held; after a quarter of an hour it issues what there is.
"""

import logging
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from threading import Event
from typing import Final

import orjson

from consumers.errors import ReportUnknown
from consumers.notifier.routing.tree import Report
from consumers.reports.daily import DAY_US, FOLDED, HOUR_US, DailyReport, Window, build
from consumers.reports.due import DAILY, Due, due
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log, Outcome
from projections.errors import NotFresh
from projections.reading import Reading
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS, derived_id

SOURCE: Final = "findstream.reports"

_TYPE: Final = "report.issued"
_PATIENCE_US: Final = HOUR_US // 4
FRESH_SECONDS: Final = 5.0
"""How long each projection is waited for, a step."""
_LOOK_SECONDS: Final = 5.0

_logger = logging.getLogger(__name__)


class Reporter:
    """The role as a whole. ``clock`` gives microseconds since the epoch, UTC."""

    def __init__(
        self,
        log: Log,
        reading: Reading,
        *,
        clock: Callable[[], int],
        reports: Callable[[], Sequence[Report]] = lambda: (DAILY,),
        fresh_seconds: float = FRESH_SECONDS,
    ) -> None:
        self._log = log
        self._reading = reading
        self._clock = clock
        self._reports = reports
        self._fresh_seconds = fresh_seconds
        self._done: dict[str, int] = {}

    def step(self) -> list[Envelope]:
        """Issue the reports that are due. Returns those that this call put on the log.

        Raises ``LogUnavailable``; call again.
        """
        now_us = self._clock()
        found = (due(report, now_us) for report in self._reports())
        wanted = [one for one in found if one and self._done.get(one.report.name) != one.at_us and self._began_before(one.at_us)]
        return [event for one in wanted if self._is_fresh(now_us - one.at_us) and (event := self._issue(one, now_us))]

    def report(self, day: date | None = None, name: str = "") -> DailyReport:
        """A report on demand: as it is issued on ``day``; without it, over the 24 hours before the end of the running hour.

        It is the one of this ``name``, or the first one. Raises ``ReportUnknown``.
        """
        wanted = self._named(name)
        now_us = self._clock()
        if day is not None:
            return self._built(Due.on(wanted, day), now_us)
        until_us = (now_us // HOUR_US + 1) * HOUR_US
        return build(self._reading, Window(until_us - DAY_US, until_us), now_us, report=wanted.name, zone=wanted.zone)

    def issue(self, report: DailyReport) -> Envelope:
        """Put a report that was asked for on the log, to be told like the daily one. Raises ``LogUnavailable``."""
        event = issued(report, self._clock(), "on_demand")
        self._append(event)
        return event

    def run(self, stop: Event) -> None:
        """``step`` every few seconds until ``stop`` is set; goes on while the log is unavailable."""
        while not stop.is_set():
            try:
                self.step()
            except LogUnavailable as broken:
                _logger.warning("waiting: %s", broken)
            stop.wait(_LOOK_SECONDS)

    def _named(self, name: str) -> Report:
        known = {report.name: report for report in self._reports()} or {DAILY.name: DAILY}
        if name and name not in known:
            message = f"there is no report {name!r}; there are {', '.join(known)}"
            raise ReportUnknown(message)
        return known[name or next(iter(known))]

    def _built(self, wanted: Due, now_us: int) -> DailyReport:
        report = wanted.report
        return build(self._reading, wanted.window, now_us, date=wanted.day, report=report.name, zone=report.zone)

    def _issue(self, wanted: Due, now_us: int) -> Envelope | None:
        event = issued(self._built(wanted, now_us), wanted.at_us, wanted.report.name)
        outcome = self._append(event)
        self._done[wanted.report.name] = wanted.at_us
        return event if outcome is Outcome.ACCEPTED else None

    def _append(self, event: Envelope) -> Outcome:
        [receipt] = self._log.append([event])
        if receipt.outcome is Outcome.FAILED:
            raise LogUnavailable(receipt.reason)
        return receipt.outcome

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
                if state.name in FOLDED:
                    self._reading.wait_for(state.name, heads, self._fresh_seconds)
        except NotFresh as behind:
            _logger.info("the report waits: %s", behind)
            return False
        return True


def issued(report: DailyReport, time_us: int, occasion: str) -> Envelope:
    """``report`` as an event, told apart from others by ``occasion``, its time and the end of its window."""
    hours = (report.window.until_us - report.window.since_us) // HOUR_US
    until = datetime.fromtimestamp(report.window.until_us / MICROSECONDS, UTC)
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
        summary=f"{report.total} findings in the {hours} hours before {until:%Y-%m-%d %H:%M}Z",
        resources=(),
        source_id="",
        correlation_id="",
        causation_id="",
        body=orjson.dumps(report.body()),
    )
