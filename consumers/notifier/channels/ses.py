"""Mail by Amazon SES, ``SendEmail`` of its API v2 with a whole (raw) message.

Delivered:   SES took the message, for all recipients. Whether a mailbox takes it is told to nobody here (SES: event publishing).
RateLimited: the account's rate or daily quota is used up; SES says not for how long.
Refused:     sender not verified, content rejected, account suspended, no permission, a configuration set that is not there.
Unavailable: sending is paused, errors of SES itself, time-outs and broken connections.
Identity:    SES puts a Message-ID of its own; the conversation of a group (``References``) stays.
Source:      Amazon SES API v2 Reference, "SendEmail", Errors; Amazon SES Developer Guide, "Amazon SES header fields".

The client makes no retries of its own: one of them could be a message twice that nobody knows of.
"""

from collections.abc import Sequence
from datetime import timedelta
from email.message import EmailMessage
from typing import TYPE_CHECKING, Final

import boto3
from botocore.config import Config
from botocore.exceptions import (
    BotoCoreError,
    ClientError,
    ConnectTimeoutError,
    EndpointConnectionError,
    NoCredentialsError,
    ProxyConnectionError,
    SSLError,
)

from consumers.notifier.channels.port import Answer, Delivered, RateLimited, Refused, Unavailable

if TYPE_CHECKING:
    from types_boto3_sesv2.client import SESV2Client
    from types_boto3_sesv2.type_defs import SendEmailRequestTypeDef

TIMEOUT: Final = timedelta(seconds=10)

_LIMITED: Final = frozenset({"TooManyRequestsException", "LimitExceededException", "ThrottlingException", "Throttling"})
_PAUSED: Final = frozenset({"SendingPausedException", "RequestTimeout", "ExpiredTokenException", "RequestExpired"})
_NOT_OUT: Final = (EndpointConnectionError, ConnectTimeoutError, ProxyConnectionError, NoCredentialsError, SSLError)


def client(region: str | None, *, timeout: timedelta = TIMEOUT) -> "SESV2Client":
    """SES in ``region``; None: where the process runs."""
    seconds = timeout.total_seconds()
    config = Config(connect_timeout=seconds, read_timeout=seconds, retries={"total_max_attempts": 1})
    return boto3.client("sesv2", region_name=region, config=config)


class Ses:
    """Amazon SES, by way of ``client``. ``configuration_set`` None: the identity's own, if it has one."""

    def __init__(self, client: "SESV2Client", configuration_set: str | None) -> None:
        self._client = client
        self._configuration_set = configuration_set

    def carry(self, sender: str, to: Sequence[str], mail: EmailMessage) -> Answer:
        """Make one try."""
        request: SendEmailRequestTypeDef = {
            "FromEmailAddress": sender,
            "Destination": {"ToAddresses": list(to)},
            "Content": {"Raw": {"Data": mail.as_bytes()}},
        }
        if self._configuration_set is not None:
            request["ConfigurationSetName"] = self._configuration_set
        try:
            self._client.send_email(**request)
        except ClientError as declined:
            return _declined(declined)
        except _NOT_OUT as broken:
            return Unavailable(type(broken).__name__, unsure=False)
        except BotoCoreError as broken:
            return Unavailable(type(broken).__name__, unsure=True)
        return Delivered()


def _declined(answer: ClientError) -> Answer:
    code = answer.response.get("Error", {}).get("Code", "")[:64]
    status = answer.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 500)
    if code in _LIMITED or status == 429:  # noqa: PLR2004  # Too Many Requests
        return RateLimited()
    if code in _PAUSED or status not in range(400, 500):
        return Unavailable(f"{status} {code}", unsure=False)
    return Refused(f"{status} {code}")
