"""The functions of the central stack, imported as Lambda would, over a stream, a table and a bucket of local servers."""

import importlib
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import ModuleType
from typing import Any

import boto3
import pytest

from tests.aws.clients import ACCOUNT, REGION, Server
from tests.aws.event_source import EventSource
from tests.aws.invocation import Context
from tests.aws.streams import fresh_name, stream
from tests.support.dynamo import make_table

DOORS = (
    "pipeline.intake.handler",
    "pipeline.republish.handler",
    "projections.handler",
    "consumers.rules.handler",
    "consumers.notifier.handler",
    "pipeline.desks.handler",
    "consumers.api.handler",
    "consumers.reports.handler",
    "consumers.silence.handler",
    "projections.sweep.handler",
    "consumers.redrive.handler",
    "consumers.jobs.handler",
)


SIGNING_KEYS = json.dumps({"first": "k" * 64})
"""As the template generates them."""


@dataclass(frozen=True)
class Central:
    """The central account on local servers. ``doors`` are imported on first use."""

    kinesis: Server
    stream: str
    table: str
    aws: Server
    timer: str

    def wakes(self) -> int:
        """How many messages of the notifier's timer are under way, due or not."""
        told = self.aws.client("sqs").get_queue_attributes(QueueUrl=self.timer, AttributeNames=["All"])["Attributes"]
        return int(told["ApproximateNumberOfMessages"]) + int(told["ApproximateNumberOfMessagesDelayed"])

    def door(self, name: str) -> ModuleType:
        return importlib.import_module(name)

    def invoke(self, name: str, event: dict[str, Any]) -> Any:
        return self.door(name).handler(event, Context(name))

    def source(self, name: str, **options: Any) -> EventSource:
        """The event source mapping of a function."""
        return EventSource(self.kinesis.client("kinesis"), self.stream, self.door(name).handler, **options)


@contextmanager
def central(kinesis: Server, aws: Server, patch: pytest.MonkeyPatch, *, shards: int = 2, **environment: str) -> Iterator[Central]:
    """A stream on ``kinesis``, the rest on ``aws``."""
    bucket = fresh_name("bucket")
    aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    table = make_table(aws, fresh_name("doors"))
    secret = aws.client("secretsmanager").create_secret(Name=fresh_name("keys"), SecretString=SIGNING_KEYS)["ARN"]
    timer = aws.client("sqs").create_queue(QueueName=fresh_name("timer"))["QueueUrl"]
    with stream(kinesis.client("kinesis"), shards) as name:
        for variable, value in {
            "AWS_ACCESS_KEY_ID": ACCOUNT,
            "AWS_SECRET_ACCESS_KEY": "secret",
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ENDPOINT_URL": aws.url,
            "AWS_ENDPOINT_URL_KINESIS": kinesis.url,
            "FINDSTREAM_LOG_URL": f"kinesis://{name}",
            "FINDSTREAM_STORE_URL": f"dynamodb://{table}",
            "FINDSTREAM_SIGNING_KEYS_SECRET": secret,
            "FINDSTREAM_NOTIFIER_TIMER_URL": timer,
            "FINDSTREAM_NOTIFIER_FUNCTION": f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:notifier",
            "FINDSTREAM_BODIES_URL": f"s3://{bucket}/bodies",
            "POWERTOOLS_SERVICE_NAME": "findstream",
            "POWERTOOLS_METRICS_NAMESPACE": "findstream",
            "POWERTOOLS_TRACE_DISABLED": "true",
            **environment,
        }.items():
            patch.setenv(variable, value)
        patch.setattr(boto3, "DEFAULT_SESSION", None)
        forget_doors()
        try:
            yield Central(kinesis, name, table, aws, timer)
        finally:
            forget_doors()


def forget_doors() -> None:
    """So that the next import reads the environment anew."""
    for name in DOORS:
        sys.modules.pop(name, None)
