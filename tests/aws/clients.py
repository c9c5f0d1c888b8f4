"""Where a local AWS server answers, and boto3 clients for it: fake credentials, short time-outs, no retry unless asked for."""

from dataclasses import dataclass
from functools import cache
from threading import Lock
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Unpack, overload

if TYPE_CHECKING:
    from types_boto3_dynamodb import DynamoDBClient
    from types_boto3_kinesis import KinesisClient
    from types_boto3_lambda import LambdaClient
    from types_boto3_s3 import S3Client
    from types_boto3_sqs import SQSClient

REGION = "eu-central-1"
ACCOUNT = "123456789012"


class Options(TypedDict, total=False):
    """How a client behaves, where it shall not as by default."""

    account: str
    """12 digits; in ministack each account is a world of its own. By default ``ACCOUNT``."""
    attempts: int
    """How often boto3 tries a call, the first one included. By default 1."""
    read_timeout_seconds: float
    """How long it waits for an answer. By default 20."""


@dataclass(frozen=True, slots=True)
class Server:
    """A server, or something in front of one, at ``url``."""

    name: str
    url: str

    @overload
    def client(self, service: Literal["kinesis"], **options: Unpack[Options]) -> "KinesisClient": ...
    @overload
    def client(self, service: Literal["dynamodb"], **options: Unpack[Options]) -> "DynamoDBClient": ...
    @overload
    def client(self, service: Literal["s3"], **options: Unpack[Options]) -> "S3Client": ...
    @overload
    def client(self, service: Literal["sqs"], **options: Unpack[Options]) -> "SQSClient": ...
    @overload
    def client(self, service: Literal["lambda"], **options: Unpack[Options]) -> "LambdaClient": ...
    @overload
    def client(self, service: str, **options: Unpack[Options]) -> Any: ...
    def client(self, service: str, **options: Unpack[Options]) -> Any:
        """A boto3 client of this server; threads may share it."""
        from botocore.config import Config  # noqa: PLC0415  # most tests need no AWS, and its import is slow

        config = Config(
            connect_timeout=5,
            read_timeout=options.get("read_timeout_seconds", 20.0),
            retries={"total_max_attempts": options.get("attempts", 1), "mode": "standard"},
            s3={"addressing_style": "path"},
            max_pool_connections=32,
        )
        with _making:
            return _session(options.get("account", ACCOUNT)).client(service, endpoint_url=self.url, config=config)


_making = Lock()
"""A session must not make two clients at once."""


@cache
def _session(account: str) -> Any:
    """What remembers the services' descriptions, which are slow to read."""
    import boto3  # noqa: PLC0415  # most tests need no AWS, and its import is slow

    return boto3.session.Session(aws_access_key_id=account, aws_secret_access_key="secret", region_name=REGION)
