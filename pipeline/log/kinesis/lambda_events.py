"""What an event source mapping hands to a Lambda function, as batches of the log. Pure.

Order:     as in the event: each shard's records in their order.
Positions: carry the sequence number of the Kinesis record; ``str(position.sequence)`` is what ``batchItemFailures`` names.
           The mapping redelivers from the lowest of those, whole records: what was folded of that record comes again.

Source: AWS Lambda Developer Guide, "Process Amazon Kinesis Data Streams records with Lambda".
"""

from base64 import b64decode
from collections.abc import Callable, Mapping
from typing import Any

from pipeline.log.kinesis.decoding import ALL_KEYS, Decoded, Stored, decode


def batches_of(event: Mapping[str, Any], keys_of: Callable[[str], range] = lambda _: ALL_KEYS) -> list[Decoded]:
    """The events of an invocation, a batch a shard, each with what could not be read.

    ``keys_of`` gives the hash keys that a shard owns (they never change); without it strays are read as events, which repeat
    what their producer appended again.
    """
    by_shard: dict[str, list[Stored]] = {}
    for record in event["Records"]:
        shard, _, _ = record["eventID"].partition(":")
        kinesis = record["kinesis"]
        arrived_us = round(kinesis["approximateArrivalTimestamp"] * 1_000) * 1_000
        by_shard.setdefault(shard, []).append(Stored(int(kinesis["sequenceNumber"]), b64decode(kinesis["data"]), arrived_us))
    return [decode(shard, records, keys_of(shard)) for shard, records in by_shard.items()]
