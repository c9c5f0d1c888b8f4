"""A pattern made to run: closures over parsed JSON, fastest where most events go.

Arrays: the fields of an object match within one element of an array. A field that must be absent is absent from the element that
        other fields picked, or, if none picked one, from all: in whatever order the fields stand.
Source: event-ruler, README, "JSON Array Matching".
"""

from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from consumers.rules.pattern.tree import Leaf, Node, may_be_absent

Match: TypeAlias = Callable[[Any], bool]

MISSING: Final = object()
"""What stands where nothing stands: None is a value (null)."""


class _Vacuous(NamedTuple):
    """The two ways to match of what may be absent: by a value that is there (``found``), or by there being none."""

    found: Match
    none: Match

    def match(self, value: Any) -> bool:
        return self.found(value) or self.none(value)


def matcher(part: Leaf | Node) -> Match:
    """Whether a value matches: that of the field which ``part`` stands under, or ``MISSING``. Pure, and never throws."""
    if may_be_absent(part):
        return _vacuous(part).match
    return _leaf(part) if isinstance(part, Leaf) else _node(part)


def _leaf(leaf: Leaf) -> Match:
    texts = leaf.texts
    if not leaf.tests:
        if len(texts) == 1:
            return _one_text(*texts)
        return _texts(texts)
    holds = _holds(leaf)

    def match(value: Any) -> bool:
        kind = type(value)
        if kind is list:
            return any(map(match, value))
        return kind is not dict and value is not MISSING and holds(value)

    return match


def _one_text(text: str) -> Match:
    def match(value: Any) -> bool:
        return bool(value == text) or (type(value) is list and any(map(match, value)))

    return match


def _texts(texts: frozenset[str]) -> Match:
    def match(value: Any) -> bool:
        if type(value) is str:
            return value in texts
        return type(value) is list and any(map(match, value))

    return match


def _holds(leaf: Leaf) -> Match:
    """Whether a scalar is one of those wanted."""
    texts, tests = leaf.texts, leaf.tests
    if len(tests) == 1 and not texts:
        return tests[0]

    def holds(value: Any) -> bool:
        if type(value) is str and value in texts:
            return True
        for test in tests:  # noqa: SIM110 - any() over a generator takes three times as long
            if test(value):
                return True
        return False

    return holds


def _node(node: Node) -> Match:
    """Exact text, which most fields want, is looked up here; all else is asked of the part's own matcher."""
    ordered = sorted(node.fields, key=lambda field: _cost(field[1]))
    fields = [(key, _texts_of(part), matcher(part)) for key, part in ordered]
    groups = [[matcher(branch) for branch in branches] for branches in node.either]
    if len(fields) == 1 and not groups:
        return _single(*fields[0])

    def match(value: Any) -> bool:
        if type(value) is not dict:
            return type(value) is list and any(map(match, value))
        get = value.get
        for key, texts, test in fields:
            here = get(key, MISSING)
            if texts is not None and type(here) is str:
                if here not in texts:
                    return False
            elif not test(here):
                return False
        return not groups or all(any(branch(value) for branch in branches) for branches in groups)

    return match


def _texts_of(part: Leaf | Node) -> frozenset[str] | None:
    return part.texts if isinstance(part, Leaf) and part.is_exact else None


def _cost(part: Leaf | Node) -> int:
    if isinstance(part, Leaf):
        return len(part.tests)
    return 1 + sum(_cost(inner) for _, inner in part.fields) + 2 * len(part.either)


def _single(key: str, texts: frozenset[str] | None, test: Match) -> Match:
    def match(value: Any) -> bool:
        if type(value) is not dict:
            return type(value) is list and any(map(match, value))
        here = value.get(key, MISSING)
        if texts is not None and type(here) is str:
            return here in texts
        return test(here)

    return match


def _vacuous(part: Leaf | Node) -> _Vacuous:
    return _absent_leaf(part) if isinstance(part, Leaf) else _absent_node(part)


def _absent_leaf(leaf: Leaf) -> _Vacuous:
    holds = _holds(leaf)

    def found(value: Any) -> bool:
        if type(value) is list:
            return any(map(found, value))
        return type(value) is not dict and value is not MISSING and holds(value)

    def none(value: Any) -> bool:
        if type(value) is list:
            return all(map(none, value))
        return type(value) is dict or value is MISSING

    return _Vacuous(found, none)


def _absent_node(node: Node) -> _Vacuous:
    """All parts of it may be absent, or a branch of each of its alternatives."""
    parts = [_field(key, _vacuous(part)) for key, part in node.fields]
    parts += [_alternatives([_branch(branch) for branch in branches]) for branches in node.either]

    def found(value: Any) -> bool:
        if type(value) is list:
            return any(map(found, value))
        return type(value) is dict and all(part.match(value) for part in parts) and any(part.found(value) for part in parts)

    def none(value: Any) -> bool:
        if type(value) is list:
            return all(map(none, value))
        return type(value) is not dict or all(part.none(value) for part in parts)

    return _Vacuous(found, none)


def _branch(node: Node) -> _Vacuous:
    if may_be_absent(node):
        return _absent_node(node)
    return _Vacuous(_node(node), lambda _: False)


def _field(key: str, part: _Vacuous) -> _Vacuous:
    return _Vacuous(lambda value: part.found(value.get(key, MISSING)), lambda value: part.none(value.get(key, MISSING)))


def _alternatives(branches: Sequence[_Vacuous]) -> _Vacuous:
    return _Vacuous(
        lambda value: any(branch.found(value) for branch in branches),
        lambda value: any(branch.none(value) for branch in branches),
    )
