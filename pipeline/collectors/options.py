"""What an agent can be told by its environment. Read without pydantic, which would be half of the door's start."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Self

from pipeline.errors import SettingRejected

ERRORS: Final = (
    r"\b(ERROR|FATAL|CRITICAL|EMERGENCY)\b|\w*(Error|Exception)\b|Traceback \(most recent call last\)"
    r"|Task timed out after|Process exited before completing|\blevel\"?\s*[:=]\s*\"?(error|fatal|critical)\b"
)
"""Lines that tell of an error, as the runtimes of Lambda and common loggers write them."""

_BUS: Final = re.compile(r"arn:aws[a-z-]*:events:(?P<region>[a-z0-9-]+):\d{12}:event-bus/[\w./-]{1,256}", re.ASCII)
_GROUP: Final = re.compile(r"[\w./#-]{1,512}\*?", re.ASCII)
_ON_ONE_LINE: Final = re.compile(r".{1,2000}")
_LONGEST_VERSION: Final = 256


@dataclass(frozen=True, slots=True)
class Options:
    """``log_groups`` are names, or beginnings of names that end in ``*``; ``pattern`` is a regular expression."""

    bus_arn: str
    log_groups: tuple[str, ...] = ()
    functions: bool = True
    pattern: str = ERRORS
    version: str = ""
    overlap_minutes: int = 15
    chunk_seconds: int = 15
    chunk_lines: int = 10_000

    @property
    def bus_region(self) -> str:
        """Where the bus stands: ``PutEvents`` is to be called there."""
        found = _BUS.fullmatch(self.bus_arn)
        return found["region"] if found else ""

    @classmethod
    def of(cls, environ: Mapping[str, str]) -> Self:
        """The options in ``environ``. Raises ``SettingRejected`` naming the first wrong variable and its accepted form."""
        given = {name.removeprefix("FINDSTREAM_"): value.strip() for name, value in environ.items() if value.strip()}
        return cls(
            bus_arn=_matching("BUS_ARN", given.get("BUS_ARN", ""), _BUS, "the ARN of an event bus"),
            log_groups=_groups(given.get("LOG_GROUPS", "")),
            functions=_yes_or_no("FUNCTION_LOGS", given.get("FUNCTION_LOGS", "yes")),
            pattern=_pattern(given.get("ERROR_PATTERN", ERRORS)),
            version=_short("AGENT_VERSION", given.get("AGENT_VERSION", "")),
            overlap_minutes=_number("OVERLAP_MINUTES", given.get("OVERLAP_MINUTES", "15"), 5, 1440),
            chunk_seconds=_number("CHUNK_SECONDS", given.get("CHUNK_SECONDS", "15"), 1, 300),
            chunk_lines=_number("CHUNK_LINES", given.get("CHUNK_LINES", "10000"), 1, 100_000),
        )


def _wrong(name: str, accepted: str) -> SettingRejected:
    return SettingRejected(f"FINDSTREAM_{name}: expected {accepted}")


def _matching(name: str, value: str, form: re.Pattern[str], expected: str) -> str:
    if not form.fullmatch(value):
        raise _wrong(name, expected)
    return value


def _groups(listed: str) -> tuple[str, ...]:
    names = [name.strip() for name in listed.split(",") if name.strip()]
    expected = "names of log groups, or beginnings of names that end in *, comma separated"
    return tuple(dict.fromkeys(_matching("LOG_GROUPS", name, _GROUP, expected) for name in names))


def _pattern(value: str) -> str:
    """A pattern that ``re`` compiles. Logs Insights' own dialect decides; it knows neither look-around nor back-references."""
    try:
        re.compile(value)
    except re.error:
        value = ""
    return _matching("ERROR_PATTERN", value, _ON_ONE_LINE, "a regular expression on one line, at most 2,000 characters")


def _short(name: str, value: str) -> str:
    if len(value) > _LONGEST_VERSION:
        raise _wrong(name, f"at most {_LONGEST_VERSION} characters")
    return value


def _yes_or_no(name: str, value: str) -> bool:
    if value not in {"yes", "no"}:
        raise _wrong(name, "yes or no")
    return value == "yes"


def _number(name: str, value: str, least: int, most: int) -> int:
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        raise _wrong(name, f"{least} to {most}")
    return int(value)
