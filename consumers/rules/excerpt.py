"""Bodies decoded in part: of an EventBridge event only what some patterns look at; all else is passed over.

Excerpt: a document with the members at these paths alone. A pattern that looks at nothing else matches it as it does the whole.
Key:     the same as a value that can be looked up. What has equal keys, no pattern tells apart: 1 and 1.0 are equal here, as they
         are to every test. Not all has a key: true and false, which would be equal to 1 and 0, have none.
Refused: what these cannot express (arrays within arrays), and what is no JSON, by ``ValueError``; what is nested too deep by
         ``RecursionError``. What is passed over is not checked as strictly as when it is parsed: bodies on the log are good.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from typing import Annotated, Any, Final, TypeAlias, TypedDict

import msgspec

from consumers.rules.pattern import Node

Tree: TypeAlias = dict[str, "Tree"]
"""Which members are looked at, each with its own."""

_OF_THE_HEADER: Final = frozenset({"source", "account", "region", "detail-type", "finding"})
"""Members of a document that are not the event's own."""
_WORD: Final = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""Longer ones have no key: many can be made that are looked up in one place, and make looking up slow."""


def looked_at(patterns: Iterable[Node]) -> Tree | None:
    """What these look at of a document; None if that is more than the event itself."""
    tree: Tree = {}
    for pattern in patterns:
        _grow(tree, pattern)
    return None if tree.keys() & _OF_THE_HEADER else tree


def _grow(tree: Tree, node: Node) -> None:
    for key, part in node.fields:
        inner = tree.setdefault(key, {})
        if isinstance(part, Node):
            _grow(inner, part)
    for branches in node.either:
        for branch in branches:
            _grow(tree, branch)


def excerpts(tree: Tree) -> Callable[[bytes], dict[str, Any]]:
    """Makes excerpts of bodies, under ``raw``."""
    decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(_excerpt({"raw": tree}, top=True))
    return decoder.decode


def _excerpt(tree: Tree, *, top: bool = False) -> Any:
    members = {name: _excerpt(inner) for name, inner in tree.items()}
    made: Any = TypedDict("Excerpt", members, total=False)  # type: ignore[misc] # made as the program runs
    element: Any = str | int | float | bool | None | made
    return made if top else element | list[element]


def keys(tree: Tree) -> Callable[[bytes], Hashable] | None:
    """Makes keys of bodies; None if some member's name cannot be asked for."""
    try:
        key = _key({"raw": tree}, top=True)
    except ValueError:
        return None
    decoder: msgspec.json.Decoder[Hashable] = msgspec.json.Decoder(key)
    return decoder.decode


def _key(tree: Tree, *, top: bool = False) -> Any:
    members = [
        (f"member_{number}", _key(inner) | msgspec.UnsetType, msgspec.field(name=name, default=msgspec.UNSET))
        for number, (name, inner) in enumerate(tree.items())
    ]
    made: Any = msgspec.defstruct("Key", members, frozen=True, gc=False)
    element: Any = str | _WORD | float | None | made
    return made if top else element | tuple[element, ...]


def size(key: Hashable) -> int:
    """About how much a key takes: its length as JSON."""
    return len(msgspec.json.encode(key))


def spelling(tree: Mapping[str, Any]) -> Hashable:
    """Equal for equal trees."""
    return tuple(sorted((name, spelling(inner)) for name, inner in tree.items()))
