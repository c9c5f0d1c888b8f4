"""The channels file: which channels there are, of which kind, and where their secrets are to be found.

Form:    YAML, ``channels: {<name>: {kind: slack | email | webhook, …}}``; ``docs/notifications.md`` shows one of each.
Secrets: stand in an environment variable, a file or, on AWS, a secret of Secrets Manager; the file names which, and holds none.
Wrong:   everything that is wrong is told at once, each with its key and the accepted form, never with a value.
"""

import re
from email.errors import MessageError
from email.headerregistry import Address
from email.utils import getaddresses
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self, TypeAlias
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, model_validator

from consumers.notifier.channels.flaws import told
from consumers.notifier.channels.port import Rate
from consumers.notifier.errors import ChannelsRejected

_LONGEST: Final = 262_144
_HOST: Final = r"^[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name in lower case: letters, digits, ``_`` and ``-``, at most 64."""


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        message = "is no time zone; write it as Europe/Berlin or UTC"
        raise ValueError(message) from None
    return name


def _mailbox(text: str) -> str:
    """One address, with or without a name before it. Raises ``ValueError`` naming the accepted form."""
    message = "is no address; write it as ops@example.com or Findstream <ops@example.com>"
    found = getaddresses([text])
    try:
        _, address = found[0]
        parsed = Address(addr_spec=address)
    except (ValueError, IndexError, MessageError):
        raise ValueError(message) from None
    if len(found) != 1 or not parsed.username or not parsed.domain or not text.isprintable() or not address.isascii():
        raise ValueError(message)
    return text


Zone = Annotated[str, AfterValidator(_zone)]
Mailbox = Annotated[str, Field(max_length=320), AfterValidator(_mailbox)]


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Secret(_Table):
    """Where a secret is to be found: one of the three."""

    env: Annotated[str | None, Field(pattern=r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")] = None
    file: Path | None = None
    secret: Annotated[str | None, Field(pattern=r"^arn:aws[a-z-]*:secretsmanager:")] = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if sum(each is not None for each in (self.env, self.file, self.secret)) != 1:
            message = "give one of env, file and secret"
            raise ValueError(message)
        return self


class Pace(_Table):
    """How fast a channel may be sent to."""

    per_second: Annotated[float, Field(gt=0, le=1000)] = 1.0
    burst: Annotated[int, Field(ge=1, le=1000)] = 1

    @property
    def rate(self) -> Rate:
        """The same for the courier."""
        return Rate(self.per_second, self.burst)


class _Channel(_Table):
    zone: Zone | None = None
    pace: Pace | None = None


class Slack(_Channel):
    """An incoming webhook of Slack. ``default`` without one has that of the settings; any other without one has no address."""

    kind: Literal["slack"]
    webhook: Secret | None = None


class Smtp(_Table):
    """A mail server. ``security``: ``starttls`` (port 587), ``tls`` (465) or ``none`` (25), for one on this machine."""

    host: Annotated[str, Field(pattern=_HOST)]
    port: Annotated[int | None, Field(ge=1, le=65535)] = None
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: Annotated[str | None, Field(min_length=1, max_length=320)] = None
    password: Secret | None = None

    @model_validator(mode="after")
    def _both(self) -> Self:
        if (self.username is None) != (self.password is None):
            message = "username and password go together"
            raise ValueError(message)
        if self.username is not None and self.security == "none":
            message = "a password goes over an encrypted connection only; set security to starttls or tls"
            raise ValueError(message)
        return self


class Ses(_Table):
    """Amazon SES in a region; without one that of the function."""

    region: Annotated[str | None, Field(pattern=r"^[a-z]{2}(-[a-z]+)+-\d$")] = None
    configuration_set: Annotated[str | None, Field(pattern=r"^[A-Za-z0-9_-]{1,64}$")] = None


class Email(_Channel):
    """Mail to up to fifty people, by a mail server or by Amazon SES."""

    kind: Literal["email"]
    sender: Annotated[Mailbox, Field(alias="from")]
    to: Annotated[tuple[Mailbox, ...], Field(min_length=1, max_length=50)]
    subject_prefix: Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")] = "[findstream]"
    smtp: Smtp | None = None
    ses: Ses | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.smtp is None) == (self.ses is None):
            message = "give either smtp or ses; ses: {} is enough on AWS"
            raise ValueError(message)
        return self


class Webhook(_Channel):
    """A POST to a server of your own. ``url`` may hold a token, so it may be a secret, too."""

    kind: Literal["webhook"]
    url: Annotated[str, Field(max_length=2048)] | Secret
    key: Secret


Configured: TypeAlias = Annotated[Slack | Email | Webhook, Field(discriminator="kind")]


class _File(_Table):
    channels: Annotated[dict[Name, Configured], Field(max_length=100)]


_adapter: TypeAdapter[_File] = TypeAdapter(_File)


def read(text: str, where: str) -> dict[str, Configured]:
    """The channels by name. Raises ``ChannelsRejected``; ``where`` is the file's name."""
    channels, flaws = parse(text, where)
    if flaws:
        raise ChannelsRejected("; ".join(flaws))
    return channels


def parse(text: str, where: str) -> tuple[dict[str, Configured], list[str]]:
    """The channels that are right, and what is wrong of the others. Raises ``ChannelsRejected`` for what is no YAML."""
    if len(text) > _LONGEST:
        message = f"{where}: is longer than {_LONGEST:,} characters"
        raise ChannelsRejected(message)
    given = _loaded(text, where)
    try:
        return _adapter.validate_python(given).channels, []
    except ValidationError as broken:
        errors = broken.errors(include_input=False, include_url=False)
    flaws = [f"{where}: {_path(error['loc'])}{told(error)}" for error in errors]
    return _right(given, {error["loc"][1] for error in errors if len(error["loc"]) > 1}), list(dict.fromkeys(flaws))


def _right(given: Any, wrong: set[int | str]) -> dict[str, Configured]:
    """The channels that nothing is wrong with."""
    channels = given.get("channels") if isinstance(given, dict) else None
    rest = {name: each for name, each in channels.items() if name not in wrong} if isinstance(channels, dict) else {}
    try:
        return _adapter.validate_python({"channels": rest}).channels
    except ValidationError:
        return {}


def _loaded(text: str, where: str) -> Any:
    try:
        _refuse_aliases(text, where)
        return yaml.safe_load(text)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        message = f"{where}: line {mark.line + 1 if mark else 0}: is no YAML: {broken.problem or broken.context}"
    except (yaml.YAMLError, ValueError, RecursionError):
        message = f"{where}: is no YAML"
    raise ChannelsRejected(message)


def _refuse_aliases(text: str, where: str) -> None:
    """They could make a short file an endless one."""
    for event in yaml.parse(text, yaml.SafeLoader):
        if isinstance(event, yaml.AliasEvent):
            line = event.start_mark.line + 1 if event.start_mark else 0
            message = f"{where}: line {line}: aliases are not accepted; write the value out"
            raise ChannelsRejected(message)


def _path(location: tuple[int | str, ...]) -> str:
    """``channels.ops.smtp.port: ``; what pydantic adds to the names of keys and for the kinds that it tried is no part of it."""
    parts = [str(part) for part in location if part != "[key]"]
    if len(parts) > _KIND_AT and parts[_KIND_AT] in ("slack", "email", "webhook"):
        del parts[_KIND_AT]
    parts = [part for part in parts if not re.fullmatch(r"(constrained-)?str|Secret", part)]
    return f"{'.'.join(parts)}: " if parts else ""


_KIND_AT: Final = 2
