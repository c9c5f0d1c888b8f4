"""Titles and labels: text with values of the document in it, ``{{ detail.userName }}``.

No statements, calls, loops or arithmetic. What is missing is empty text; a list is told with commas, an object as JSON. A control
character becomes a space.
Accepted inside ``{{ }}``: names, ``.member``, ``["member"]``, ``[0]``, text and numbers, ``a or b``, and the filters below.
Source: Jinja, "Template Designer Documentation" and "Sandbox".
"""

from collections.abc import Callable, Mapping
from itertools import islice
from typing import Any, Final

import orjson
from jinja2 import ChainableUndefined, nodes, pass_eval_context
from jinja2.exceptions import SecurityError, TemplateError
from jinja2.sandbox import ImmutableSandboxedEnvironment

from consumers.rules.errors import ExpressionRefused, RuleThrew
from consumers.rules.matching import Document

MOST_CHARACTERS: Final = 1000
"""Of a template."""
MOST_JOINED: Final = 1000
"""Items that ``join`` takes; more are left out."""
LONGEST_BETWEEN: Final = 100
"""Characters that ``join`` puts between two items; a longer text is cut."""
FILTERS: Final = ("default", "first", "join", "last", "length", "lower", "truncate", "upper")
NAMES: Final = ("source", "account", "region", "time", "id", "detail_type", "resources", "detail", "finding")

_ALLOWED: Final = (
    nodes.Template,
    nodes.Output,
    nodes.TemplateData,
    nodes.Name,
    nodes.Getattr,
    nodes.Getitem,
    nodes.Const,
    nodes.Filter,
    nodes.Or,
)
_MEMBERS: Final = {"detail-type": "detail_type"}
_BROKEN: Final = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError)


class _Environment(ImmutableSandboxedEnvironment):
    """Members of objects only, never attributes of Python's."""

    def getattr(self, obj: Any, attribute: str) -> Any:
        return self.getitem(obj, attribute)

    def getitem(self, obj: Any, argument: Any) -> Any:
        if isinstance(obj, Mapping) and isinstance(argument, str):
            return obj[argument] if argument in obj else self.undefined(obj=obj, name=argument)
        if isinstance(obj, list) and type(argument) is int and argument < len(obj):
            return obj[argument]
        return self.undefined(obj=obj, name=str(argument))


def _text(value: Any) -> str:
    """A value as people write it."""
    if isinstance(value, str):
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, list) and not any(isinstance(item, list | dict) for item in value):
        return ", ".join(map(_text, value))
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return str(value)


_environment: Final = _Environment(undefined=ChainableUndefined, finalize=_text, autoescape=False)
_environment.filters = {name: _environment.filters[name] for name in FILTERS}
_join: Final[Callable[..., str]] = _environment.filters["join"]


@pass_eval_context
def _joined(context: Any, value: Any, between: Any = "", attribute: Any = None) -> str:
    """As Jinja's, of so much only: a text joined by itself would be as long as its square."""
    return _join(context, islice(value, MOST_JOINED), str(between)[:LONGEST_BETWEEN], attribute)


_environment.filters["join"] = _joined
_environment.globals.clear()


def compiled(template: str) -> Callable[[Document], str]:
    """The text for a document, one line. Raises ``ExpressionRefused``; what it returns raises ``RuleThrew``."""
    if len(template) > MOST_CHARACTERS:
        message = f"a template has at most {MOST_CHARACTERS:,} characters"
        raise ExpressionRefused(message)
    if "{" not in template:
        line = _line(template)
        return lambda _: line
    try:
        parsed = _environment.parse(template)
        _check(parsed)
        made = _environment.from_string(template)
    except (TemplateError, SecurityError) as broken:
        message = f"the template cannot be read: {broken}"
        raise ExpressionRefused(message) from None

    def text(document: Document) -> str:
        try:
            return _line(made.render({_MEMBERS.get(name, name): value for name, value in document.items()}))
        except _BROKEN as broken:
            message = f"the template failed: {type(broken).__name__}"
            raise RuleThrew(message) from None

    return text


def _check(parsed: nodes.Template) -> None:
    for node in parsed.find_all(nodes.Node):
        if isinstance(node, nodes.Name) and node.name not in NAMES:
            message = f"no such name: {node.name}; there are {', '.join(NAMES)}"
            raise ExpressionRefused(message)
        if isinstance(node, nodes.Filter) and node.name not in FILTERS:
            message = f"no such filter: {node.name}; there are {', '.join(FILTERS)}"
            raise ExpressionRefused(message)
        if not isinstance(node, (*_ALLOWED, nodes.EvalContextModifier)):
            what = type(node).__name__.lower()
            message = f"{what} is not accepted in a template; only names, members, text, numbers, or, and filters are"
            raise ExpressionRefused(message)


def _line(text: str) -> str:
    if text.isprintable():
        return text.strip()
    return " ".join("".join(char if char.isprintable() else " " for char in text).split())
