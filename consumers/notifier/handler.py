"""The door of the notifier: a Lambda function that is woken by the stream and its timer, one at a time (reserved concurrency 1).

Reading: what wakes it is no input. It reads the log from the ledger's own mark on, so that a replay of the stream, or a batch
         that is delivered again, tells nobody anything.
Timer:   what is due later than the turn ends (a group's next look, a channel's rest) arms it: nothing polls.
Ledger:  belongs to the instance that was woken last; an older one that is woken again takes it over anew.
Trials:  ``{"try_channel": "ops"}`` wakes nothing: a test message is sent to that channel, past the ledger, and what came of it is
         answered (``channels.remote_trial``). The API asks so, which is not given the channels' secrets.
"""

import os
import random
from threading import Event
from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from consumers.aws import catalog_of, ledger_of, log_of, quarantine_of, timer_of
from consumers.notifier.assembly import open_notifier
from consumers.notifier.channels import remote_trial, trial
from consumers.notifier.channels.opening import open_channels
from consumers.notifier.errors import ChannelsRejected, LedgerTaken
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
_stale: Final = Event()
"""Set once a trial has opened the channels anew: the next turn opens them anew, too, and so sends by what was tried."""
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Try the channel that is named, or else do what there is to do."""
    channel = remote_trial.channel_to_try(event)
    answer: dict[str, Any] = _woken(event, context) if channel is None else _tried(channel)
    return answer


@metrics.log_metrics
def _woken(_event: dict[str, Any], context: Any) -> dict[str, Any]:
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


def _tried(channel: str) -> dict[str, Any]:
    """Send one test message. Nobody is woken, and the ledger is not looked at."""
    try:
        channels = open_channels(_settings, os.environ, clock=now_us)
    except ChannelsRejected:
        logger.exception("the channels cannot be opened")
        return remote_trial.written(trial.Unopened())
    if channel in channels:
        _stale.set()
    return remote_trial.written(trial.tried(channels, channel, _settings.links_base, now_us()))


def _notifier() -> Notifier:
    if _notifiers and _stale.is_set():
        _notifiers[0].finish()
        _notifiers.clear()
    if not _notifiers:
        _stale.clear()
        notifier = open_notifier(_settings, _log, _ledger, _catalog, os.environ, clock=now_us, random=random.random)
        _notifiers.append(notifier)
    return _notifiers[0]
