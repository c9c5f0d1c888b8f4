"""An event pattern, read: a tree of objects with leaves that test values. Data only; ``matching`` makes it run.

Leaf:   the array of one field: matches if any of its tests holds for any value there, or, if ``absent``, where there is none.
Object: all its fields, and of each of its ``either`` (from ``$or``) at least one, must match; in an array, within one element.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

Scalar: TypeAlias = str | int | float | bool | None
Test: TypeAlias = Callable[[Any], bool]
"""Whether a scalar of the event is one that a match value asks for. Never throws."""


@dataclass(frozen=True, slots=True)
class Leaf:
    """``texts``: the exact texts that are wanted; ``tests``: the other tests. Both empty if only absence matches.

    ``spelling`` is equal for leaves that want the same.
    """

    texts: frozenset[str] = frozenset()
    tests: tuple[Test, ...] = ()
    absent: bool = False
    spelling: str = ""

    @property
    def is_exact(self) -> bool:
        """Whether nothing but some texts match."""
        return bool(self.texts) and not self.tests and not self.absent


@dataclass(frozen=True, slots=True)
class Node:
    """A key has at most one leaf and one node in ``fields``."""

    fields: "tuple[tuple[str, Leaf | Node], ...]" = ()
    either: "tuple[tuple[Node, ...], ...]" = ()


def may_be_absent(part: Leaf | Node) -> bool:
    """Whether it matches where there is nothing at all."""
    if isinstance(part, Leaf):
        return part.absent
    return all(may_be_absent(child) for _, child in part.fields) and all(
        any(map(may_be_absent, branches)) for branches in part.either
    )
