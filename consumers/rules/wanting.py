"""What compiled versions want of a finding, pattern by pattern, as whoever judges by them asks it."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from consumers.rules.compiled import CompiledRule, Condition
from consumers.rules.indexing import Path, anchors, split
from consumers.rules.matching import Compiled
from consumers.rules.pattern import Leaf, Match, Node, matcher

_MATCHED: Final = 1
_RESOLVED: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class Want:
    """One pattern of a version, ``match`` with its conditions or ``resolve``, in two: its heads, and what is left of it.

    ``rest`` is None if nothing is left, ``matches`` with it. ``number`` is the version's.
    """

    number: int
    rule: Compiled
    role: int
    heads: Mapping[str, Match]
    rest: Node | None = None
    matches: Match | None = None
    conditions: tuple[Condition, ...] = ()
    anchors: Mapping[Path, Leaf] = field(default_factory=dict)


class Answer(NamedTuple):
    """What a finding is to a version."""

    rule: Compiled
    matched: bool
    resolved: bool


def wants(number: int, rule: Compiled) -> Iterator[Want]:
    """What a version wants. One that was compiled elsewhere is asked by its methods, as by conditions."""
    if not isinstance(rule, CompiledRule):
        yield Want(number, rule, _MATCHED, {}, conditions=(rule.matches,))
        yield Want(number, rule, _RESOLVED, {}, conditions=(rule.resolves,))
        return
    for role, pattern, conditions in ((_MATCHED, rule.pattern, rule.conditions), (_RESOLVED, rule.closing, ())):
        if pattern is not None:
            heads, rest = split(pattern)
            test = matcher(rest) if rest else None
            yield Want(number, rule, role, heads, rest, test, conditions, dict(anchors(rest)))


def answers(found: Sequence[Want]) -> tuple[Answer, ...]:
    """An answer a version, in the order of their numbers: what matches and what closes, together."""
    roles: dict[int, int] = {}
    for want in found:
        roles[want.number] = roles.get(want.number, 0) | want.role
    rules = {want.number: want.rule for want in found}
    told = sorted(roles.items())
    return tuple(Answer(rules[number], bool(role & _MATCHED), bool(role & _RESOLVED)) for number, role in told)
