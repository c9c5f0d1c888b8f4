"""The door of the agent: a Lambda function in each watched account, started every five minutes by EventBridge Scheduler.

Its schedule's input is ``{"time": "<aws.scheduler.scheduled-time>"}``; what else it may be, ``pipeline.collectors.window`` tells.
"""

import os
import random
import time
from dataclasses import asdict
from typing import Any

import boto3
from aws_lambda_powertools.logging import Logger
from aws_lambda_powertools.metrics import Metrics, MetricUnit
from botocore.config import Config

from pipeline.collectors.agent import Agent
from pipeline.collectors.options import Options
from pipeline.collectors.place import Place

_options = Options.of(os.environ)
_calls = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})
_session: Any = boto3.session.Session()
_agent = Agent(
    _options,
    logs=_session.client("logs", config=_calls),
    functions=_session.client("lambda", config=_calls),
    events=_session.client("events", config=_calls, region_name=_options.bus_region),
    now_ms=lambda: time.time_ns() // 1_000_000,  # noqa: TID251  # a door reads the clock
    clock=time.monotonic,
    sleep=time.sleep,
    random=random.random,
)
logger = Logger(service="findstream-agent")
metrics = Metrics(namespace="findstream", service="findstream-agent")


@logger.inject_lambda_context
@metrics.log_metrics
def handler(event: dict[str, Any], context: Any) -> dict[str, Any]:
    """Run the agent once; returns its report. An exception fails the invocation, which Lambda tries again."""
    metrics.add_metric("runs", MetricUnit.Count, 1)
    place = Place.of_function(context.invoked_function_arn)
    report = asdict(_agent.run(event, place, remaining_seconds=context.get_remaining_time_in_millis() / 1000))
    for name in ("lines", "published", "beyond", "timed_out", "unfinished"):
        metrics.add_metric(name, MetricUnit.Count, report[name])
    logger.info("run done", extra=report)
    return report
