"""A channel tried by the notifier's function: what is asked, what its answers mean, and that it is asked once."""

import struct
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler
from socket import SO_LINGER, SOL_SOCKET
from threading import Event
from typing import Any

import boto3
import orjson
import pytest
from botocore.config import Config

from consumers.aws import remote_trial_of
from consumers.notifier.channels.port import Delivered, RateLimited, Refused, Unavailable
from consumers.notifier.channels.remote_trial import CALLS, RemoteTrial, channel_to_try, read, written
from consumers.notifier.channels.trial import Ended, NoAddress, NoSuchChannel, Unopened
from consumers.notifier.errors import NotifierBusy, NotifierError, NotifierFailed, NotifierSilent
from pipeline.settings import Settings
from tests.notifier.test_webhook import Receiver, wait_for

FUNCTION = "arn:aws:lambda:eu-central-1:123456789012:function:notifier"
DELIVERED = orjson.dumps({"ended": "delivered"})
Answering = Callable[[BaseHTTPRequestHandler], None]


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """Lambda, as a server that answers as it is told."""
    made = Receiver()
    for name, value in {
        "AWS_ENDPOINT_URL_LAMBDA": made.url.partition("/hook")[0],
        "AWS_ACCESS_KEY_ID": "123456789012",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)
    yield made
    made.stop()


def answering(status: int, body: bytes, **headers: str) -> Answering:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **headers}.items():
            request.send_header(name.replace("_", "-"), value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def reset(request: BaseHTTPRequestHandler) -> None:
    request.connection.setsockopt(SOL_SOCKET, SO_LINGER, struct.pack("ii", 1, 0))
    request.connection.close()
    request.close_connection = True


def cut(request: BaseHTTPRequestHandler) -> None:
    """Half an answer."""
    request.send_response(200)
    request.send_header("Content-Length", "1000")
    request.end_headers()
    request.wfile.write(DELIVERED)
    request.close_connection = True


def trial() -> RemoteTrial:
    made = remote_trial_of(Settings(notifier_function=FUNCTION))
    assert made is not None
    return made


@pytest.mark.parametrize(
    "ended",
    [
        Delivered(),
        RateLimited(7.5),
        RateLimited(),
        Refused("404 no_service"),
        Unavailable("TimeoutError", unsure=True),
        NoSuchChannel(["ops", "spare"]),
        NoAddress(),
        Unopened(),
    ],
)
def test_whatever_came_of_it_arrives(ended: Ended) -> None:
    assert read(orjson.dumps(written(ended))) == ended


@pytest.mark.parametrize(
    "payload", [b'{"batchItemFailures":[]}', b'{"ended":"well"}', b'{"ended":"refused"}', b"null", b"[]", b""]
)
def test_what_is_no_answer_to_a_trial_is_not_taken_for_one(payload: bytes) -> None:
    with pytest.raises(NotifierFailed):
        read(payload)


def test_an_invocation_names_the_channel_to_try() -> None:
    assert channel_to_try({"try_channel": "ops"}) == "ops"


@pytest.mark.parametrize(
    "event",
    [
        {},
        {"Records": [{"eventSource": "aws:kinesis", "kinesis": {"data": "eyJ0cnlfY2hhbm5lbCI6Im9wcyJ9"}}]},
        {"Records": [{"eventSource": "aws:sqs", "body": '{"try_channel": "ops"}'}]},
        {"Records": [], "try_channel": "ops"},
        {"try_channel": ["ops"]},
        {"try_channel": None},
        {"version": "0", "detail-type": "Scheduled Event", "detail": {"try_channel": "ops"}},
    ],
)
def test_whatever_else_a_function_is_invoked_with_tries_nothing(event: dict[str, Any]) -> None:
    assert channel_to_try(event) is None


def test_the_function_is_asked_to_try_a_channel_and_its_answer_told(aws: Receiver) -> None:
    paths: list[str] = []

    def answer(request: BaseHTTPRequestHandler) -> None:
        paths.append(request.path)
        answering(200, DELIVERED)(request)

    aws.answer = answer

    assert trial()("ops") == Delivered()
    [(headers, body)] = aws.requests
    assert channel_to_try(orjson.loads(body)) == "ops"
    assert paths == ["/2015-03-31/functions/arn%3Aaws%3Alambda%3Aeu-central-1%3A123456789012%3Afunction%3Anotifier/invocations"]
    assert headers.get("x-amz-invocation-type", "RequestResponse") == "RequestResponse"


@pytest.mark.parametrize(
    ("answer", "raised"),
    [
        (answering(429, b'{"Reason":"x"}', X_Amzn_ErrorType="TooManyRequestsException"), NotifierBusy),
        (answering(403, b'{"Message":"x"}', X_Amzn_ErrorType="AccessDeniedException"), NotifierFailed),
        (answering(500, b'{"Message":"x"}', X_Amzn_ErrorType="ServiceException"), NotifierFailed),
        (answering(200, b'{"errorMessage":"x"}', X_Amz_Function_Error="Unhandled"), NotifierFailed),
        (answering(200, b'{"batchItemFailures":[]}'), NotifierFailed),
        (reset, NotifierSilent),
        (cut, NotifierSilent),
    ],
)
def test_whatever_goes_wrong_is_told_apart_and_nothing_is_asked_twice(
    aws: Receiver, answer: Answering, raised: type[NotifierError]
) -> None:
    aws.answer = answer

    with pytest.raises(raised):
        trial()("ops")

    assert len(aws.requests) == 1


def test_an_answer_that_does_not_come_is_not_waited_for_and_nothing_is_asked_twice(aws: Receiver) -> None:
    slow = Event()
    aws.answer = lambda _: wait_for(slow)
    soon = CALLS.merge(Config(read_timeout=0.3))

    with pytest.raises(NotifierSilent):
        RemoteTrial(lambda: boto3.client("lambda", config=soon), FUNCTION)("ops")

    slow.set()
    assert len(aws.requests) == 1


def test_a_function_that_cannot_be_reached_has_failed(aws: Receiver) -> None:
    aws.stop()

    with pytest.raises(NotifierFailed):
        trial()("ops")


def test_where_no_function_is_named_nothing_is_tried_from_afar() -> None:
    assert remote_trial_of(Settings()) is None
