"""How Lambda's event source mappings invoke a function, and what they read from its answer.

Sources, all in the AWS Lambda Developer Guide:
    "Configuring partial batch response with Kinesis Data Streams and Lambda" (success and failure conditions)
    "Handling errors for an SQS event source in Lambda" (implementing partial batch responses)
    "Using the Lambda context object to retrieve Python function information"
"""

import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

import orjson

from tests.aws.clients import ACCOUNT, REGION


@dataclass(frozen=True, slots=True)
class Context:
    """What a function may ask about its own invocation."""

    aws_request_id: str
    function_name: str = "function"
    function_version: str = "$LATEST"
    memory_limit_in_mb: int = 256
    remaining_milliseconds: int = 60_000

    @property
    def invoked_function_arn(self) -> str:
        return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{self.function_name}"

    @property
    def log_group_name(self) -> str:
        return f"/aws/lambda/{self.function_name}"

    @property
    def log_stream_name(self) -> str:
        return "2026/01/01/[$LATEST]0"

    def get_remaining_time_in_millis(self) -> int:
        return self.remaining_milliseconds


Handler = Callable[[dict[str, Any], Any], Any]
"""A Lambda function: an event and a context in, JSON or an exception out."""


class Killed(Exception):
    """The mapping died after the function had returned and before it moved its checkpoint. A new one can go on from there."""


class StillFailing(Exception):
    """A batch failed more often than the test allows; Lambda would try on. The cause is what the function raised last."""


class Disturbance(Enum):
    """What befalls a batch whose function has returned."""

    NONE = auto()
    AGAIN = auto()
    """The answer is lost; the same batch is delivered once more."""
    KILLED = auto()
    """The mapping dies before it moves its checkpoint."""


Disturb = Callable[[], Disturbance]


def undisturbed() -> Disturbance:
    return Disturbance.NONE


def disturbing(seed: int, *, again: float = 0.0, killed: float = 0.0) -> Disturb:
    """Disturbances with these probabilities; one function shared by all restarts goes on where it was."""
    dice = random.Random(seed)

    def draw() -> Disturbance:
        (drawn,) = dice.choices([Disturbance.AGAIN, Disturbance.KILLED, Disturbance.NONE], [again, killed, 1 - again - killed])
        return drawn

    return draw


def invoke(handler: Handler, event: dict[str, Any], request_id: str) -> Any:
    """The function's answer. Event and answer travel as JSON, so nothing else gets through."""
    answer = handler(orjson.loads(orjson.dumps(event)), Context(request_id))
    return orjson.loads(orjson.dumps(answer))


def failed_items(answer: Any, identifiers: Sequence[str]) -> list[int]:
    """Which items of a batch failed, as indices in order, by a function's answer.

    None, ``{}`` and an absent, null or empty list of failures: none. An identifier that is empty, null, absent (a wrong key) or
    not of the batch: all. An answer that is not an object counts as a failure of all, too.
    """
    if answer is None:
        return []
    everything = list(range(len(identifiers)))
    failures = (answer.get("batchItemFailures") or []) if isinstance(answer, Mapping) else None
    if not isinstance(failures, list):
        return everything
    reported = [failure.get("itemIdentifier") if isinstance(failure, Mapping) else None for failure in failures]
    if not all(identifier in identifiers for identifier in reported):
        return everything
    return [index for index in everything if identifiers[index] in reported]
