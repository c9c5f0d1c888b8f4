"""The door of redrives: a Lambda function that an operator invokes.

``{"notices": true}`` makes all dead letters pending again, ``{"notices": "<key>"}`` one; the notifier is woken to send them.
``{"retry": "<channel>"}`` has a channel that failed tried now; it is told how many notices wait for it.
``{"parked": true}`` folds all parked events again, ``{"parked": "<projection>"}`` those of one projection. What rules could not
judge is left to ``findstream parked redrive``, which may write to the log.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import ledger_of, store_of, timer_of
from consumers.notifier.notice import Key
from pipeline.opening import now_us
from pipeline.settings import Settings
from projections.opening import writer_token
from projections.projector import ALL, named
from projections.redrive import redrive

_settings: Final = Settings.load()
_ledger: Final = ledger_of(_settings)
_store: Final = store_of(_settings)
_timer: Final = timer_of(_settings)
logger: Final = Logger(level=_settings.log_level)


@logger.inject_lambda_context
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Redrive what is asked for; returns how many. Raises ``ValueError`` or ``KeyError`` for what there is not."""
    told: dict[str, Any] = {}
    if notices := event.get("notices"):
        told["notices"] = _ledger.redrive(None if notices is True else Key.parse(notices), now_us())
        _timer.wake()
    if channel := event.get("retry"):
        told["retry"] = _ledger.retry(channel, now_us())
        _timer.wake()
    if parked := event.get("parked"):
        chosen = ALL if parked is True else [named(parked)]
        outcomes = [redrive(_store, each, None, lambda: writer_token("redrive")) for each in chosen]
        told["folded"], told["parked"] = (sum(column) for column in zip(*outcomes, strict=True))
    return told
