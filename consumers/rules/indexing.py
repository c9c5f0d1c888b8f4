"""What a pattern asks of an event's header, apart from what it asks of the body; and an index of many patterns by the latter.

Heads:   tests on source, account, region and severity, which stand in the log's columns, and on detail-type, kind and form, which
         begin the body. Each must hold for the pattern to match; what is left of it is the ``rest``.
Anchors: fields of the rest that must have a value. Patterns are divided by the one that tells most of them apart, those that want
         the same there again by the next: so one look at the document passes over most, and what many want is tested once.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Generic, NamedTuple, TypeVar

from consumers.rules.pattern import MISSING, Leaf, Match, Node, matcher

COLUMNS: Final = ("source", "account", "region", "severity")
BEGINNING: Final = ("detail-type", "kind", "form")

_TOP: Final = frozenset({"source", "account", "region", "detail-type"})
_OF_FINDING: Final = frozenset({"severity", "kind", "form"})
_FINDING: Final = "finding"
_WORTH_A_LOOK: Final = 2
"""So many patterns an index must spare."""
_COST_OF_A_TEST: Final = 0.4
"""Of asking a whole pattern."""

_Want = TypeVar("_Want")
Path = tuple[str, ...]
Anchors = Mapping[Path, Leaf]


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


def anchors(node: Node | None, above: Path = ()) -> Iterator[tuple[Path, Leaf]]:
    """The paths at which something must stand."""
    for key, part in node.fields if node else ():
        if isinstance(part, Node):
            yield from anchors(part, (*above, key))
        elif not part.absent:
            yield (*above, key), part


@dataclass(frozen=True, slots=True)
class _Index(Generic[_Want]):
    """Wants that need something at ``path``: by exact text or by a test, and further divided."""

    path: Path
    by_text: "Mapping[str, Plan[_Want]]"
    by_test: "Sequence[tuple[Match, Plan[_Want]]]"
    every: Sequence[_Want]

    def add_candidates(self, document: Mapping[str, Any], found: list[_Want]) -> None:
        here: Any = document
        for key in self.path:
            if type(here) is not dict:
                break
            here = here.get(key, MISSING)
        if type(here) is list:
            found += self.every
        elif here is not MISSING and type(here) is not dict:
            for test, plan in self.by_test:
                if test(here):
                    plan.add_candidates(document, found)
            if type(here) is str and here in self.by_text:
                self.by_text[here].add_candidates(document, found)


@dataclass(frozen=True, slots=True)
class Plan(Generic[_Want]):
    """Which of some wants to ask about a document: ``always``, and what the indexes say."""

    always: Sequence[_Want]
    indexes: Sequence[_Index[_Want]]

    def candidates(self, document: Mapping[str, Any]) -> list[_Want]:
        """Those that may match, each once."""
        found: list[_Want] = []
        self.add_candidates(document, found)
        return found

    def add_candidates(self, document: Mapping[str, Any], found: list[_Want]) -> None:
        """The same, added to ``found``."""
        found += self.always
        for index in self.indexes:
            index.add_candidates(document, found)


def laid(wants: Sequence[tuple[_Want, Anchors]]) -> Plan[_Want]:
    """Indexes as long as each spares asking several wants."""
    left, indexes = list(wants), []
    while (path := _best_path(left)) is not None:
        indexes.append(_index(path, [(want, known) for want, known in left if path in known]))
        left = [(want, known) for want, known in left if path not in known]
    return Plan([want for want, _ in left], indexes)


def _index(path: Path, wants: Sequence[tuple[_Want, Anchors]]) -> _Index[_Want]:
    by_text: dict[str, list[tuple[_Want, Anchors]]] = defaultdict(list)
    by_spelling: dict[str, list[tuple[_Want, Anchors]]] = defaultdict(list)
    tests: dict[str, Match] = {}
    for want, known in wants:
        leaf = known[path]
        further = {other: part for other, part in known.items() if other != path}
        if leaf.is_exact:
            for text in leaf.texts:
                by_text[text].append((want, further))
        else:
            tests.setdefault(leaf.spelling, matcher(leaf))
            by_spelling[leaf.spelling].append((want, further))
    by_test = [(tests[spelling], laid(some)) for spelling, some in by_spelling.items()]
    return _Index(path, {text: laid(some) for text, some in by_text.items()}, by_test, [want for want, _ in wants])


def _best_path(wants: Sequence[tuple[object, Anchors]]) -> Path | None:
    """The path by which an index spares asking most wants: all but those of about one text, at the cost of each other test."""
    users: Counter[Path] = Counter()
    texts: dict[Path, Counter[str]] = defaultdict(Counter)
    tests: dict[Path, set[str]] = defaultdict(set)
    for _, known in wants:
        users.update(known.keys())
        for path, leaf in known.items():
            texts[path].update(leaf.texts if leaf.is_exact else ())
            tests[path].update(() if leaf.is_exact else (leaf.spelling,))
    spared = {
        path: count - sum(texts[path].values()) / max(len(texts[path]), 1) - len(tests[path]) * _COST_OF_A_TEST
        for path, count in users.items()
    }
    best = max(spared, key=lambda path: (spared[path], path), default=None)
    return best if best is not None and spared[best] >= _WORTH_A_LOOK else None
