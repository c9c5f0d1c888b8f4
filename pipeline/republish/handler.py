"""The door of foreign records: a Lambda function that takes what others put on the stream, and appends it as events.

Reads:    everything on the stream; looks only at what is no event. Projections pass the originals by.
Failure:  if log or quarantine cannot be reached the invocation fails, and the whole batch is delivered again, without end.
Identity: ids derive from what an event says, so a record that is delivered again is the same event.
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from pipeline.ingest import Ingest
from pipeline.log.kinesis import Kind, batches_of, quarantining
from pipeline.opening import dynamo_quarantine, kinesis_log, now_us, url_of
from pipeline.settings import Settings

_settings: Final = Settings.load()
_quarantine: Final = dynamo_quarantine(url_of(_settings, "store_url"))
_keep: Final = quarantining(_quarantine, kinds=frozenset(Kind) - {Kind.FOREIGN, Kind.STRAY})
_log: Final = kinesis_log(url_of(_settings, "log_url"), _keep, compress_bodies=_settings.compress_bodies)
_ingest: Final = Ingest(_log, _quarantine, clock=now_us, custom_sources=_settings.registered_sources)
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Take the foreign records of an invocation; returns ``batchItemFailures``, which are none: what fails, fails whole."""
    unreadable = [one for decoded in batches_of(event, _log.keys_of) for one in decoded.unreadable]
    _keep(unreadable)
    tallies = [_ingest.take(one.payload, origin=f"log {one.position}") for one in unreadable if one.kind is Kind.FOREIGN]
    metrics.add_metric("republished", MetricUnit.Count, sum(tally.accepted for tally in tallies))
    metrics.add_metric("quarantined", MetricUnit.Count, sum(tally.quarantined for tally in tallies))
    return {"batchItemFailures": []}
