"""Which faults of a call to AWS pass by themselves: throttling, quotas of the moment, the service's own errors, the network."""

from typing import Final

from botocore.exceptions import BotoCoreError, ClientError, HTTPClientError
from botocore.exceptions import ConnectionError as NotConnected

AwsFault: Final = (ClientError, BotoCoreError)
"""What a call raises."""

_PASSING: Final = frozenset(
    {
        "InternalException",
        "InternalFailure",
        "LimitExceededException",
        "RequestLimitExceeded",
        "ServiceException",
        "ServiceUnavailableException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
_SERVER: Final = 500


def code(fault: ClientError | BotoCoreError) -> str:
    """The name of a fault: AWS's code, or the kind of fault on this side."""
    if isinstance(fault, ClientError):
        return str(fault.response.get("Error", {}).get("Code", "Unknown"))
    return type(fault).__name__


def passes(fault: ClientError | BotoCoreError) -> bool:
    """Whether the same call may succeed in a moment."""
    if isinstance(fault, ClientError):
        status = fault.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
        return code(fault) in _PASSING or status >= _SERVER
    return isinstance(fault, NotConnected | HTTPClientError)


def code_passes(name: str) -> bool:
    """Whether an entry that was refused with this code may be taken in a moment."""
    return name in _PASSING
