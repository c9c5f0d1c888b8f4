"""The door of the daily report: a Lambda function that EventBridge Scheduler starts at 09:00 UTC, and again if it failed."""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import catalog_of, log_of, quarantine_of
from consumers.reports.reporter import Reporter
from pipeline.opening import now_us
from pipeline.settings import Settings

_settings: Final = Settings.load()
_log: Final = log_of(_settings, quarantine_of(_settings))
_reporter: Final = Reporter(_log, catalog_of(_settings, _log), clock=now_us)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Issue today's report if it is due and was not issued; returns the event's id, or null."""
    issued = _reporter.step()
    return {"issued": issued.id if issued else None}
