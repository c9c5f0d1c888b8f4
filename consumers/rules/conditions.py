"""Conditions on a document: expressions in CEL, compiled once, type-checked, and bounded in what they may cost.

Names:   ``source``, ``account``, ``region``, ``time``, ``id``, ``detail_type`` (texts), ``resources``, ``detail``, ``finding``.
Cost:    CEL has no loops of its own, regular expressions are RE2's, and the library ends an evaluation after 10,000 steps through
         lists. What ``map`` makes of a list may be longer than it, and longer again by the next: one is accepted.
         Converting a document costs time with its size: only the names that are used are handed over.
Sources: Common Expression Language, "Language Definition"; cel-expr-python, README. Decision 81.
"""

import re
from collections.abc import Callable
from typing import Final

from cel_expr_python import cel

from consumers.rules.errors import ExpressionRefused, RuleThrew
from consumers.rules.matching import Document

MOST_CHARACTERS: Final = 4096
"""Of an expression."""
MOST_MAPS: Final = 1
"""Of an expression: each multiplies what the one before made, so that a line of them fills any memory."""

_OBJECT: Final = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
_TYPES: Final = {
    "source": cel.Type.STRING,
    "account": cel.Type.STRING,
    "region": cel.Type.STRING,
    "time": cel.Type.STRING,
    "id": cel.Type.STRING,
    "detail_type": cel.Type.STRING,
    "resources": cel.Type.List(cel.Type.STRING),
    "detail": _OBJECT,
    "finding": _OBJECT,
}
NAMES: Final = tuple(_TYPES)
_MEMBER: Final = {name: name.replace("_", "-") for name in NAMES}
_WORD: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FIRST_FAULT: Final = re.compile(r"ERROR: <input>:(\d+):(\d+): ([^\n]*)")
_CONTAINER: Final = " (in container '')"
_BROKEN: Final = (RuntimeError, TypeError)
"""What the library raises, whatever it is that it does not accept; the second for text that is no Unicode."""
_environment: Final = cel.NewEnv(variables=_TYPES)


def compiled(expression: str) -> Callable[[Document], bool]:
    """Whether the expression holds for a document. Raises ``ExpressionRefused``; what it returns raises ``RuleThrew``."""
    if len(expression) > MOST_CHARACTERS:
        message = f"a condition has at most {MOST_CHARACTERS:,} characters"
        raise ExpressionRefused(message)
    try:
        program = _environment.compile(expression)
    except _BROKEN as broken:
        raise ExpressionRefused(_told(str(broken))) from None
    if program.return_type() not in (cel.Type.BOOL, cel.Type.DYN):
        message = f"a condition is true or false; this is of type {program.return_type().name()}"
        raise ExpressionRefused(message)
    words = _WORD.findall(expression)
    if words.count("map") > MOST_MAPS:
        message = (
            "map stands more than once, and could make too much of a list; exists, all and filter may stand as often as needed"
        )
        raise ExpressionRefused(message)
    needed = [(name, member) for name, member in _MEMBER.items() if name in words]

    def holds(document: Document) -> bool:
        try:
            result = program.eval(data={name: document[member] for name, member in needed})
            value = result.value()
        except _BROKEN as broken:
            raise RuleThrew(_kind(str(broken))) from None
        if value is True or value is False:
            return value
        raise RuleThrew(_kind(value) if result.type() == cel.Type.ERROR else "the condition is neither true nor false")

    return holds


def _told(message: str) -> str:
    """The first thing that the library complains of, with its place."""
    found = _FIRST_FAULT.search(message)
    if not found:
        return message.splitlines()[0][:200]
    line, column, reason = found.groups()
    place = f"column {column}" if line == "1" else f"line {line}, column {column}"
    hint = f"; names are {', '.join(NAMES)}" if "undeclared reference" in reason else ""
    return f"CEL, {place}: {reason.replace(_CONTAINER, '')[:200]}{hint}"


def _kind(message: str) -> str:
    """What went wrong in an evaluation. Messages name keys and types; values that they quote are left out."""
    return re.sub(r"'[^']*'", "…", message.split(" [", 1)[0])[:200]
