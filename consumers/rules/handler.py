"""The door of the rules: a Lambda function that judges what an event source mapping delivers of the stream.

Order:    an invocation has records of one shard, behind those of the invocation before; children of a shard come after its end.
Failure:  the batch is delivered again from its first record, without end: what was committed is left out then, and what it owes
          is told. Outages wait.
Start:    of a table in which nothing was judged yet, with what is delivered first; rules that were in force before catch up.
Source: AWS Lambda Developer Guide, "Using Lambda to process records from Amazon Kinesis Data Streams".
"""

from typing import Any, Final

from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit

from consumers.aws import catalog_of
from consumers.rules.engine.delivered import DeliveredRules
from consumers.rules.engine.opening import open_book
from consumers.rules.errors import RulesError
from pipeline.errors import PipelineError
from pipeline.log.kinesis import Kind, batches_of, quarantining
from pipeline.opening import dynamo_quarantine, kinesis_log, now_us, url_of
from pipeline.settings import Settings
from projections.errors import ProjectionError
from projections.opening import lane_stores, writer_token

_REFRESH_US: Final = 2_000_000
_settings: Final = Settings.load()
_keep: Final = quarantining(dynamo_quarantine(url_of(_settings, "store_url")), kinds=frozenset(Kind) - {Kind.FOREIGN, Kind.STRAY})
_log: Final = kinesis_log(url_of(_settings, "log_url"), _keep)
_book: Final = open_book(catalog_of(_settings, _log), clock=now_us, refresh_us=_REFRESH_US)
_store_of: Final = lane_stores(url_of(_settings, "store_url"), _log, retention_days=_settings.retention_days)
logger: Final = Logger(level=_settings.log_level)
metrics: Final = Metrics()


def _stopped(why: ProjectionError) -> None:
    metrics.add_metric("stopped", MetricUnit.Count, 1)
    logger.error("judging stops: %s", why)


_rules: Final = DeliveredRules(_log, _store_of, _book, token=writer_token("rules"), clock=now_us, on_stop=_stopped)


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], _context: Any) -> dict[str, Any]:
    """Judge the records of an invocation; answers with the first record if that failed."""
    metrics.add_metric("invocations", MetricUnit.Count, 1)
    try:
        for decoded in batches_of(event, _log.keys_of):
            _keep(decoded.unreadable)
            if len(decoded.batch):
                judged = _rules.judge(decoded.batch)
                metrics.add_metric("judged", MetricUnit.Count, judged.events)
                metrics.add_metric("parked", MetricUnit.Count, judged.parked)
                metrics.add_metric("lag", MetricUnit.Milliseconds, max(0, now_us() - decoded.batch.recorded_us[-1]) / 1000)
    except (PipelineError, ProjectionError, RulesError):
        logger.exception("not judged; the batch is delivered again")
        metrics.add_metric("failed", MetricUnit.Count, 1)
        return {"batchItemFailures": [{"itemIdentifier": event["Records"][0]["kinesis"]["sequenceNumber"]}]}
    return {"batchItemFailures": []}
