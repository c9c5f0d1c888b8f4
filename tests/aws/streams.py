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


def reshard(kinesis: "KinesisClient", name: str, turn: int) -> None:
    """Split a shard, or merge two neighbours."""
    listed = kinesis.list_shards(StreamName=name)["Shards"]
    active = sorted(
        (shard for shard in listed if "EndingSequenceNumber" not in shard["SequenceNumberRange"]),
        key=lambda shard: int(shard["HashKeyRange"]["StartingHashKey"]),
    )
    if turn % 3 == 2 and len(active) > 2:
        left, right = active[turn % (len(active) - 1) :][:2]
        kinesis.merge_shards(StreamName=name, ShardToMerge=left["ShardId"], AdjacentShardToMerge=right["ShardId"])
    else:
        shard = active[turn % len(active)]
        first, last = (int(shard["HashKeyRange"][end]) for end in ("StartingHashKey", "EndingHashKey"))
        middle = str((first + last) // 2)
        kinesis.split_shard(StreamName=name, ShardToSplit=shard["ShardId"], NewStartingHashKey=middle)
    wait_until_active(kinesis, name)
