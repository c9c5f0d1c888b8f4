"""Streams that exist for one test."""

import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from types_boto3_kinesis import KinesisClient

DEADLINE_SECONDS = 30.0


def fresh_name(prefix: str) -> str:
    """A name that no other test has: servers are shared."""
    return f"{prefix}-{secrets.token_hex(6)}"


@contextmanager
def stream(kinesis: "KinesisClient", shards: int = 1) -> Iterator[str]:
    """The name of a new stream that is active; it is deleted afterwards."""
    name = fresh_name("stream")
    kinesis.create_stream(StreamName=name, ShardCount=shards)
    wait_until_active(kinesis, name)
    try:
        yield name
    finally:
        kinesis.delete_stream(StreamName=name, EnforceConsumerDeletion=True)


def wait_until_active(kinesis: "KinesisClient", name: str) -> None:
    """Return when the stream takes records and changes again."""
    deadline = time.monotonic() + DEADLINE_SECONDS
    while kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]["StreamStatus"] != "ACTIVE":
        assert time.monotonic() < deadline, f"stream {name} does not become active"
        time.sleep(0.005)
