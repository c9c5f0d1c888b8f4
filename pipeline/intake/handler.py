"""The door of the ingest queue: a Lambda function that appends to the stream what EventBridge put on the queue.

Failure: if the log cannot be reached the invocation fails, and the queue delivers all of it again; ids derive from what an event
         says, so what was stored already counts once. What is no finding goes to the quarantine.
"""

from typing import Any, Final

import orjson
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from pipeline.ingest import Ingest
from pipeline.log.kinesis import quarantining
from pipeline.opening import dynamo_quarantine, kinesis_log, now_us, url_of
from pipeline.settings import Settings

_settings: Final = Settings.load()
_quarantine: Final = dynamo_quarantine(url_of(_settings, "store_url"))
_ingest: Final = Ingest(
    kinesis_log(url_of(_settings, "log_url"), quarantining(_quarantine), compress_bodies=_settings.compress_bodies),
    _quarantine,
    clock=now_us,
    custom_sources=_settings.registered_sources,
)
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take all messages of an invocation, or fail as a whole; tells how many findings were accepted, known, quarantined."""
    tally = _ingest.take(orjson.dumps(event), origin="queue")
    for name in ("accepted", "duplicate", "quarantined"):
        metrics.add_metric(name, MetricUnit.Count, getattr(tally, name))
    counts = {"read": tally.read, "accepted": tally.accepted, "duplicate": tally.duplicate, "quarantined": tally.quarantined}
    return {"batchItemFailures": [], **counts}
