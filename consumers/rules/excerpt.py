"""Bodies decoded in part: of an EventBridge event only what some patterns look at; all else is passed over.

Excerpt: a document with the members at these paths alone. A pattern that looks at nothing else matches it as it does the whole.
Key:     the same as a value that can be looked up. What has equal keys, no pattern tells apart: 1 and 1.0 are equal here, as they
         are to every test. Not all has a key: true and false, which would be equal to 1 and 0, have none.
Refused: what these cannot express (arrays within arrays), and what is no JSON, by ``ValueError``; what is nested too deep by
         ``RecursionError``. What is passed over is not checked as strictly as when it is parsed: bodies on the log are good.
"""

from collections.abc import Callable, Hashable, Iterable
from functools import lru_cache
from typing import Annotated, Any, Final, TypeAlias, TypedDict

import msgspec

from consumers.rules.pattern import Node

Tree: TypeAlias = tuple[tuple[str, "Tree"], ...]
"""Which members are looked at, each with its own; equal if they are the same ones."""
_Growing: TypeAlias = dict[str, "_Growing"]

_OF_THE_HEADER: Final = frozenset({"source", "account", "region", "detail-type", "finding"})
"""Members of a document that are not the event's own."""
_DECODERS: Final = 1024
"""That are kept: making one takes as long as some hundred findings."""
_WORD: Final = Annotated[int, msgspec.Meta(ge=-(1 << 63), le=(1 << 63) - 1)]
"""Longer ones have no key: many can be made that are looked up in one place, and make looking up slow."""


def looked_at(patterns: Iterable[Node]) -> Tree | None:
    """What these look at of a document; None if that is more than the event itself."""
    growing: _Growing = {}
    for pattern in patterns:
        _grow(growing, pattern)
    return None if growing.keys() & _OF_THE_HEADER else _grown(growing)


def _grow(growing: _Growing, node: Node) -> None:
    for key, part in node.fields:
        inner = growing.setdefault(key, {})
        if isinstance(part, Node):
            _grow(inner, part)
    for branches in node.either:
        for branch in branches:
            _grow(growing, branch)


def _grown(growing: _Growing) -> Tree:
    return tuple((name, _grown(growing[name])) for name in sorted(growing))


@lru_cache(maxsize=_DECODERS)
def excerpts(tree: Tree) -> Callable[[bytes], dict[str, Any]]:
    """Makes excerpts of bodies, under ``raw``."""
    decoder: msgspec.json.Decoder[dict[str, Any]] = msgspec.json.Decoder(_excerpt((("raw", tree),)))
    return decoder.decode


def _excerpt(tree: Tree) -> Any:
    members = {}
    for name, inner in tree:
        element: Any = str | int | float | bool | None | _excerpt(inner)
        members[name] = element | list[element]
    return TypedDict("Excerpt", members, total=False)  # type: ignore[operator] # made as the program runs


@lru_cache(maxsize=_DECODERS)
def keys(tree: Tree) -> Callable[[bytes], Hashable] | None:
    """Makes keys of bodies; None if some member's name cannot be asked for."""
    try:
        key = _key((("raw", tree),))
    except ValueError:
        return None
    decoder: msgspec.json.Decoder[Hashable] = msgspec.json.Decoder(key)
    return decoder.decode


def _key(tree: Tree) -> Any:
    members = []
    for number, (name, inner) in enumerate(tree):
        element: Any = str | _WORD | float | None | _key(inner)
        shape = element | tuple[element, ...] | msgspec.UnsetType
        members.append((f"member_{number}", shape, msgspec.field(name=name, default=msgspec.UNSET)))
    return msgspec.defstruct("Key", members, frozen=True, gc=False)


def size(key: Hashable) -> int:
    """About how much a key takes: its length as JSON."""
    return len(msgspec.json.encode(key))
