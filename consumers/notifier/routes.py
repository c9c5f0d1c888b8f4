"""The routes file: which channels there are, and which event goes to which of them.

Form:    TOML, two lists of tables, ``[channels.<name>]`` and ``[[routes]]``; ``docs/notifications.md`` shows one.
Order:   routes are asked from the first to the last; every one that wants an event gets it, until one that says ``last``.
Secrets: a webhook is named by environment variable or file, never written in the routes file, and never printed.
Without a file, findings, alerts, switched-off rules and deployments of agents from HIGH on, silent agents and reports go to the
channel ``default``.
"""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, SecretStr, ValidationError, model_validator

from consumers.notifier.errors import RoutesRejected
from consumers.palette import SEVERITIES

FINDING: Final = "finding.observed"
DEPLOYED: Final = "agent.deployed"
WENT_SILENT: Final = "agent.went_silent"
REPORT: Final = "report.issued"
ALERT: Final = "alert.raised"
SWITCHED_OFF: Final = "rule.switched_off"

Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
"""A name in lower case: letters, digits, ``_`` and ``-``, at most 64."""

EventType = Literal[
    "finding.observed", "agent.deployed", "agent.went_silent", "report.issued", "alert.raised", "rule.switched_off"
]
GRADED: Final = frozenset({FINDING, DEPLOYED, ALERT, SWITCHED_OFF})
"""Types whose severity tells how much they matter."""

Kind = Literal["cloudwatch_alarm", "guardduty", "health", "cloudformation", "securityhub", "agent_logs", "cloudtrail", "generic"]

_URL: Final = re.compile(r"https?://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9.-]+)(:(?P<port>\d{1,5}))?(/[!-~]*)?", re.ASCII)
_WORDS: Final = tuple(tone.word for tone in SEVERITIES)


def _severity(value: Any) -> int:
    if value not in _WORDS:
        message = f"is not one of {', '.join(_WORDS)}"
        raise ValueError(message)
    return _WORDS.index(value)


class _Table(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Route(_Table):
    """Which events go to ``channel``. Its name is part of each notice's key: a renamed route is a new one.

    ``sources`` are shell patterns (``aws.*``), of which one must match. ``min_severity`` (0-4) asks about findings, alerts,
    switched-off rules and deployments of agents, ``kinds`` about findings only; without ``kinds`` every kind will do. ``last``:
    the routes below are not asked about an event that this one got.
    """

    name: Name
    channel: Name
    types: Annotated[tuple[EventType, ...], Field(min_length=1)] = (FINDING,)
    sources: Annotated[tuple[Annotated[str, Field(min_length=1, max_length=256)], ...], Field(min_length=1)] = ("*",)
    kinds: tuple[Kind, ...] = ()
    min_severity: Annotated[int, BeforeValidator(_severity)] = 0
    last: bool = False


class ChannelSource(_Table):
    """Where a channel's webhook is to be found. With neither key, the channel has none and nothing is sent to it."""

    webhook_env: Annotated[str | None, Field(min_length=1)] = None
    webhook_file: Path | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.webhook_env is not None and self.webhook_file is not None:
            message = "has both webhook_env and webhook_file; give one of them"
            raise ValueError(message)
        return self


class Routing(_Table):
    """The routes file as a whole."""

    channels: dict[Name, ChannelSource]
    routes: tuple[Route, ...]

    @model_validator(mode="after")
    def _agree(self) -> Self:
        names = [route.name for route in self.routes]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            message = f"routes: the name {twice[0]!r} is given twice; names are part of a notice's key"
            raise ValueError(message)
        for index, route in enumerate(self.routes):
            if route.channel not in self.channels:
                message = f"routes[{index}].channel: {route.channel!r} is none of the channels: {', '.join(self.channels)}"
                raise ValueError(message)
        return self


DEFAULT: Final = Routing(
    channels={"default": ChannelSource()},
    routes=(
        Route(name="findings", channel="default", types=(FINDING, DEPLOYED, ALERT, SWITCHED_OFF), min_severity="HIGH"),
        Route(name="service", channel="default", types=(WENT_SILENT, REPORT)),
    ),
)
"""What holds without a routes file. The webhook of ``default`` comes from the settings."""


def load(path: Path) -> Routing:
    """The routes file at ``path``. Raises ``RoutesRejected`` naming each wrong key and its accepted form."""
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as broken:
        message = f"{path}: cannot be read: {broken.strerror if isinstance(broken, OSError) else 'is not UTF-8'}"
        raise RoutesRejected(message) from None
    except tomllib.TOMLDecodeError as broken:
        message = f"{path}: is not TOML: {broken}"
        raise RoutesRejected(message) from None
    try:
        return Routing.model_validate(table)
    except ValidationError as broken:
        errors = broken.errors(include_input=False, include_url=False)
        lines = [f"{path}: {_where(error['loc'])}{_what(error)}" for error in errors]
        raise RoutesRejected("; ".join(lines)) from None


def webhook(name: str, source: ChannelSource, environ: Mapping[str, str]) -> SecretStr | None:
    """The webhook of the channel ``name``; None if its table names none.

    Raises ``RoutesRejected`` if what it names does not hold a URL; the message does not show what it does hold.
    """
    if source.webhook_env is not None:
        where, found = f"environment variable {source.webhook_env}", environ.get(source.webhook_env, "")
    elif source.webhook_file is not None:
        where = f"file {source.webhook_file}"
        try:
            found = source.webhook_file.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            found = ""
    else:
        return None
    return checked(found, f"channels.{name}: {where}")


def checked(found: str, where: str) -> SecretStr:
    """``found`` as a webhook. Raises ``RoutesRejected``, naming ``where``, unless it is one http(s) URL."""
    url = found.strip()
    parts = _URL.fullmatch(url)
    if parts is None or int(parts["port"] or 1) not in range(1, 1 << 16):
        message = f"{where} does not hold a webhook: one URL that begins with https:// (or http://)"
        raise RoutesRejected(message)
    return SecretStr(url)


def _where(location: tuple[int | str, ...]) -> str:
    """``routes[2].min_severity: ``; pydantic's ``[key]`` behind the name of a table is no part of the path."""
    path = ""
    for part in location:
        if part != "[key]":
            path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return f"{path}: " if path else ""


def _what(error: Any) -> str:
    message: str = error["msg"]
    return message.removeprefix("Value error, ")
