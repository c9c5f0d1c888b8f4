"""Calls: which errors pass, and how long they are waited for."""

from collections.abc import Callable

import pytest
from botocore.exceptions import ConnectTimeoutError, EndpointConnectionError, NoCredentialsError, ReadTimeoutError
from botocore.parsers import ResponseParserError

from pipeline.errors import LogUnavailable
from pipeline.log.kinesis import connect
from pipeline.log.kinesis.calls import IteratorExpired, NotThere, Pace, Passing, translated
from tests.aws.fake_kinesis import Machine, refusal


def failing(error: Exception) -> Callable[[], dict[str, str]]:
    def call() -> dict[str, str]:
        raise error

    return call


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (refusal("PutRecords", "ProvisionedThroughputExceededException"), Passing),
        (refusal("PutRecords", "KMSThrottlingException"), Passing),
        (refusal("PutRecords", "NeverHeardOf", 503), Passing),
        (ReadTimeoutError(endpoint_url="u"), Passing),
        (ConnectTimeoutError(endpoint_url="u"), Passing),
        (EndpointConnectionError(endpoint_url="u"), Passing),
        (ResponseParserError("half an answer"), Passing),
        (refusal("GetRecords", "ExpiredIteratorException"), IteratorExpired),
        (refusal("GetRecords", "ResourceNotFoundException"), NotThere),
        (refusal("GetShardIterator", "InvalidArgumentException"), NotThere),
        (refusal("PutRecords", "AccessDeniedException"), LogUnavailable),
        (NoCredentialsError(), LogUnavailable),
    ],
)
def test_an_error_is_named_for_what_is_to_be_done_about_it(error: Exception, kind: type[LogUnavailable]) -> None:
    with pytest.raises(LogUnavailable) as raised:
        translated(failing(error))

    assert kind is type(raised.value)
    assert str(error) == str(raised.value)


def test_pauses_are_any_part_of_a_bound_that_doubles_up_to_five_seconds() -> None:
    widest, machine = Machine(dice=1.0), Machine(dice=0.0)
    pace = Pace(widest.monotonic, widest.sleep, widest.random, 30)

    assert [pace.pause(attempts) for attempts in (1, 2, 3)] == [0.1, 0.2, 0.4]
    assert [pace.pause(attempts) for attempts in (7, 1_000_000)] == [5.0, 5.0]
    assert Pace(machine.monotonic, machine.sleep, machine.random, 30).pause(5) == 0


def test_a_client_of_ours_leaves_retries_to_us() -> None:
    client = connect(region="eu-central-1", endpoint_url="http://127.0.0.1:1", timeout_seconds=3)

    config = client.meta.config  # type: ignore[attr-defined]
    assert {"mode": "legacy", "total_max_attempts": 1} | config.retries == config.retries
    assert (config.connect_timeout, config.read_timeout) == (3, 3)
