"""Reading fields of a document: what is wrong leaves a flaw with its line, field and accepted form, and reading goes on."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Final

from consumers.marked import Flaw, Marked, Path

MISSING: Final = object()

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}", re.ASCII)
_NAMES: Final = "lower-case letters, digits, _ and -, at most 64"
_DURATION: Final = re.compile(r"([0-9]{1,6})([smhd])", re.ASCII)
_UNITS_US: Final = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}


class Form:
    """A document being read, and what was found to be wrong with it."""

    def __init__(self, document: Marked) -> None:
        self._document = document
        self.flaws: list[Flaw] = []

    def flaw(self, path: Path, reason: str) -> None:
        """Something is wrong at ``path``."""
        self.flaws.append(Flaw(self._document.line(path), ".".join(map(str, path)), reason))

    def record(self, value: Any, path: Path, fields: Sequence[str], accepted: str) -> Mapping[str, Any]:
        """An object with no other fields than these; empty if it is none."""
        if not isinstance(value, dict):
            self.flaw(path, accepted)
            return {}
        for key in value:
            if key not in fields:
                self.flaw((*path, key), f"no such field; there are {', '.join(fields)}")
        return value

    def several(self, value: Any, path: Path, most: int, accepted: str, least: int = 0) -> Sequence[Any]:
        """An array with so many members; empty if it is none."""
        if isinstance(value, list) and least <= len(value) <= most:
            return value
        self.flaw(path, f"{accepted}; {least} to {most}")
        return ()

    def name(self, given: Mapping[str, Any], path: Path, key: str = "name") -> str:
        """A name that must be there; "" if it is not, or is none."""
        value = given.get(key, MISSING)
        if isinstance(value, str) and _NAME.fullmatch(value):
            return value
        self.flaw((*path, key), f"{'is missing: ' if value is MISSING else ''}{_NAMES}")
        return ""

    def duration(self, value: Any, path: Path, least_us: int, most_us: int, otherwise: str = "") -> int | None:
        """A stretch of time in microseconds; None if it is none. ``otherwise`` is what else is accepted."""
        form = _DURATION.fullmatch(value) if isinstance(value, str) else None
        found = int(form[1]) * _UNITS_US[form[2]] if form else -1
        if least_us <= found <= most_us:
            return found
        self.flaw(path, f"a number and s, m, h or d, as 5m; from {in_words(least_us)} to {in_words(most_us)}{otherwise}")
        return None


def in_words(time_us: int) -> str:
    """A stretch of time as one may write it, to the second."""
    for unit in ("d", "h", "m"):
        if time_us and time_us % _UNITS_US[unit] == 0:
            return f"{time_us // _UNITS_US[unit]}{unit}"
    return f"{time_us // _UNITS_US['s']}s"
