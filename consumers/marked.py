"""YAML as plain data, and the line of every value, so that whoever reads it can say where something is wrong.

Scalars: as in JSON: null, true, false and numbers only as JSON spells them; all else is text. Dates, ``yes``, ``012`` and
         ``1:30`` stay the text that the author wrote.
Refused: anchors, aliases, tags, keys that are no text or stand twice, and nesting beyond 100 levels.
Source:  YAML 1.2.2, section 10.2, "JSON Schema"; event patterns and CloudFormation mean the same by it.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Final, NamedTuple, TypeAlias

import yaml

from consumers.errors import ConsumerError

DEEPEST: Final = 100
Path: TypeAlias = tuple[str | int, ...]

_BRACES: Final = re.compile(r"[:-][ \t]+\{\{")
_QUOTES: Final = "; text with {{ braces }} stands in quotes"
_SPLIT: Final = re.compile(r"^---[ \t]*(?:#.*)?$", re.MULTILINE)
_INT: Final = "tag:yaml.org,2002:int"
_FLOAT: Final = "tag:yaml.org,2002:float"
_LARGEST: Final = 2.0**63
_CONSTANTS: Final = {"true": True, "false": False, "null": None}
_BOOL: Final = "tag:yaml.org,2002:bool"
_NULL: Final = "tag:yaml.org,2002:null"


class Flaw(NamedTuple):
    """One thing that is wrong with a document: the line (from 1, 0 if unknown), the field, and the accepted form."""

    line: int
    field: str
    reason: str

    def __str__(self) -> str:
        """``line 7, match.source: …``."""
        place = [f"line {self.line}"] if self.line else []
        return f"{', '.join([*place, self.field] if self.field else place) or 'the document'}: {self.reason}"


class TextRefused(ConsumerError):
    """A text is no YAML, or more than plain data. Do: as the one of ``flaws`` says."""

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("\n".join(map(str, flaws)))
        self.flaws = tuple(flaws)


class _Loader(yaml.CSafeLoader):
    """Composes nodes; it constructs nothing."""

    yaml_implicit_resolvers: dict[str, Any] = {}  # noqa: RUF012 - as PyYAML declares it


_Loader.add_implicit_resolver(_NULL, re.compile(r"^(?:null)?$"), ["n", ""])
_Loader.add_implicit_resolver(_BOOL, re.compile(r"^(?:true|false)$"), list("tf"))
_Loader.add_implicit_resolver(_INT, re.compile(r"^-?(?:0|[1-9][0-9]*)$"), list("-0123456789"))
_Loader.add_implicit_resolver(_FLOAT, re.compile(r"^-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?$"), list("-0123456789"))


@dataclass(frozen=True, slots=True)
class Marked:
    """A document, and where its parts stand: a path (keys, and indices of arrays) and its line, from 1."""

    value: Any
    lines: Mapping[Path, int]

    def line(self, path: Path) -> int:
        """The line of the innermost part of ``path`` that is there. The whole, (), is there unless the text is empty."""
        return next(self.lines[path[:length]] for length in range(len(path), -1, -1) if path[:length] in self.lines)


def documents(text: str) -> Iterator[tuple[int, str]]:
    """The parts of a file between lines of ``---`` that are not empty, each with the number of lines before it."""
    begin = 0
    for end, following in [*((found.start(), found.end()) for found in _SPLIT.finditer(text)), (len(text), len(text))]:
        part = text[begin:end]
        if any(line.strip() and not line.lstrip().startswith("#") for line in part.splitlines()):
            yield text.count("\n", 0, begin), part
        begin = following


def read(text: str) -> Marked:
    """Raises ``TextRefused`` for what is no YAML, or more than plain data."""
    try:
        _check(text)
        node = yaml.compose(text, _Loader)
    except yaml.MarkedYAMLError as broken:
        mark = broken.problem_mark or broken.context_mark
        hint = _QUOTES if mark and _BRACES.search(text, *_span(text, mark.line)) else ""
        raise _refused(mark.line + 1 if mark else 0, "", f"no YAML: {broken.problem or broken.context}{hint}") from None
    except UnicodeEncodeError:
        raise _refused(0, "", "the text holds what is no Unicode character") from None
    except yaml.YAMLError as broken:
        raise _refused(0, "", f"no YAML: {' '.join(str(broken).split())[:200]}") from None
    lines: dict[Path, int] = {}
    return Marked(_value(node, (), lines) if node else None, lines)


def _span(text: str, line: int) -> tuple[int, int]:
    """Where a line (from 0) begins and ends; at the end of the text if there are not so many."""
    begin = 0
    for _ in range(line):
        begin = text.find("\n", begin) + 1 or len(text)
    end = text.find("\n", begin)
    return begin, len(text) if end < 0 else end


def _check(text: str) -> None:
    """Before anything is built: no aliases, no tags, and not too deep."""
    depth = 0
    for event in yaml.parse(text, _Loader):
        if isinstance(event, yaml.AliasEvent) or getattr(event, "anchor", None):
            raise _refused(_line(event), "", "anchors and aliases are not accepted; write the value out")
        if getattr(event, "tag", None):
            raise _refused(_line(event), "", "tags are not accepted; write the value alone")
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > DEEPEST:
            raise _refused(_line(event), "", f"nested more than {DEEPEST} levels deep")


def _line(event: yaml.Event) -> int:
    return event.start_mark.line + 1 if event.start_mark else 0


def _value(node: yaml.Node, path: Path, lines: dict[Path, int]) -> Any:
    lines.setdefault(path, node.start_mark.line + 1)
    if isinstance(node, yaml.MappingNode):
        return _mapping(node, path, lines)
    if isinstance(node, yaml.SequenceNode):
        return [_value(item, (*path, index), lines) for index, item in enumerate(node.value)]
    return _scalar(node, path)


def _mapping(node: yaml.MappingNode, path: Path, lines: dict[Path, int]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key_node, value_node in node.value:
        line = key_node.start_mark.line + 1
        if not isinstance(key_node, yaml.ScalarNode):
            raise _refused(line, _dotted(path), f"the name of a field is text{_QUOTES}")
        key = key_node.value
        if key in found:
            raise _refused(line, _dotted((*path, key)), "the field stands twice")
        lines[*path, key] = line
        found[key] = _value(value_node, (*path, key), lines)
    return found


def _scalar(node: yaml.Node, path: Path) -> Any:
    text: str = node.value
    if node.tag in (_NULL, _BOOL):
        return _CONSTANTS[text] if text else None
    if node.tag not in (_INT, _FLOAT):
        return text
    number = float(text)
    if abs(number) == inf or (node.tag == _INT and abs(number) >= _LARGEST):
        raise _refused(node.start_mark.line + 1, _dotted(path), "the number is too large")
    return int(text) if node.tag == _INT else number


def _dotted(path: Path) -> str:
    return ".".join(map(str, path))


def _refused(line: int, field: str, reason: str) -> TextRefused:
    return TextRefused([Flaw(line, field, reason)])
