"""A channel tried by the notifier's function, where its secrets are, for a server that is not given them.

Wire:    the function is invoked with ``{"try_channel": "ops"}`` and nothing else, and answers with what came of it. Whatever else
         it is invoked with wakes it, as ever.
Once:    a request is made once, whatever comes of it: a second one would send a second message.
Waiting: shorter than the API's function lives, so that who asked is told what became of it.
Source:  AWS Lambda API Reference, "Invoke" (TooManyRequestsException, FunctionError).
"""

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final

import orjson
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectionClosedError,
    IncompleteReadError,
    ReadTimeoutError,
    ResponseStreamingError,
)

from consumers.notifier.channels.port import Delivered, RateLimited, Refused, Unavailable
from consumers.notifier.channels.trial import Ended, NoAddress, NoSuchChannel, Unopened
from consumers.notifier.errors import NotifierBusy, NotifierFailed, NotifierSilent

if TYPE_CHECKING:
    from types_boto3_lambda import LambdaClient

CONNECT_SECONDS: Final = 2
ANSWER_SECONDS: Final = 22
CALLS: Final = Config(connect_timeout=CONNECT_SECONDS, read_timeout=ANSWER_SECONDS, retries={"total_max_attempts": 1})
"""How the client that ``RemoteTrial`` is given has to call."""

_CHANNEL: Final = "try_channel"
_ENDED: Final = "ended"
_ENDS: Final[Mapping[str, type[Ended]]] = {
    "delivered": Delivered,
    "rate_limited": RateLimited,
    "refused": Refused,
    "unavailable": Unavailable,
    "no_such_channel": NoSuchChannel,
    "no_address": NoAddress,
    "unopened": Unopened,
}
_BUSY: Final = "TooManyRequestsException"
_BROKE_OFF: Final = (ReadTimeoutError, ConnectionClosedError, ResponseStreamingError, IncompleteReadError)

_logger = logging.getLogger(__name__)


def channel_to_try(event: Mapping[str, Any]) -> str | None:
    """The channel that an invocation of the notifier's function asks to try; None if it is to wake the notifier."""
    match event:
        case {"try_channel": str(name), **others} if not others:
            return name
        case _:
            return None


def written(ended: Ended) -> dict[str, Any]:
    """What came of it as a document, as ``read`` understands it."""
    return {_ENDED: next(name for name, kind in _ENDS.items() if type(ended) is kind), **asdict(ended)}


def read(payload: bytes) -> Ended:
    """What came of it. Raises ``NotifierFailed`` if that is not what the payload tells."""
    try:
        document = orjson.loads(payload)
        return _ENDS[document.pop(_ENDED)](**document)
    except (AttributeError, KeyError, TypeError, ValueError):
        message = "the notifier's function answered something else: it is of another build"
        raise NotifierFailed(message) from None


class RemoteTrial:
    """Tries channels by the function of that ARN. ``client`` makes a client of Lambda for each trial, of which there are few.

    So none is made that is never used, and no trial meets a connection that broke while this function was frozen.
    """

    def __init__(self, client: "Callable[[], LambdaClient]", function: str) -> None:
        self._client = client
        self._function = function

    def __call__(self, channel: str) -> Ended:
        """Have one test message sent to the channel. Raises ``NotifierBusy``, ``NotifierFailed``, ``NotifierSilent``."""
        try:
            answer = self._client().invoke(FunctionName=self._function, Payload=orjson.dumps({_CHANNEL: channel}))
            payload = answer["Payload"].read()
        except ClientError as refused:
            raise _refusal(refused) from refused
        except _BROKE_OFF as broken:
            raise NotifierSilent(str(broken)) from broken
        except BotoCoreError as unreachable:
            _logger.exception("the notifier's function cannot be reached")
            raise NotifierFailed(str(unreachable)) from unreachable
        if failure := answer.get("FunctionError"):
            _logger.error("the notifier's function failed at trying %s; its log tells why", channel)
            raise NotifierFailed(failure)
        return read(payload)


def _refusal(refused: ClientError) -> NotifierBusy | NotifierFailed:
    code = refused.response["Error"].get("Code", "")
    if code == _BUSY:
        return NotifierBusy(code)
    _logger.error("the notifier's function cannot be asked: %s", refused)
    return NotifierFailed(code)
