"""What a reader of one kind of finding is given and what it tells, and the gentle ways to look into foreign JSON."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

Json: TypeAlias = Mapping[str, Any]

FINDING: Final = "finding.observed"

_SUMMARY: Final = 200
_FACT: Final = 4000
_RESOURCES: Final = 100
_RESOURCE: Final = 2048
_SUBJECT: Final = 1024
_DIGEST: Final = 32
_NOTHING: Final[Json] = {}


@dataclass(slots=True)
class Header:
    """What every item says of itself, checked. ``time_us`` is microseconds since the epoch; ``region`` may be empty."""

    source: str
    account: str
    region: str
    time_us: int
    source_id: str
    detail_type: str
    resources: Sequence[str]


@dataclass(slots=True)
class Reading:
    """What a reader tells. ``facts`` goes into the body: a flat object for a finding, the whole body of any other ``type``."""

    kind: str
    subject: str
    severity: int
    summary: str
    resources: tuple[str, ...]
    facts: dict[str, Any]
    type: str = FINDING


Told: TypeAlias = tuple[Header, Reading, Any]
"""What an item says: its header, its reading, and the part that tells it apart from all others."""


def text(value: Any) -> str:
    """``value`` as text: numbers are spelled out; null, objects and arrays are ""."""
    if type(value) is str:
        return value
    return str(value) if isinstance(value, int | float) else ""


def texts(value: Json, *keys: str) -> list[str]:
    """What stands under each of these keys, as text."""
    return [found if type(found) is str else text(found) for found in map(value.get, keys)]


def number(value: Any) -> float | None:
    """``value`` if it is a number, else None."""
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def whole(value: Any) -> int | None:
    """``value`` if it is an integer, else None."""
    return value if type(value) is int else None


def sub(value: Json, key: str) -> Json:
    """The object under ``key``, an empty one if there is none."""
    found = value.get(key)
    return found if type(found) is dict else _NOTHING


def each(value: Any) -> list[Json]:
    """The objects of an array, none if it is no array."""
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []


def line(told: str) -> str:
    """``told`` as one line of at most 200 characters without control characters."""
    if len(told) > _SUMMARY:
        told = told[: 3 * _SUMMARY]
    if not told.isprintable():
        told = " ".join(told.split())
        if not told.isprintable():
            told = " ".join("".join(char if char.isprintable() else " " for char in told).split())
    return told.strip() if len(told) <= _SUMMARY else told[: _SUMMARY - 1].rstrip() + "…"


def distinct(*several: Iterable[Any]) -> tuple[str, ...]:
    """The ARNs and ids among these values: once each, in order, at most 100, none longer than 2,048."""
    found: dict[str, None] = {}
    for values in several:
        for item in values:
            if type(item) is str and item and len(item) <= _RESOURCE:
                found[item.strip()] = None
    found.pop("", None)
    return tuple(found) if len(found) <= _RESOURCES else tuple(found)[:_RESOURCES]


def facts(**given: Any) -> dict[str, Any]:
    """What is given, without empty text and None."""
    values = given.values()
    if "" in values or None in values:
        return {name: value for name, value in given.items() if value or value == 0}
    return given


def clip(told: str) -> str:
    """Text that may be long, cut to 4,000 characters: facts are for people, the raw item has it all."""
    return told if len(told) <= _FACT else told[: _FACT - 1] + "…"


def about(told: str) -> str:
    """``told`` as a subject: at most 1,024 characters, the end of a longer one replaced by its SHA-256."""
    if len(told) <= _SUBJECT:
        return told
    return f"{told[: _SUBJECT - _DIGEST - 1]}~{hashlib.sha256(told.encode()).hexdigest()[:_DIGEST]}"


def fallback(header: Header, resources: Sequence[str]) -> str:
    """The subject of what has no better one: its first resource, else source, account, region and detail-type together."""
    if resources:
        return about(f"resource/{resources[0]}")
    return about(f"{header.source}/{header.account}/{header.region}/{header.detail_type}")


def arn_part(arn: Any, index: int) -> str:
    """A part of an ARN (``arn:partition:service:region:account:resource``: region is 3, account is 4), "" if it has none."""
    parts = arn.split(":", 5) if isinstance(arn, str) and arn.startswith("arn:") else []
    return parts[index] if len(parts) > index else ""
