"""The door of the daily reports: a Lambda function that EventBridge Scheduler starts every hour, and again if it failed.

A report whose time is no whole hour of UTC is issued at the next one.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import catalog_of, log_of, quarantine_of
from consumers.reports.reporter import Reporter
from consumers.reports.routed import Routed
from pipeline.opening import now_us
from pipeline.settings import Settings

_FRESH_SECONDS: Final = 60.0
"""A projection's function may have just begun a batch when the hour strikes."""

_settings: Final = Settings.load()
_log: Final = log_of(_settings, quarantine_of(_settings))
_catalog: Final = catalog_of(_settings, _log)
_reporter: Final = Reporter(_log, _catalog, clock=now_us, reports=Routed(_catalog), fresh_seconds=_FRESH_SECONDS)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Issue the reports that are due and were not issued; returns the ids of these events."""
    return {"issued": [event.id for event in _reporter.step()]}
