"""The door of redrives: a Lambda function that an operator invokes.

``{"notices": true}`` makes all dead letters pending again, ``{"notices": "<key>"}`` one; the notifier is woken to send them.
``{"retry": "<channel>"}`` has a channel that failed tried now; it is told how many notices wait for it.
``{"parked": true}`` folds all parked events again, and judges again what rules could not; ``{"parked": "<projection>"}`` what is
parked of one projection, ``{"parked": "judging"}`` what rules could not judge, which tells the log of alerts that follow.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger

from consumers.aws import catalog_of, ledger_of, store_of, timer_of
from consumers.notifier.notice import Key
from consumers.rules.engine import JUDGING
from consumers.rules.engine.opening import open_book
from consumers.rules.engine.redriving import redrive_judging
from pipeline.log.kinesis import Kind, quarantining
from pipeline.opening import dynamo_quarantine, kinesis_log, now_us, url_of
from pipeline.settings import Settings
from projections.opening import writer_token
from projections.projection import Projection
from projections.projector import ALL, named
from projections.redrive import redrive

_settings: Final = Settings.load()
_keep: Final = quarantining(dynamo_quarantine(url_of(_settings, "store_url")), kinds=frozenset(Kind) - {Kind.FOREIGN, Kind.STRAY})
_log: Final = kinesis_log(url_of(_settings, "log_url"), _keep)
_ledger: Final = ledger_of(_settings)
_store: Final = store_of(_settings)
_book: Final = open_book(catalog_of(_settings, _log), clock=now_us)
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
        outcomes = [_redriven(each) for each in _chosen(parked)]
        told["folded"], told["parked"] = (sum(column) for column in zip(*outcomes, strict=True))
    return told


def _chosen(parked: Any) -> list[Projection]:
    if parked is True:
        return [*ALL, JUDGING]
    return [JUDGING if parked == JUDGING.name else named(parked)]


def _redriven(of: Projection) -> tuple[int, int]:
    if of is JUDGING:
        return redrive_judging(_log, _store, _book, None, _token)
    return redrive(_store, of, None, _token)


def _token() -> str:
    return writer_token("redrive")
