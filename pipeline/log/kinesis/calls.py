"""Calls of the Kinesis API: which errors pass by themselves, and how long to wait for that.

Errors:  throttling, faults of the service and of the network pass; what the caller must mend does not.
Retries: full jitter, by the clock, sleep and dice that are handed in, until a deadline. They are ours alone: botocore's own are
         switched off (``connect``), for an append must know of every attempt.
Unsure:  a call that timed out may have been carried out all the same.

Sources: AWS Architecture Blog, "Exponential Backoff And Jitter"; Amazon Kinesis Data Streams API Reference, "Common Errors".
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    HTTPClientError,
)
from botocore.exceptions import (
    ConnectionError as ConnectionFailed,
)
from botocore.parsers import ResponseParserError

from pipeline.errors import LogUnavailable

_SHORTEST_SECONDS: Final = 0.05
_LONGEST_SECONDS: Final = 5.0
_SERVICE_FAULT: Final = 500
_PASSING: Final = frozenset(
    {
        "InternalFailure",
        "InternalFailureException",
        "KMSThrottlingException",
        "LimitExceededException",
        "ProvisionedThroughputExceededException",
        "RequestTimeout",
        "ServiceUnavailable",
        "Throttling",
        "ThrottlingException",
    }
)


class Kinesis(Protocol):
    """The methods of boto3's client that are used here."""

    def put_records(self, **request: Any) -> Mapping[str, Any]:
        """PutRecords."""
        ...

    def get_records(self, **request: Any) -> Mapping[str, Any]:
        """GetRecords."""
        ...

    def get_shard_iterator(self, **request: Any) -> Mapping[str, Any]:
        """GetShardIterator."""
        ...

    def list_shards(self, **request: Any) -> Mapping[str, Any]:
        """ListShards."""
        ...

    def describe_stream_summary(self, **request: Any) -> Mapping[str, Any]:
        """DescribeStreamSummary."""
        ...


class Passing(LogUnavailable):
    """Throttled, or a fault of the service or the network: the same call may go through later, or may have gone through."""


class IteratorExpired(LogUnavailable):
    """A shard iterator is older than five minutes. Do: open another at the last position."""


class NotThere(LogUnavailable):
    """The stream, the shard or the sequence number does not exist (any more)."""


_NAMED: Final[Mapping[str, type[LogUnavailable]]] = {
    "ExpiredIteratorException": IteratorExpired,
    "InvalidArgumentException": NotThere,
    "ResourceNotFoundException": NotThere,
} | dict.fromkeys(_PASSING, Passing)


def connect(*, region: str | None = None, endpoint_url: str | None = None, timeout_seconds: float = 10.0) -> Kinesis:
    """A client that does not retry by itself. Region and credentials are found as boto3 finds them."""
    import boto3  # noqa: PLC0415  # most of a cold start, and doors that are handed records need no client
    from botocore.config import Config  # noqa: PLC0415

    config = Config(
        connect_timeout=timeout_seconds,
        read_timeout=timeout_seconds,
        retries={"total_max_attempts": 1},
        tcp_keepalive=True,
    )
    client: Any = boto3.client("kinesis", region_name=region, endpoint_url=endpoint_url, config=config)
    return cast("Kinesis", client)


@dataclass(frozen=True, slots=True)
class Pace:
    """When to try again. ``monotonic`` and ``sleep`` are in seconds; ``random`` gives numbers from 0 up to 1.

    ``deadline_seconds`` is how long one call of the log goes on trying.
    """

    monotonic: Callable[[], float]
    sleep: Callable[[float], None]
    random: Callable[[], float]
    deadline_seconds: float

    def pause(self, attempts: int) -> float:
        """Seconds to wait after so many attempts in vain (from 1): anything up to a bound that doubles each time."""
        return self.random() * min(_LONGEST_SECONDS, _SHORTEST_SECONDS * 2.0 ** min(attempts, 16))

    def retried(self, call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
        """Call until it goes through. Raises what ``translated`` does, ``Passing`` only at the deadline."""
        deadline = self.monotonic() + self.deadline_seconds
        attempts = 0
        while True:
            try:
                return translated(call)
            except Passing:
                attempts += 1
                pause = self.pause(attempts)
                if self.monotonic() + pause >= deadline:
                    raise
                self.sleep(pause)


def translated(call: Callable[[], Mapping[str, Any]]) -> Mapping[str, Any]:
    """Call once. Raises ``Passing``, ``IteratorExpired``, ``NotThere``, or for the rest plain ``LogUnavailable``."""
    try:
        return call()
    except ClientError as refused:
        error, http = refused.response.get("Error", {}), refused.response.get("ResponseMetadata", {})
        kind = _NAMED.get(error.get("Code", ""), LogUnavailable)
        if kind is LogUnavailable and http.get("HTTPStatusCode", 0) >= _SERVICE_FAULT:
            kind = Passing
        raise kind(str(refused)) from refused
    except (ConnectionFailed, HTTPClientError, ResponseParserError) as broken:
        raise Passing(str(broken)) from broken
    except BotoCoreError as refused:
        raise LogUnavailable(str(refused)) from refused
