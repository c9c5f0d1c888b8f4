"""The door of the projector: a Lambda function that folds what an event source mapping delivers of the stream.

Order:    an invocation has records of one shard, behind those of the invocation before; children of a shard come after its end.
Failure:  the batch is delivered again from its first record, without end: what was committed is left out then. Outages wait.
Bodies:   are kept, and what is no event is quarantined, before anything is folded.
Source: AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from pipeline.errors import PipelineError
from pipeline.log.kinesis import Kind, batches_of, quarantining
from pipeline.log.port import Batch
from pipeline.opening import dynamo_quarantine, kinesis_log, now_us, s3_bodies, url_of
from pipeline.settings import Settings
from projections.delivered import Delivered
from projections.errors import ProjectionError
from projections.opening import lane_stores, writer_token

_settings: Final = Settings.load()
_keep: Final = quarantining(dynamo_quarantine(url_of(_settings, "store_url")), kinds=frozenset(Kind) - {Kind.FOREIGN, Kind.STRAY})
_log: Final = kinesis_log(url_of(_settings, "log_url"), _keep)
_bodies: Final = s3_bodies(url_of(_settings, "bodies_url"))
_store_of: Final = lane_stores(url_of(_settings, "store_url"), _log, retention_days=_settings.retention_days)
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


def _stopped(why: ProjectionError) -> None:
    metrics.add_metric("stopped", MetricUnit.Count, 1)
    logger.error("a projection stops: %s", why)


_delivered: Final = Delivered(_log, _store_of, token=writer_token("projector"), on_stop=_stopped)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Fold the records of an invocation; answers with the first record if that failed."""
    metrics.add_metric("invocations", MetricUnit.Count, 1)
    try:
        for decoded in batches_of(event, _log.keys_of):
            _keep(decoded.unreadable)
            if len(decoded.batch):
                _fold(decoded.batch)
    except (PipelineError, ProjectionError):
        logger.exception("not folded; the batch is delivered again")
        metrics.add_metric("failed", MetricUnit.Count, 1)
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["kinesis"]["sequenceNumber"]}]}
    return {"batchItemFailures": []}


def _fold(batch: Batch) -> None:
    _bodies.keep(batch)
    folded = _delivered.fold(batch)
    metrics.add_metric("folded", MetricUnit.Count, folded.events)
    metrics.add_metric("parked", MetricUnit.Count, folded.parked)
    metrics.add_metric("lag", MetricUnit.Milliseconds, max(0, now_us() - batch.recorded_us[-1]) / 1000)
