"""Whether a role in a watched account can be assumed: asked of AWS Security Token Service, and nothing done with the answer.

Source: AWS Security Token Service API Reference, "AssumeRole", "GetCallerIdentity".
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Protocol

SESSION: Final = "findstream-test"
_SHORTEST_SECONDS: Final = 900
_logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Attempt:
    """What came of it. ``outcome``: assumed, refused, no_credentials, unreachable."""

    outcome: str
    message: str
    account: str = ""
    arn: str = ""


class Assume(Protocol):
    """Assumes a role for a moment."""

    def __call__(self, role_arn: str, external_id: str) -> Attempt:
        """What came of it; never raises for what AWS says."""
        ...


class StsAssume:
    """By STS. ``client`` makes a client of it when the first role is tried: a server without AWS never needs one."""

    def __init__(self, client: Callable[[], Any]) -> None:
        self._client = client

    def __call__(self, role_arn: str, external_id: str) -> Attempt:
        """What came of it."""
        try:
            from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, NoRegionError  # noqa: PLC0415 -- optional
        except ImportError:
            return Attempt("no_credentials", "this server cannot call AWS: boto3 is not installed (findstream[aws])")
        asked = {"RoleArn": role_arn, "RoleSessionName": SESSION, "DurationSeconds": _SHORTEST_SECONDS}
        try:
            answer = self._client().assume_role(**asked, **({"ExternalId": external_id} if external_id else {}))
        except (NoCredentialsError, NoRegionError):
            return Attempt(
                "no_credentials", "this server has no AWS credentials or region of its own, so it cannot assume any role"
            )
        except ClientError as refused:
            told = refused.response["Error"]
            _logger.info("%s cannot be assumed: %s", role_arn, told.get("Code", ""))
            return Attempt("refused", f"{told.get('Code', 'refused')}: {told.get('Message', 'AWS does not allow it')}")
        except BotoCoreError as broken:
            return Attempt("unreachable", f"AWS could not be asked: {broken}")
        arn = answer["AssumedRoleUser"]["Arn"]
        return Attempt("assumed", "the role can be assumed", account=arn.split(":")[4], arn=arn)


def sts_client() -> Any:
    """A client of STS, by whatever credentials this process has, that does not wait long."""
    import boto3  # noqa: PLC0415 -- only who tries a role needs it
    from botocore.config import Config  # noqa: PLC0415

    return boto3.client("sts", config=Config(connect_timeout=3, read_timeout=5, retries={"total_max_attempts": 2}))
