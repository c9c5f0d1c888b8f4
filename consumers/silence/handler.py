"""The door of the silence watch: a Lambda function that EventBridge Scheduler starts every few minutes."""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import catalog_of, log_of, quarantine_of
from consumers.silence.watch import SilenceWatch
from pipeline.opening import now_us
from pipeline.settings import Settings

_settings: Final = Settings.load()
_log: Final = log_of(_settings, quarantine_of(_settings))
_watch: Final = SilenceWatch(_log, catalog_of(_settings, _log), now_us)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Tell of agents that fell silent; returns how many of them this function had not told of before."""
    return {"silent": _watch.step()}
