"""Signing keys in a secret of AWS Secrets Manager.

Source: AWS Secrets Manager API Reference, "GetSecretValue", "PutSecretValue".
"""

from collections.abc import Callable
from typing import Any, Final

from botocore.exceptions import BotoCoreError, ClientError

from consumers.people.errors import SigningKeysUnusable
from consumers.people.keyring import Keyring, parsed

FRESH_US: Final = 60 * 1_000_000
"""How long a secret is believed: less than the time after which a new key begins to sign."""


class SecretKeys:
    """The keyring in the secret of this ARN. ``client`` is boto3's of Secrets Manager."""

    def __init__(self, client: Any, arn: str, *, clock: Callable[[], int]) -> None:
        self._client = client
        self._arn = arn
        self._clock = clock
        self._seen: tuple[int, Keyring] | None = None

    def read(self) -> Keyring:
        """The keyring as it is, or was a minute ago; an older one is believed longer while the secret cannot be read."""
        now_us = self._clock()
        if self._seen is None or now_us - self._seen[0] >= FRESH_US:
            try:
                told = self._client.get_secret_value(SecretId=self._arn)
                self._seen = (now_us, parsed(told["SecretString"], self._arn))
            except (BotoCoreError, ClientError) as broken:
                if self._seen is None:
                    message = f"{self._arn} cannot be read: {type(broken).__name__}"
                    raise SigningKeysUnusable(message) from broken
        return self._seen[1]

    def write(self, keyring: Keyring) -> None:
        """Replace it."""
        try:
            self._client.put_secret_value(SecretId=self._arn, SecretString=keyring.dumped().decode())
        except (BotoCoreError, ClientError) as broken:
            message = f"{self._arn} cannot be written: {type(broken).__name__}"
            raise SigningKeysUnusable(message) from broken
        self._seen = None
