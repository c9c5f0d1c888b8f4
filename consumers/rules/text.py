"""A rule as its author writes it (YAML), read and checked whole: every flaw at once, with line, field, and the accepted form.

``docs/rules.md`` tells the form. What this accepts, ``consumers.rules.compiled`` compiles.
"""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from consumers import marked
from consumers.marked import Flaw, Marked, Path, TextRefused
from consumers.rules import conditions, templates
from consumers.rules.compiled import registered
from consumers.rules.document import MEMBERS
from consumers.rules.errors import ExpressionRefused, PatternRefused, RuleRefused
from consumers.rules.pattern import read as read_pattern
from consumers.rules.rule import MOST_LATE_US, Example, Rule, Threshold

MOST_CHARACTERS: Final = 65_536
"""Of a rule's document."""
MOST_DESCRIPTION: Final = 4000
MOST_PATHS: Final = 8
"""By which a rule groups."""
MOST_LABELS: Final = 32
MOST_COUNT: Final = 1000
"""Of a threshold: what a window keeps is bounded by it."""
MOST_WINDOWS: Final = 24
"""In which one finding may count: window / hop."""
SHORTEST_US: Final = 10_000_000
LONGEST_US: Final = 86_400_000_000
"""Of windows, and of the hops between them the shortest."""
SEVERITIES: Final = ("unknown", "low", "medium", "high", "critical")

_FIELDS: Final = (
    *("id", "title", "description", "severity", "match", "where", "python", "group_by"),
    *("threshold", "late", "resolve", "labels", "examples"),
)
_ID: Final = re.compile(r"[a-z0-9][a-z0-9-]{1,62}[a-z0-9]", re.ASCII)
_NAME: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:/-]{0,127}", re.ASCII)
_PATH: Final = re.compile(r"[^.\s]+(?:\.[^.\s]+)*")
_LONGEST_PATH: Final = 256
_DURATION: Final = re.compile(r"([1-9][0-9]{0,5})([smhd])", re.ASCII)
_UNITS_US: Final = {"s": 1_000_000, "m": 60_000_000, "h": 3_600_000_000, "d": 86_400_000_000}
_SHORTEST_TITLE, _LONGEST_TITLE = 3, 200
_HOUR_US: Final = _UNITS_US["h"]
_MISSING: Final = object()


def read(text: str) -> Rule:
    """The rule of one document. Raises ``RuleRefused`` with all its flaws, in order of their lines."""
    if len(text) > MOST_CHARACTERS:
        raise RuleRefused([Flaw(0, "", f"a rule has at most {MOST_CHARACTERS:,} characters, not {len(text):,}")])
    try:
        document = marked.read(text)
    except TextRefused as refused:
        raise RuleRefused(refused.flaws) from None
    return _Reader(document).rule()


class _Reader:
    """Reads field after field; a field that is wrong leaves a flaw, and nothing is made in the end."""

    def __init__(self, document: Marked) -> None:
        self._document = document
        self._flaws: list[Flaw] = []

    def rule(self) -> Rule:
        given = self._document.value
        if not isinstance(given, dict):
            raise RuleRefused([Flaw(1, "", f"a rule is an object with the fields {', '.join(_FIELDS)}")])
        self._known(given, (), _FIELDS)
        rule = Rule(
            id=self._text(given, "id", _ID, "3 to 64 lower-case letters, digits and hyphens"),
            title=self._title(given),
            severity=self._severity(given),
            match=self._pattern(given, "match", needed=True) or {},
            description=self._described(given),
            where=self._expression(given, "where", conditions.compiled, "a CEL expression"),
            python=self._expression(given, "python", registered, "the name of a registered function"),
            group_by=self._group_by(given),
            threshold=self._threshold(given),
            late_us=self._duration(given, ("late",), _HOUR_US, 0, MOST_LATE_US),
            resolve=self._pattern(given, "resolve", needed=False),
            labels=self._labels(given),
            matching=self._examples(given, "matching"),
            not_matching=self._examples(given, "not_matching"),
        )
        if self._flaws:
            raise RuleRefused(sorted(self._flaws))
        return rule

    def _flaw(self, path: Path, reason: str) -> None:
        self._flaws.append(Flaw(self._document.line(path), ".".join(map(str, path)), reason))

    def _known(self, given: Mapping[str, Any], path: Path, fields: tuple[str, ...]) -> None:
        for key in given:
            if key not in fields:
                self._flaw((*path, key), f"no such field; there are {', '.join(fields)}")

    def _text(self, given: Mapping[str, Any], key: str, form: re.Pattern[str], accepted: str) -> str:
        value = given.get(key)
        if isinstance(value, str) and form.fullmatch(value):
            return value
        self._flaw((key,), f"{'is missing: ' if key not in given else ''}{accepted}")
        return ""

    def _title(self, given: Mapping[str, Any]) -> str:
        value = given.get("title")
        if not isinstance(value, str) or not _SHORTEST_TITLE <= len(value.strip()) <= len(value) <= _LONGEST_TITLE:
            missing = "is missing: " if "title" not in given else ""
            self._flaw(
                ("title",), f"{missing}{_SHORTEST_TITLE} to {_LONGEST_TITLE} characters, in quotes if it has colons or braces"
            )
            return ""
        self._template(value, ("title",))
        return value

    def _template(self, value: str, path: Path) -> None:
        try:
            templates.compiled(value)
        except ExpressionRefused as refused:
            self._flaw(path, str(refused))

    def _severity(self, given: Mapping[str, Any]) -> int:
        value = given.get("severity")
        if isinstance(value, str) and value.lower() in SEVERITIES:
            return SEVERITIES.index(value.lower())
        if type(value) is int and 0 <= value < len(SEVERITIES):
            return value
        self._flaw(("severity",), f"{'is missing: ' if value is None else ''}one of {', '.join(SEVERITIES)}, or 0 to 4")
        return 0

    def _described(self, given: Mapping[str, Any]) -> str:
        value = given.get("description", "")
        if isinstance(value, str) and len(value) <= MOST_DESCRIPTION:
            return value
        self._flaw(("description",), f"text of at most {MOST_DESCRIPTION:,} characters")
        return ""

    def _pattern(self, given: Mapping[str, Any], key: str, *, needed: bool) -> Mapping[str, Any] | None:
        value = given.get(key, _MISSING)
        if value is _MISSING:
            if needed:
                self._flaw((key,), "is missing: an event pattern")
            return None
        try:
            read_pattern(value)
        except PatternRefused as refused:
            self._flaw((key, *refused.path), refused.reason)
            return None
        found: Mapping[str, Any] = value
        return found

    def _expression(self, given: Mapping[str, Any], key: str, check: Callable[[str], Any], accepted: str) -> str:
        value = given.get(key, "")
        if not isinstance(value, str) or (key in given and not value.strip()):
            self._flaw((key,), accepted)
            return ""
        try:
            if value:
                check(value)
        except ExpressionRefused as refused:
            self._flaw((key,), str(refused))
        return value

    def _group_by(self, given: Mapping[str, Any]) -> tuple[str, ...]:
        value = given.get("group_by", [])
        if not isinstance(value, list) or len(value) > MOST_PATHS:
            self._flaw(("group_by",), f"an array of at most {MOST_PATHS} paths, as [account, detail.sourceIPAddress]")
            return ()
        paths = tuple(self._path(path, ("group_by", index)) for index, path in enumerate(value))
        named = list(filter(None, paths))
        if len(set(named)) < len(named):
            self._flaw(("group_by",), "a path stands twice")
        return paths

    def _path(self, value: Any, at: Path) -> str:
        if isinstance(value, str) and len(value) <= _LONGEST_PATH and _PATH.fullmatch(value) and value.split(".")[0] in MEMBERS:
            return value
        self._flaw(at, f"a path of names with dots, as detail.sourceIPAddress; the first one of {', '.join(MEMBERS)}")
        return ""

    def _threshold(self, given: Mapping[str, Any]) -> Threshold | None:
        value = given.get("threshold", _MISSING)
        if value is _MISSING:
            return None
        if not isinstance(value, dict):
            self._flaw(("threshold",), "an object: {count: 5, window: 10m}, and if need be every: 5m, distinct: a path")
            return None
        self._known(value, ("threshold",), ("count", "window", "every", "distinct"))
        count = value.get("count")
        if type(count) is not int or not 1 <= count <= MOST_COUNT:
            self._flaw(("threshold", "count"), f"a whole number from 1 to {MOST_COUNT:,}")
        window_us = self._duration(given, ("threshold", "window"), 0, SHORTEST_US, LONGEST_US)
        every = ("threshold", "every")
        hop_us = self._duration(given, every, 0, SHORTEST_US, LONGEST_US) if "every" in value else window_us
        if window_us and hop_us and (window_us % hop_us or window_us // hop_us > MOST_WINDOWS):
            self._flaw(every, f"the window, or a part of it: a half, a third, … or at least 1/{MOST_WINDOWS}")
        distinct = self._path(value["distinct"], ("threshold", "distinct")) if "distinct" in value else ""
        return Threshold(count if type(count) is int else 1, window_us, hop_us, distinct)

    def _duration(self, given: Mapping[str, Any], path: tuple[str, ...], default: int, least: int, most: int) -> int:
        value: Any = given
        for key in path:
            value = value.get(key, _MISSING)
        if value is _MISSING and default:
            return default
        form = _DURATION.fullmatch(value) if isinstance(value, str) else None
        found = int(form[1]) * _UNITS_US[form[2]] if form else 0 if value == 0 and type(value) is int else None
        if found is None or not least <= found <= most:
            missing = "is missing: " if value is _MISSING else ""
            bounds = f"from {_duration_text(least)} to {_duration_text(most)}"
            self._flaw(path, f"{missing}a number and s, m, h or d, as 10m; {bounds}")
            return 0
        return found

    def _labels(self, given: Mapping[str, Any]) -> Mapping[str, str]:
        value = given.get("labels", {})
        if not isinstance(value, dict) or len(value) > MOST_LABELS:
            self._flaw(("labels",), f"an object of at most {MOST_LABELS} names, each with a text")
            return {}
        for name, text in value.items():
            if not _NAME.fullmatch(name):
                self._flaw(("labels", name), "a name is letters, digits and _ . : / -, at most 128")
            elif isinstance(text, str):
                self._template(text, ("labels", name))
            else:
                self._flaw(("labels", name), "text, in quotes if it is a number or has braces")
        return {name: text for name, text in value.items() if isinstance(text, str)}

    def _examples(self, given: Mapping[str, Any], kind: str) -> tuple[Example, ...]:
        every = given.get("examples", {})
        if not isinstance(every, dict):
            if kind == "matching":
                self._flaw(("examples",), "an object with the arrays matching and not_matching")
            return ()
        if kind == "matching":
            self._known(every, ("examples",), ("matching", "not_matching"))
        several = every.get(kind, [])
        if not isinstance(several, list):
            self._flaw(("examples", kind), "an array of examples, each {name: what it is, event: the event}")
            return ()
        return tuple(self._example(item, ("examples", kind, index)) for index, item in enumerate(several))

    def _example(self, given: Any, at: Path) -> Example:
        if not isinstance(given, dict) or set(given) != {"name", "event"} or not isinstance(given["event"], dict):
            self._flaw(at, "an example has a name and an event, which is an object")
            return Example("", {})
        if not isinstance(given["name"], str) or not given["name"].strip():
            self._flaw((*at, "name"), "text that says what it is an example of")
        return Example(str(given["name"]), given["event"])


def _duration_text(time_us: int) -> str:
    for unit in ("d", "h", "m"):
        if time_us and time_us % _UNITS_US[unit] == 0:
            return f"{time_us // _UNITS_US[unit]}{unit}"
    return f"{time_us // _UNITS_US['s']}s"
