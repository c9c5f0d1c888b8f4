"""Bodies in an S3 bucket: an object a batch, found by listing one name behind a position.

Cost:  a PUT a batch, whatever its size; a LIST and a GET for each batch that is read from.
Order: a listing is strongly consistent and, in general purpose buckets, sorted by name (Amazon S3 User Guide, "Amazon S3 data
       consistency model", "Listing object keys programmatically").
"""

from collections.abc import Sequence
from typing import Any

import zstandard
from botocore.exceptions import BotoCoreError, ClientError

from pipeline.bodies import objects
from pipeline.errors import BodiesUnavailable
from pipeline.log.port import Batch, Position, Record


class S3Bodies:
    """The port on ``bucket``, under ``prefix`` (empty, or ending in ``/``). ``client`` is boto3's and retries by itself."""

    def __init__(self, client: Any, bucket: str, prefix: str = "") -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix

    def keep(self, batch: Batch) -> None:
        """Keep a batch, as the port says."""
        if len(batch):
            key = self._prefix + objects.name(batch)
            self._call("put_object", Key=key, Body=objects.encode(batch), ContentType="application/zstd")

    def fetch(self, positions: Sequence[Position]) -> list[Record | None]:
        """The events at these positions, as the port says."""
        return objects.fetch(positions, self._find)

    def _find(self, position: Position) -> Batch | None:
        folder, after = f"{self._prefix}{position.shard}/", self._prefix + objects.just_before(position)
        listed = self._call("list_objects_v2", Prefix=folder, StartAfter=after, MaxKeys=1).get("Contents")
        if not listed:
            return None
        data = self._call("get_object", Key=listed[0]["Key"])["Body"].read()
        try:
            return objects.decode(position.shard, data)
        except zstandard.ZstdError as broken:
            message = f"s3://{self._bucket}/{listed[0]['Key']} cannot be read back: {broken}"
            raise BodiesUnavailable(message) from broken

    def _call(self, name: str, **request: Any) -> Any:
        try:
            return getattr(self._client, name)(Bucket=self._bucket, **request)
        except (BotoCoreError, ClientError) as failure:
            message = f"s3://{self._bucket}: {failure}"
            raise BodiesUnavailable(message) from failure
