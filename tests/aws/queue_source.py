"""An SQS event source mapping as AWS Lambda documents it, for functions in this process and queues on any local server.

``ReportBatchItemFailures`` is on. What is not done is visible again at once, where Lambda leaves it hidden until the queue's
visibility time-out: tests do not wait. A queue's own redrive policy moves what was received too often.

Sources, in the AWS Lambda Developer Guide:
    EVENT     "Using Lambda with Amazon SQS"
    FAILURES  "Handling errors for an SQS event source in Lambda"
"""

from typing import TYPE_CHECKING, Any

from tests.aws.clients import ACCOUNT, REGION
from tests.aws.invocation import Disturb, Disturbance, Handler, Killed, failed_items, invoke, undisturbed

if TYPE_CHECKING:
    from types_boto3_sqs import SQSClient
    from types_boto3_sqs.type_defs import MessageTypeDef

RECEIVE_LIMIT = 10
"""The most messages that one call of ReceiveMessage gives."""


class QueueSource:
    """Invokes ``handler`` with batches of the queue's messages; deletes those that it has done.

    At least once (EVENT): ``disturb`` is asked after each invocation, and may have the batch come again.
    """

    def __init__(
        self,
        sqs: "SQSClient",
        queue_url: str,
        handler: Handler,
        *,
        batch_size: int = RECEIVE_LIMIT,
        disturb: Disturb = undisturbed,
    ) -> None:
        self.invocations = 0
        self._sqs = sqs
        self._queue_url = queue_url
        self._handler = handler
        self._batch_size = min(batch_size, RECEIVE_LIMIT)
        self._disturb = disturb

    def drain(self) -> None:
        """Poll until the queue gives nothing: it is empty, or a redrive policy took what failed."""
        while self.poll():
            pass

    def poll(self) -> int:
        """Deliver at most one batch; how many messages it had. Raises ``Killed``."""
        messages = self._sqs.receive_message(
            QueueUrl=self._queue_url,
            MaxNumberOfMessages=self._batch_size,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        ).get("Messages", [])
        if messages:
            self._deliver(messages)
        return len(messages)

    def _deliver(self, messages: list["MessageTypeDef"]) -> None:
        failed = set(self._invoke(messages))
        disturbance = self._disturb()
        if disturbance is not Disturbance.NONE:
            failed = set(range(len(messages)))
        for index, message in enumerate(messages):
            receipt = message["ReceiptHandle"]
            if index in failed:
                self._sqs.change_message_visibility(QueueUrl=self._queue_url, ReceiptHandle=receipt, VisibilityTimeout=0)
            else:
                self._sqs.delete_message(QueueUrl=self._queue_url, ReceiptHandle=receipt)
        if disturbance is Disturbance.KILLED:
            raise Killed(self._queue_url)

    def _invoke(self, messages: list["MessageTypeDef"]) -> list[int]:
        """The messages that the function has not done: all after an exception, else what it reports (FAILURES)."""
        self.invocations += 1
        event = {"Records": [_event_record(self._queue_url, message) for message in messages]}
        try:
            answer = invoke(self._handler, event, f"request-{self.invocations}")
        except Exception:  # noqa: BLE001  # a function's error, whichever, fails its batch
            return list(range(len(messages)))
        return failed_items(answer, [message["MessageId"] for message in messages])


def _event_record(queue_url: str, message: "MessageTypeDef") -> dict[str, Any]:
    """A message as a function sees it (EVENT, example event)."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": dict(message["Attributes"]),
        "messageAttributes": {name: _event_attribute(value) for name, value in message.get("MessageAttributes", {}).items()},
        "md5OfBody": message["MD5OfBody"],
        "eventSource": "aws:sqs",
        "eventSourceARN": f"arn:aws:sqs:{REGION}:{ACCOUNT}:{queue_url.rpartition('/')[2]}",
        "awsRegion": REGION,
    }


def _event_attribute(value: Any) -> dict[str, Any]:
    """Names begin in lower case here; binary values, which nobody sends to a function of ours, are refused."""
    return {
        "stringValue": value["StringValue"],
        "stringListValues": [],
        "binaryListValues": [],
        "dataType": value["DataType"],
    }
