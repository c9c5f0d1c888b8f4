"""Every setting, read from the environment once by each door. ``docs/settings.md`` lists them; a test holds the two equal."""

import os
import re
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, SettingsConfigDict

from pipeline.errors import SettingRejected

_PREFIX: Final = "FINDSTREAM_"
_ALIKE: Final = 0.85
_GONE: Final = {
    "FINDSTREAM_ROUTES": "is no setting any more: name the channels in a YAML file (FINDSTREAM_CHANNELS), and publish the routes "
    "with `findstream notify routes publish FILE`; see docs/notifications.md",
}
"""What was a setting: who still sets it believes in something that no longer happens."""
_SOURCE: Final = re.compile(r"[!-+\--~]{1,256}", re.ASCII)


def _sources(listed: str | None) -> str | None:
    """The list without white space. Raises ``ValueError`` naming what is no source."""
    names = [name.strip() for name in (listed or "").split(",")]
    for name in names:
        if name and not _SOURCE.fullmatch(name):
            message = (
                f"{name!r} is no source: expected names of 1 to 256 printable ASCII characters without spaces, comma separated"
            )
            raise ValueError(message)
    return ",".join(name for name in names if name) or None


def _address(text: str) -> str:
    """An IP address. Raises ``ValueError`` naming the accepted form."""
    try:
        return str(ip_address(text.strip("[]")))
    except ValueError:
        message = f"{text!r} is no IP address: expected 127.0.0.1, ::1, or one of this machine's; 0.0.0.0 is all of them"
        raise ValueError(message) from None


class Settings(BaseSettings):
    """``FINDSTREAM_…`` variables; an empty one counts as not set. Frozen: a process is configured once, at its start."""

    model_config = SettingsConfigDict(env_prefix=_PREFIX, frozen=True, extra="ignore", env_ignore_empty=True)

    home: Annotated[
        Path, Field(description="Folder of all data: log, projections, ledger, quarantine, people, signing keys.")
    ] = Path("var")
    port: Annotated[int, Field(ge=1, le=65535, description="TCP port of the API and the page.")] = 8321
    bind: Annotated[
        str,
        AfterValidator(_address),
        Field(description="IP address on which the server listens; beyond loopback only once somebody can sign in."),
    ] = "127.0.0.1"
    api_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s<>|]+$",
            examples=["https://findstream.example"],
            description="Base of the server that the command line signs in to; without it the one on this machine.",
        ),
    ] = None
    shards: Annotated[
        int, Field(ge=1, le=256, description="Shards of a new embedded log; an existing log keeps its own number.")
    ] = 4
    retention_days: Annotated[
        int, Field(ge=1, le=3650, description="Days after which an entry of the event index is no longer shown.")
    ] = 90
    log_level: Annotated[
        Literal["DEBUG", "INFO", "WARNING", "ERROR"], Field(description="Least level of the structured logs on stderr.")
    ] = "INFO"
    cors_origins: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[a-z0-9.:\[\]-]+(,https?://[a-z0-9.:\[\]-]+)*$",
            examples=["https://ops.example,https://wall.example:8443"],
            description="Origins whose pages may call the API from a browser, comma separated.",
        ),
    ] = None
    slack_webhook: Annotated[SecretStr | None, Field(description="Incoming webhook of the default Slack channel. A secret.")] = (
        None
    )
    slack_webhook_file: Annotated[Path | None, Field(description="File holding the webhook, instead of the variable itself.")] = (
        None
    )
    channels: Annotated[
        Path | None, Field(description="YAML file of the channels that messages go to; without it there is the default one.")
    ] = None
    sample_rate: Annotated[
        float, Field(ge=0.01, le=10_000, description="Findings a second that `findstream run --sample` makes up.")
    ] = 1.0
    console_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^\s<>|]+$",
            examples=["https://findstream.example"],
            description="Base of the links in messages, without a final slash; without it the page on this machine.",
        ),
    ] = None

    custom_sources: Annotated[
        str | None,
        AfterValidator(_sources),
        Field(description="Sources of your own that may send findings beside `aws.*` and `monitoring.*`, comma separated."),
    ] = None

    log_url: Annotated[
        str | None,
        Field(
            pattern=r"^kinesis://[a-zA-Z0-9_.-]{1,128}$",
            examples=["kinesis://findings"],
            description="On AWS: the Kinesis stream that is the event log, instead of the one in the folder.",
        ),
    ] = None
    store_url: Annotated[
        str | None,
        Field(
            pattern=r"^dynamodb://[a-zA-Z0-9_.-]{3,255}$",
            examples=["dynamodb://findstream"],
            description="On AWS: the DynamoDB table of projections, quarantine, ledger and people. Goes with the stream.",
        ),
    ] = None
    bodies_url: Annotated[
        str | None,
        Field(
            pattern=r"^s3://[a-z0-9.-]{3,63}(/[^/\s]+)*$",
            examples=["s3://bucket/prefix"],
            description="On AWS: the bucket in which whole events are found by position.",
        ),
    ] = None
    compress_bodies: Annotated[
        bool,
        Field(
            description="On AWS: whether events go onto the stream packed with zstd, which only findstream reads, not as JSON."
        ),
    ] = False
    slack_webhook_secret: Annotated[
        str | None,
        Field(
            pattern=r"^arn:aws[a-z-]*:secretsmanager:",
            examples=["arn:aws:secretsmanager:eu-central-1:111122223333:secret:slack"],
            description="On AWS: the Secrets Manager secret that holds the webhook.",
        ),
    ] = None

    channels_secret: Annotated[
        str | None,
        Field(
            pattern=r"^arn:aws[a-z-]*:secretsmanager:",
            examples=["arn:aws:secretsmanager:eu-central-1:111122223333:secret:channels"],
            description="On AWS: the Secrets Manager secret that holds the channels file.",
        ),
    ] = None

    notifier_timer_url: Annotated[
        str | None,
        Field(
            pattern=r"^https?://[^/\s]+/\S+$",
            examples=["https://sqs.eu-central-1.amazonaws.com/111122223333/notifier-timer"],
            description="On AWS: the SQS queue whose delayed messages wake the notifier.",
        ),
    ] = None

    notifier_function: Annotated[
        str | None,
        Field(
            pattern=r"^arn:aws[a-z-]*:lambda:[a-z0-9-]+:[0-9]{12}:function:[a-zA-Z0-9_-]+$",
            examples=["arn:aws:lambda:eu-central-1:111122223333:function:notifier"],
            description="On AWS: the notifier's function, by which the API tries channels; without it, it cannot.",
        ),
    ] = None

    signing_keys_secret: Annotated[
        str | None,
        Field(
            pattern=r"^arn:aws[a-z-]*:secretsmanager:",
            examples=["arn:aws:secretsmanager:eu-central-1:111122223333:secret:signing-keys"],
            description="On AWS: the Secrets Manager secret that holds the keys which sign tokens.",
        ),
    ] = None

    @property
    def on_aws(self) -> bool:
        """Whether a URL names a part on AWS; all parts are there then."""
        return any((self.log_url, self.store_url, self.bodies_url))

    @property
    def registered_sources(self) -> frozenset[str]:
        """The names in ``custom_sources``."""
        return frozenset((self.custom_sources or "").split(",")) - {""}

    @property
    def links_base(self) -> str:
        """Where the links in messages lead."""
        return self.console_url or f"http://127.0.0.1:{self.port}"

    @property
    def server_url(self) -> str:
        """The server that the command line talks to, without a final slash."""
        return (self.api_url or f"http://127.0.0.1:{self.port}").rstrip("/")

    @property
    def bound_to_loopback(self) -> bool:
        """Whether only this machine can reach the server."""
        return ip_address(self.bind).is_loopback

    @classmethod
    def load(cls) -> Self:
        """The settings of this process. Raises ``SettingRejected`` naming each wrong variable and its accepted form."""
        gone = [f"{name}: {instead}" for name, instead in _GONE.items() if os.environ.get(name)]
        if gone:
            raise SettingRejected("; ".join(gone))
        try:
            return cls()
        except ValidationError as broken:
            lines = [
                f"FINDSTREAM_{str(error['loc'][0]).upper()}: {cls._accepted(str(error['loc'][0]), error['msg'])}"
                for error in broken.errors(include_input=False, include_url=False)
            ]
            raise SettingRejected("; ".join(lines)) from None

    @classmethod
    def unknown(cls, environ: Mapping[str, str]) -> dict[str, str]:
        """The variables that are named like a setting and are none, each with the setting that it resembles ("": none)."""
        known = [f"{_PREFIX}{name.upper()}" for name in cls.model_fields]
        strange = sorted(name for name in environ if name.startswith(_PREFIX) and name not in known)
        return {name: next(iter(get_close_matches(name, known, n=1, cutoff=_ALIKE)), "") for name in strange}

    @classmethod
    def _accepted(cls, name: str, message: str) -> str:
        """What a setting accepts: an example says more than a pattern."""
        examples = cls.model_fields[name].examples
        return f"write it as {examples[0]}" if examples else message.removeprefix("Value error, ")
