"""The door of long work: a Lambda function that EventBridge Scheduler starts every minute, never two at a time.

Time:    a job that is not done when the function's time is nearly up fails, and says so: it would begin anew each time. One that
         began after others waits for the next call instead, whose time it has to itself.
Failure: what is left is taken by the next call, from its beginning.
"""

import time
from functools import partial
from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import catalog_of, jobs_of, log_of, quarantine_of, store_of
from consumers.jobs.worker import Worker
from consumers.rules.engine.passed import passed
from consumers.rules.history.jobs import History
from consumers.rules.history.routing import with_every_channel
from pipeline.opening import now_us
from pipeline.settings import Settings

_SPARE_MS: Final = 20_000
_TOO_LONG: Final = (
    "it takes longer than a function may; ask for a shorter stretch, or run the command (findstream rules backtest, diff,"
    " reprocess) where there is time"
)

_settings: Final = Settings.load()
_log: Final = log_of(_settings, quarantine_of(_settings))
_catalog: Final = catalog_of(_settings, _log)
_history: Final = History(
    _log,
    _catalog,
    partial(with_every_channel, _catalog),
    time.perf_counter_ns,
    partial(passed, store_of(_settings), _log),
)
_jobs: Final = jobs_of(_settings)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Do what waits, oldest first, while there is time; returns how many jobs were settled."""

    def ending() -> bool:
        return bool(context.get_remaining_time_in_millis() < _SPARE_MS)

    worker = Worker(_jobs, _history.kinds(), now_us, ending, undone=_TOO_LONG)
    return {"settled": worker.drain()}
