from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import orjson
import pytest

from tests.aws.clients import Server
from tests.aws.invocation import Disturbance, Killed
from tests.aws.queue_source import QueueSource
from tests.aws.streams import fresh_name

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient


@pytest.fixture
def sqs(ministack: Server) -> "SQSClient":
    return ministack.client("sqs")


@pytest.fixture
def queue(sqs: "SQSClient") -> Iterator[str]:
    url = sqs.create_queue(QueueName=fresh_name("queue"))["QueueUrl"]
    yield url
    sqs.delete_queue(QueueUrl=url)


class Function:
    """Keeps what it was given; fails the bodies in ``poison`` so many times, in parts or by an exception."""

    def __init__(self, poison: dict[str, int] | None = None, *, raising: bool = False) -> None:
        self.batches: list[list[dict[str, Any]]] = []
        self.poison = poison or {}
        self.raising = raising

    def __call__(self, event: dict[str, Any], _: Any) -> Any:
        self.batches.append(event["Records"])
        failed = [record for record in event["Records"] if self.poison.get(record["body"], 0) > 0]
        for record in failed:
            self.poison[record["body"]] -= 1
        if failed and self.raising:
            raise ValueError
        return {"batchItemFailures": [{"itemIdentifier": record["messageId"]} for record in failed]}

    @property
    def bodies(self) -> list[list[str]]:
        return [sorted(record["body"] for record in batch) for batch in self.batches]


def hidden(sqs: "SQSClient", queue: str) -> int:
    """How many messages were received and not deleted."""
    told = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["All"])["Attributes"]
    return int(told["ApproximateNumberOfMessagesNotVisible"])


def send(sqs: "SQSClient", queue: str, bodies: str) -> None:
    for body in bodies:
        sqs.send_message(QueueUrl=queue, MessageBody=body)


def test_a_function_gets_messages_as_lambda_gives_them(sqs: "SQSClient", queue: str) -> None:
    sent = sqs.send_message(
        QueueUrl=queue, MessageBody="hello", MessageAttributes={"kind": {"StringValue": "greeting", "DataType": "String"}}
    )
    function = Function()

    QueueSource(sqs, queue, function).drain()

    ((record,),) = function.batches
    assert record.pop("receiptHandle")
    assert record.pop("attributes")["ApproximateReceiveCount"] == "1"
    assert record == {
        "messageId": sent["MessageId"],
        "body": "hello",
        "messageAttributes": {
            "kind": {"stringValue": "greeting", "stringListValues": [], "binaryListValues": [], "dataType": "String"}
        },
        "md5OfBody": "5d41402abc4b2a76b9719d911017c592",
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{queue.rpartition('/')[2]}",
        "awsRegion": "eu-central-1",
    }


def test_what_is_done_is_deleted_and_what_is_reported_comes_again(sqs: "SQSClient", queue: str) -> None:
    send(sqs, queue, "abc")
    function = Function({"b": 2})

    QueueSource(sqs, queue, function).drain()

    assert function.bodies == [["a", "b", "c"], ["b"], ["b"]]
    assert hidden(sqs, queue) == 0


def test_an_exception_brings_the_whole_batch_again(sqs: "SQSClient", queue: str) -> None:
    send(sqs, queue, "abc")
    function = Function({"b": 1}, raising=True)

    QueueSource(sqs, queue, function, batch_size=3).drain()

    assert function.bodies == [["a", "b", "c"], ["a", "b", "c"]]


def test_a_batch_can_come_twice_though_it_succeeded(sqs: "SQSClient", queue: str) -> None:
    send(sqs, queue, "ab")
    function = Function()
    fates = iter([Disturbance.AGAIN])

    QueueSource(sqs, queue, function, disturb=lambda: next(fates, Disturbance.NONE)).drain()

    assert function.bodies == [["a", "b"], ["a", "b"]]


def test_a_mapping_killed_before_it_deletes_delivers_again_when_restarted(sqs: "SQSClient", queue: str) -> None:
    send(sqs, queue, "ab")
    function = Function()

    with pytest.raises(Killed):
        QueueSource(sqs, queue, function, disturb=lambda: Disturbance.KILLED).drain()
    QueueSource(sqs, queue, function).drain()

    assert function.bodies == [["a", "b"], ["a", "b"]]


def test_what_fails_too_often_for_the_queue_goes_to_its_dead_letters(sqs: "SQSClient", queue: str) -> None:
    dead = sqs.create_queue(QueueName=fresh_name("dead"))["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    policy = orjson.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2}).decode()
    sqs.set_queue_attributes(QueueUrl=queue, Attributes={"RedrivePolicy": policy})
    send(sqs, queue, "ab")
    function = Function({"b": 99})

    QueueSource(sqs, queue, function).drain()

    assert function.bodies == [["a", "b"], ["b"]]
    assert [message["Body"] for message in sqs.receive_message(QueueUrl=dead)["Messages"]] == ["b"]
