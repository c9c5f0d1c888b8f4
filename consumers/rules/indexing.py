"""What a pattern asks of an event before its body is parsed, and which fields lead to it among many.

Heads:   tests on source, account, region and severity, which stand in the log's columns, and on detail-type, kind and form, which
         begin the body. Each must hold for the pattern to match; what is left of it is the ``rest``.
Anchors: fields of the rest that must be one of some texts. An index by one of them passes over most patterns of the rest.
"""

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from consumers.rules.pattern import Leaf, Match, Node, matcher

COLUMNS: Final = ("source", "account", "region", "severity")
BEGINNING: Final = ("detail-type", "kind", "form")
_TOP: Final = frozenset({"source", "account", "region", "detail-type"})
_OF_FINDING: Final = frozenset({"severity", "kind", "form"})
_FINDING: Final = "finding"

Path = tuple[str, ...]


class Split(NamedTuple):
    """A pattern in two: what its heads ask, by name, and the rest, None if nothing is left."""

    heads: Mapping[str, Match]
    rest: Node | None


def split(pattern: Node) -> Split:
    """A document is an object, and so is its ``finding``: their fields can be asked one by one."""
    heads: dict[str, Match] = {}
    rest: list[tuple[str, Leaf | Node]] = []
    for key, part in pattern.fields:
        if isinstance(part, Leaf) and key in _TOP:
            heads[key] = matcher(part)
        elif isinstance(part, Node) and key == _FINDING:
            left = []
            for name, leaf in part.fields:
                if isinstance(leaf, Leaf) and name in _OF_FINDING:
                    heads[name] = matcher(leaf)
                else:
                    left.append((name, leaf))
            if left or part.either:
                rest.append((key, Node(tuple(left), part.either)))
        else:
            rest.append((key, part))
    return Split(heads, Node(tuple(rest), pattern.either) if rest or pattern.either else None)


def anchors(node: Node | None, above: Path = ()) -> Iterator[tuple[Path, frozenset[str]]]:
    """The paths at which some text of a set must stand."""
    for key, part in node.fields if node else ():
        if isinstance(part, Node):
            yield from anchors(part, (*above, key))
        elif part.is_exact:
            yield (*above, key), part.texts
