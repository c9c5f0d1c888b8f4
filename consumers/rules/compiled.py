"""A version of a rule, compiled: what it matches, whom it groups, what it says. Pure, but for what a registered function does.

Python:  a rule may name a function (``python: brute-force``) that some package registers under the entry point group
         ``findstream.rules``; it takes a document and returns whether it matches. It is asked after pattern and condition.
Paths:   ``detail.userIdentity.userName``: keys, or indices of arrays. Of an array that no index asks for, the first element.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final

import orjson

from consumers.rules import conditions, templates
from consumers.rules.errors import ExpressionRefused, RulesError, RuleThrew
from consumers.rules.matching import Document
from consumers.rules.pattern import Match, Node, matcher, read
from consumers.rules.rule import Rule, Version

GROUP: Final = "findstream.rules"
"""Of entry points."""
LONGEST_TITLE: Final = 300
LONGEST_LABEL: Final = 1000
LONGEST_VALUE: Final = 1000
"""Characters of a value by which a rule groups or counts; a longer one is cut."""

Condition = Callable[[Document], bool]


@dataclass(frozen=True, slots=True)
class CompiledRule:
    """As ``consumers.rules.matching.Compiled``. ``pattern`` and ``closing`` (from ``resolve``) are there for whoever indexes."""

    version: Version
    pattern: Node
    closing: Node | None
    conditions: tuple[Condition, ...]
    _match: Match
    _resolve: Match | None
    _group: tuple[Callable[[Document], str | None], ...]
    _distinct: Callable[[Document], str | None] | None
    _title: Callable[[Document], str]
    _labels: Mapping[str, Callable[[Document], str]]

    def matches(self, document: Document) -> bool:
        """Whether pattern and condition hold."""
        return self._match(document) and all(condition(document) for condition in self.conditions)

    def resolves(self, document: Document) -> bool:
        """Whether it closes the alerts of its group."""
        return self._resolve is not None and self._resolve(document)

    def group(self, document: Document) -> tuple[str, ...] | None:
        """The values of ``group_by``, in order; None if one of them is missing."""
        found = []
        for path in self._group:
            value = path(document)
            if value is None:
                return None
            found.append(value)
        return tuple(found)

    def distinct(self, document: Document) -> str | None:
        """The value that is counted; None if it is missing, or the rule counts findings."""
        return self._distinct(document) if self._distinct else None

    def title(self, document: Document) -> str:
        """The title, the rule's id if it comes out empty."""
        title = self._title(document) or self.version.rule.id
        return title if len(title) <= LONGEST_TITLE else title[: LONGEST_TITLE - 1] + "…"

    def labels(self, document: Document) -> dict[str, str]:
        """The labels; one that comes out empty is left out."""
        made = ((name, label(document)[:LONGEST_LABEL]) for name, label in self._labels.items())
        return {name: text for name, text in made if text}


def compile_rule(version: Version) -> CompiledRule:
    """Raises ``PatternRefused`` or ``ExpressionRefused``; not for a rule that ``consumers.rules.text`` has checked."""
    rule = version.rule
    pattern = read(rule.match)
    closing = read(rule.resolve) if rule.resolve is not None else None
    distinct = rule.threshold.distinct if rule.threshold else ""
    return CompiledRule(
        version,
        pattern,
        closing,
        _conditions(rule),
        matcher(pattern),
        matcher(closing) if closing else None,
        tuple(map(path, rule.group_by)),
        path(distinct) if distinct else None,
        templates.compiled(rule.title),
        {name: templates.compiled(text) for name, text in rule.labels.items()},
    )


def _conditions(rule: Rule) -> tuple[Condition, ...]:
    found: list[Condition] = []
    if rule.where:
        found.append(conditions.compiled(rule.where))
    if rule.python:
        found.append(_guarded(registered(rule.python)))
    return tuple(found)


def _guarded(function: Condition) -> Condition:
    def holds(document: Document) -> bool:
        try:
            return bool(function(document))
        except RulesError:
            raise
        except Exception as broken:  # foreign code may raise anything, and must not stop a shard
            message = f"the function raised {type(broken).__name__}"
            raise RuleThrew(message) from broken

    return holds


def registered(name: str) -> Condition:
    """The function of this name. Raises ``ExpressionRefused`` naming those that are there."""
    found = _entry_points()
    if name not in found:
        there = ", ".join(sorted(found)) or "none is installed"
        message = f"no function {name!r} is registered under {GROUP} ({there})"
        raise ExpressionRefused(message)
    try:
        function: Condition = found[name].load()
    except Exception as broken:  # foreign code may raise anything while it is imported
        message = f"the function {name!r} cannot be loaded: {type(broken).__name__}"
        raise ExpressionRefused(message) from broken
    return function


@cache
def _entry_points() -> Mapping[str, Any]:
    return {point.name: point for point in entry_points(group=GROUP)}


def path(dotted: str) -> Callable[[Document], str | None]:
    """The value at a path as text: numbers as in JSON, None where there is nothing, null, or an object."""
    keys = dotted.split(".")

    def value(document: Document) -> str | None:
        here: Any = document
        for key in keys:
            here = _step(here, key)
        while type(here) is list:
            here = here[0] if here else None
        return _as_text(here)

    return value


def _step(here: Any, key: str) -> Any:
    if type(here) is list:
        if key.isdigit():
            return here[int(key)] if int(key) < len(here) else None
        here = here[0] if here else None
    return here.get(key) if type(here) is dict else None


def _as_text(value: Any) -> str | None:
    if type(value) is str:
        return value[:LONGEST_VALUE]
    if value is None or type(value) is dict:
        return None
    return orjson.dumps(value).decode()
