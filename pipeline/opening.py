"""How the parts of this package on AWS are opened from the settings: the one place that knows their clients, clock and dice.

Only doors use this. What AWS needs to know beside (region, credentials, another endpoint) boto3 finds where it always does.
"""

import os
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError
from uuid6 import uuid7

from pipeline.bodies.s3 import S3Bodies
from pipeline.desks.recorder.dynamodb import open_dynamodb
from pipeline.desks.recorder.port import Recorders
from pipeline.errors import SettingRejected
from pipeline.log.kinesis import KinesisLog, connect
from pipeline.log.kinesis.unreadable import Sink
from pipeline.quarantine.dynamodb import DynamoQuarantine
from pipeline.settings import Settings

_CALLS: Final = Config(connect_timeout=3, read_timeout=10, retries={"mode": "standard", "total_max_attempts": 3})


def now_us() -> int:
    """The time of day, in microseconds since the epoch."""
    return time.time_ns() // 1000  # noqa: TID251 -- the doors' clock


def client(service: str, calls: Config = _CALLS) -> Any:
    """A client of an AWS service, with time-outs that fit a function's life. Raises ``SettingRejected`` as ``_configured``."""
    with _configured():
        return boto3.client(service, region_name=_region(), config=calls)  # type: ignore[call-overload]  # any service


def _region() -> str | None:
    """Where everything is. boto3 itself reads AWS_DEFAULT_REGION only, the AWS command line AWS_REGION too."""
    return os.environ.get("AWS_REGION")


@contextmanager
def _configured() -> Iterator[None]:
    """Raise ``SettingRejected`` if boto3 does not find what it needs: a region, or the profile that was named."""
    try:
        yield
    except BotoCoreError as missing:
        message = f"AWS_REGION, AWS_PROFILE: {missing}"
        raise SettingRejected(message) from missing


def url_of(settings: Settings, name: str) -> str:
    """A URL that this door cannot do without. Raises ``SettingRejected`` naming the variable and its form."""
    url: str | None = getattr(settings, name)
    if url is None:
        example = (Settings.model_fields[name].examples or [""])[0]
        message = f"FINDSTREAM_{name.upper()}: is not set; write it as {example}"
        raise SettingRejected(message)
    return url


def name_in(url: str) -> str:
    """What a ``scheme://name`` names."""
    return url.partition("://")[2]


def kinesis_log(url: str, on_unreadable: Sink, *, compress_bodies: bool = False) -> KinesisLog:
    """The log on the stream of ``kinesis://stream``. It reads events packed or plain, whichever it appends."""
    with _configured():
        kinesis = connect(region=_region())
    return KinesisLog(
        kinesis,
        name_in(url),
        on_unreadable=on_unreadable,
        clock=now_us,
        monotonic=time.monotonic,
        sleep=time.sleep,
        random=random.random,
        compress_bodies=compress_bodies,
    )


def dynamo_quarantine(url: str) -> DynamoQuarantine:
    """The quarantine in the table of ``dynamodb://table``."""
    return DynamoQuarantine(client("dynamodb"), name_in(url), clock=now_us, dice=random.Random())  # noqa: S311 -- jitter


def dynamo_desks(url: str) -> Recorders:
    """What keeps the desks' facts, in the table of ``dynamodb://table``."""
    return open_dynamodb(client("dynamodb"), name_in(url), token=lambda: str(uuid7()), dice=random.Random())  # noqa: S311 -- jitter


def s3_bodies(url: str) -> S3Bodies:
    """The bodies in ``s3://bucket/prefix``."""
    bucket, _, prefix = name_in(url).partition("/")
    return S3Bodies(client("s3"), bucket, f"{prefix}/" if prefix else "")
