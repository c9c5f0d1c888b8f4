"""The door of the notifier: a Lambda function that is woken by the stream and its timer, one at a time (reserved concurrency 1).

Reading: what wakes it is no input. It reads the log from the ledger's own mark on, so that a replay of the stream, or a batch
         that is delivered again, tells nobody anything.
Timer:   what is due later than the turn ends (a group's next look, a channel's rest) arms it: nothing polls.
Ledger:  belongs to the instance that was woken last; an older one that is woken again takes it over anew.
"""

import os
import random
from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from consumers.aws import catalog_of, ledger_of, log_of, quarantine_of, timer_of
from consumers.notifier.assembly import open_notifier
from consumers.notifier.errors import LedgerTaken
from consumers.notifier.notice import State
from consumers.notifier.notifier import Notifier
from pipeline.opening import now_us
from pipeline.settings import Settings

_RESERVE_US: Final = 15_000_000
"""Of a function's time: for a request in flight, and for what is written after it."""

_settings: Final = Settings.load()
_log: Final = log_of(_settings, quarantine_of(_settings))
_ledger: Final = ledger_of(_settings)
_catalog: Final = catalog_of(_settings, _log)
_timer: Final = timer_of(_settings)
_notifiers: Final[list[Notifier]] = []
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(_event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Decide and deliver until nothing is left or time is up. An error fails the invocation, and the same is done again."""
    until_us = now_us() + context.get_remaining_time_in_millis() * 1000 - _RESERVE_US
    with _timer.outlasting():
        try:
            turn = _notifier().turn(until_us)
        except LedgerTaken:
            _notifiers.clear()
            turn = _notifier().turn(until_us)
    _timer.wake_at(turn.again_us)
    dead = sum(tally.count for tally in _ledger.tallies() if tally.state is State.FAILED)
    metrics.add_metric("sent", MetricUnit.Count, turn.sent)
    metrics.add_metric("dead_letters", MetricUnit.Count, dead)
    return {"batchItemFailures": []}


def _notifier() -> Notifier:
    if not _notifiers:
        notifier = open_notifier(_settings, _log, _ledger, _catalog, os.environ, clock=now_us, random=random.random)
        _notifiers.append(notifier)
    return _notifiers[0]
