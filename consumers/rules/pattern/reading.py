"""An event pattern read from its JSON, as EventBridge reads it; whatever it refuses is refused here too.

An object under ``$or`` may name fields that stand beside it, or in another ``$or`` beside it: then both mean the same element of
an array, so such objects are multiplied out here, and ``matching`` need not know.
Source: Amazon EventBridge User Guide, "Creating event patterns" and "Comparison operators for use in event patterns".
"""

from collections.abc import Iterator, Mapping
from itertools import product
from typing import Any, Final

from consumers.rules.errors import PatternRefused
from consumers.rules.pattern.match_values import RESERVED, Path, leaf
from consumers.rules.pattern.tree import Leaf, Node

MOST_COMBINATIONS: Final = 1000
"""Of the alternatives of all ``$or``. Source: the second page named above, "Complex example with $or"."""
MOST_MULTIPLIED: Final = 100_000
"""Fields that alternatives come to which are multiplied out: a pattern of 64 KiB could have millions, and fill the memory."""
DEEPEST: Final = 100
"""Objects within objects."""

_OR: Final = "$or"
_Fields = tuple[tuple[str, Leaf | Node], ...]


def read(pattern: Any) -> Node:
    """The tree of a pattern. Raises ``PatternRefused`` naming the first place that is wrong."""
    if not isinstance(pattern, Mapping):
        raise PatternRefused((), "a pattern is an object, its fields as in the event that it matches")
    node = _node(pattern, (), reserved=frozenset())
    if (count := _combinations(node)) > MOST_COMBINATIONS:
        raise PatternRefused(
            (), f"the alternatives of $or make {count:,} combinations; at most {MOST_COMBINATIONS:,} are accepted"
        )
    return _settled(node, ())


def _node(given: Mapping[str, Any], path: Path, *, reserved: frozenset[str]) -> Node:
    if not given:
        raise PatternRefused(path, "an empty object matches nothing; name at least one field")
    if len(path) > DEEPEST:
        raise PatternRefused(path[:3], f"objects are nested more than {DEEPEST} deep")
    fields: list[tuple[str, Leaf | Node]] = []
    either: list[tuple[Node, ...]] = []
    for key, value in given.items():
        at = (*path, key)
        if not isinstance(key, str):
            raise PatternRefused(at, "the name of a field is text")
        if key == _OR:
            either.append(_either(value, at))
        elif key in reserved:
            raise PatternRefused(at, f"{key!r} is an operator; no field in an object of $or may be named so")
        elif isinstance(value, Mapping):
            fields.append((key, _node(value, at, reserved=reserved)))
        elif isinstance(value, list):
            fields.append((key, leaf(value, at)))
        else:
            raise PatternRefused(at, 'a field has an array of match values, as ["running"], or an object of further fields')
    return Node(tuple(fields), tuple(either))


def _either(given: Any, path: Path) -> tuple[Node, ...]:
    if not isinstance(given, list) or len(given) < 2:  # noqa: PLR2004 - one alone is no alternative
        raise PatternRefused(path, "$or takes an array of at least two objects")
    for index, branch in enumerate(given):
        if not isinstance(branch, Mapping):
            raise PatternRefused((*path, index), "only objects stand in the array of $or")
    return tuple(_node(branch, (*path, index), reserved=RESERVED) for index, branch in enumerate(given))


def _combinations(node: Node) -> int:
    count = 1
    for _, part in node.fields:
        count *= _combinations(part) if isinstance(part, Node) else 1
    for branches in node.either:
        count *= sum(map(_combinations, branches))
    return count


def _settled(node: Node, path: Path) -> Node:
    """The same, with no field named in two places of which both must hold."""
    if _overlaps(node):
        if _combinations(node) * _width(node) > MOST_MULTIPLIED:
            raise PatternRefused(
                path, f"alternatives of $or and the fields beside them come to more than {MOST_MULTIPLIED:,}; name fewer fields"
            )
        return Node((), (tuple(_settled(Node(fields), path) for fields in _alternatives(node, path)),))
    fields = tuple((key, _settled(part, (*path, key)) if isinstance(part, Node) else part) for key, part in node.fields)
    either = tuple(tuple(_settled(branch, path) for branch in branches) for branches in node.either)
    return Node(fields, either)


def _overlaps(node: Node) -> bool:
    groups = [
        {key for key, _ in node.fields},
        *({key for branch in branches for key in _keys(branch)} for branches in node.either),
    ]
    return sum(map(len, groups)) > len(set().union(*groups))


def _width(node: Node) -> int:
    """How many fields a combination has at most, those within fields included."""
    within = sum(_width(part) if isinstance(part, Node) else 1 for _, part in node.fields)
    return within + sum(max(map(_width, branches)) for branches in node.either)


def _keys(node: Node) -> Iterator[str]:
    for key, _ in node.fields:
        yield key
    for branches in node.either:
        for branch in branches:
            yield from _keys(branch)


def _alternatives(node: Node, path: Path) -> Iterator[_Fields]:
    """The fields of this object in each combination of its alternatives."""
    groups = [[fields for branch in branches for fields in _alternatives(branch, path)] for branches in node.either]
    for chosen in product(*groups):
        yield _merged([node.fields, *chosen], path)


def _merged(several: list[_Fields], path: Path) -> _Fields:
    merged: dict[tuple[str, bool], Leaf | Node] = {}
    for fields in several:
        for key, part in fields:
            there = merged.get((key, isinstance(part, Node)))
            if isinstance(there, Node) and isinstance(part, Node):
                inner = _merged([there.fields, part.fields], (*path, key))
                merged[key, True] = Node(inner, there.either + part.either)
            elif there is None:
                merged[key, isinstance(part, Node)] = part
            else:
                where = ".".join(map(str, (*path, key)))
                raise PatternRefused((*path, key), f"the path {where} stands in two places of which both must match")
    return tuple((key, part) for (key, _), part in merged.items())
