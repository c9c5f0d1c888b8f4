"""JSON documents with holes: serialised once, filled many thousand times a second.

A hole stands as ``«name»`` in any string; a string that is nothing but ``«#name»`` becomes a bare number.
``embedded`` is for JSON inside a JSON string (Amazon SNS messages are such). A filled template is one line of UTF-8.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final

import orjson

from schemas.identity import MICROSECONDS

_NUMBER: Final = re.compile('"«#([a-z]+)»"'.encode())
_HOLE: Final = re.compile("«([a-z]+)»".encode())
_DAY_US: Final = 86_400 * MICROSECONDS
_HEX_DIGITS: Final = 80
_DECIMAL: Final = str.maketrans("abcdef", "012345")
_DAYS: dict[int, str] = {}


def compiled(document: Mapping[str, Any]) -> bytes:
    """``document`` as a bytes template for ``%``; every hole must be one that ``Holes`` knows, else ``ValueError``."""
    raw = _NUMBER.sub("«\\1»".encode(), orjson.dumps(document)).replace(b"%", b"%%")
    unknown = {name.decode() for name in _HOLE.findall(raw)} - EVERY
    if unknown:
        message = f"no such hole: {', '.join(sorted(unknown))}"
        raise ValueError(message)
    return _HOLE.sub(rb"%(\1)b", raw)


def embedded(document: Mapping[str, Any]) -> str:
    """``document`` as JSON text to stand in a string of another document, its holes still open."""
    return _NUMBER.sub("«\\1»".encode(), orjson.dumps(document)).decode()


class Cycle:
    """Templates told in turn, for ever: the life of one thing (an alarm goes to ALARM, then back to OK)."""

    __slots__ = ("_next", "_templates", "account")

    def __init__(self, account: str, templates: Sequence[bytes]) -> None:
        self.account = account
        self._templates = templates
        self._next = 0

    @property
    def length(self) -> int:
        """How many templates there are."""
        return len(self._templates)

    def draw(self) -> bytes:
        """The next template."""
        template = self._templates[self._next]
        self._next = (self._next + 1) % len(self._templates)
        return template


class Holes(dict[bytes, bytes]):
    """What fills the holes of one document: its time (microseconds) and 320 random bits as ``hexes``, 80 hexadecimal digits.

    Each hole is worked out when a template asks for it, and then stays, so that a document agrees with itself.
    """

    __slots__ = ("hexes", "time_us")

    def __init__(self, time_us: int, hexes: str, fixed: Mapping[bytes, bytes]) -> None:
        super().__init__(fixed)
        self.time_us = time_us
        self.hexes = hexes

    def __missing__(self, name: bytes) -> bytes:
        """The hole ``name``, worked out."""
        value = self[name] = _FILL[name](self).encode()
        return value


def random_hexes(bits: int) -> str:
    """320 random bits as the digits that ``Holes`` takes."""
    return f"{bits:0{_HEX_DIGITS}x}"


def _uuid(digits: str) -> str:
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"


def _clock(time_us: int) -> str:
    day, rest = divmod(time_us, _DAY_US)
    text = _DAYS.get(day)
    if text is None:
        _DAYS.clear() if len(_DAYS) > 1000 else None  # noqa: PLR2004 -- a cache of day names, bounded
        text = _DAYS[day] = datetime.fromtimestamp(day * 86_400, UTC).strftime("%Y-%m-%dT")
    minutes, seconds = divmod(rest // MICROSECONDS, 60)
    return f"{text}{minutes // 60:02}:{minutes % 60:02}:{seconds:02}"


def _mail_date(time_us: int) -> str:
    return datetime.fromtimestamp(time_us // MICROSECONDS, UTC).strftime("%a, %d %b %Y %H:%M:%S GMT")


_FILL: Final[dict[bytes, Callable[[Holes], str]]] = {
    b"id": lambda h: _uuid(h.hexes),
    b"request": lambda h: _uuid(h.hexes[32:]),
    b"hex": lambda h: h.hexes[20:37],
    b"long": lambda h: h.hexes,
    b"time": lambda h: _clock(h.time_us) + "Z",
    b"stamp": lambda h: f"{_clock(h.time_us)}.{h.time_us // 1000 % 1000:03}",
    b"micros": lambda h: f"{_clock(h.time_us)}.{h.time_us % MICROSECONDS:06}",
    b"before": lambda h: f"{_clock(h.time_us - 600 * MICROSECONDS)}Z",
    b"later": lambda h: f"{_clock(h.time_us + 5 * _DAY_US)}Z",
    b"maildate": lambda h: _mail_date(h.time_us),
    b"millis": lambda h: str(h.time_us // 1000),
    b"count": lambda h: str(1 + int(h.hexes[64:66], 16)),
    b"value": lambda h: f"{75 + int(h.hexes[66:69], 16) / 100:.1f}",
    b"low": lambda h: f"{5 + int(h.hexes[66:69], 16) / 100:.1f}",
    b"duration": lambda h: f"{200 + int(h.hexes[69:72], 16)}.{h.hexes[72:74].translate(_DECIMAL)}",
    b"port": lambda h: str(1024 + int(h.hexes[74:77], 16) * 15),
    b"ip": lambda h: f"203.0.113.{int(h.hexes[77:79], 16)}",
}
EVERY: Final = frozenset(name.decode() for name in _FILL)
"""The names of all holes."""
