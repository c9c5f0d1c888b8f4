"""What an event holds, as texts for people: cleaned, of a shape that no source can upset.

Anything may stand in a body: facts may be missing, of the wrong type, or no object at all. A message never sees that: each
fact is a text, "" where there is nothing to say. Escaping is not done here but where texts enter a message.
"""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import orjson

from consumers.notifier.messages.text import clean
from schemas.envelope import Envelope

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_LARGEST_EXACT: Final = 2**53
_LISTED: Final = 10
_LABELS: Final = 6
_LONGEST_FACT: Final = 20_000


class Facts:
    """The facts of an event as texts. A fact that is missing is "", so that any may be asked for."""

    __slots__ = ("_texts",)

    def __init__(self, facts: Any) -> None:
        found = facts if isinstance(facts, dict) else {}
        self._texts = {name: said(value) for name, value in found.items()}

    def __getitem__(self, name: str) -> str:
        """The fact as text."""
        return self._texts.get(name, "")

    def others(self, known: Iterable[str]) -> list[tuple[str, str]]:
        """All facts that are not ``known``, with names for people, in the order of the body."""
        hidden = set(known)
        return [(said(name.replace("_", " ")).capitalize(), text) for name, text in self._texts.items() if name not in hidden]


def body_of(event: Envelope) -> dict[str, Any]:
    """The body of ``event``; empty if it is no JSON object."""
    try:
        body = orjson.loads(event.body)
    except orjson.JSONDecodeError:
        return {}
    return body if isinstance(body, dict) else {}


def said(value: Any) -> str:
    """``value``, which is JSON, in words: whole numbers without a point, lists with commas, an object as JSON."""
    match value:
        case None:
            return ""
        case str():
            return clean(value[:_LONGEST_FACT])
        case bool() | int() | float():
            return _number(value)
        case list():
            shown = ", ".join(filter(None, (_json(each) if isinstance(each, list) else said(each) for each in value[:_LISTED])))
            return f"{shown} and {len(value) - _LISTED} more" if len(value) > _LISTED else shown
        case _:
            return _json(value)


def pairs(told: Any) -> list[tuple[str, str]]:
    """The first few names and values of an object."""
    return [(said(name), said(value)) for name, value in list(told.items())[:_LABELS]] if isinstance(told, dict) else []


def joined(between: str, *texts: str) -> str:
    """The texts that are not empty, with ``between`` between them."""
    return between.join(filter(None, texts))


def moment(time_us: Any, zone: str = "UTC") -> str:
    """A time in words, to the second, in ``zone`` (an IANA name; what is none is UTC); "" for what is no time."""
    if not isinstance(time_us, int) or isinstance(time_us, bool):
        return ""
    try:
        return f"{(_EPOCH + timedelta(microseconds=time_us)).astimezone(_zone(zone)):%Y-%m-%d %H:%M:%S %Z}"
    except (OverflowError, ValueError):
        return ""


def _zone(name: str) -> tzinfo:
    try:
        return UTC if name == "UTC" else ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return UTC


def _number(value: float) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer() and abs(value) < _LARGEST_EXACT:
        return str(int(value))
    return str(value)


def _json(value: Any) -> str:
    try:
        return clean(orjson.dumps(value).decode()[:_LONGEST_FACT])
    except TypeError:
        return "(nested too deeply)"
