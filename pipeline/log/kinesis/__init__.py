"""The log on a Kinesis data stream."""

from pipeline.log.kinesis.calls import connect
from pipeline.log.kinesis.lambda_events import batches_of
from pipeline.log.kinesis.log import KinesisLog
from pipeline.log.kinesis.unreadable import Kind, Unreadable, quarantining

__all__ = ["Kind", "KinesisLog", "Unreadable", "batches_of", "connect", "quarantining"]
