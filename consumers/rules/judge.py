"""Many rules over a batch, each finding asked only of the rules that its header leaves.

Passes:  header (columns: no body is touched), the body's beginning (not parsed), then the document, parsed once for all that are
         left; among many of these an index by one of their exact texts chooses.
Budget:  a condition or a registered function that takes more than 50 ms of CPU time for one finding, or throws, is a fault and
         counts as not matched. Who judges live has a version given up after some that took too long: nothing else would end a
         batch of thousands in time. Patterns need none: their tests are linear.
Memory:  what was worked out for headers is remembered, at most 65,536 of each kind.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import and_
from time import thread_time_ns
from typing import Any, Final, TypeVar

import orjson

from consumers.rules.compiled import CompiledRule, Condition
from consumers.rules.document import TYPE, of_body
from consumers.rules.errors import RuleThrew
from consumers.rules.indexing import BEGINNING, COLUMNS, Path, Plan, anchors, laid, split
from consumers.rules.matching import Compiled, Document, Fault, Hit
from consumers.rules.pattern import Leaf, Match, matcher
from pipeline.log.port import Batch, Columns

BUDGET_NS: Final = 50_000_000
REMEMBERED: Final = 65_536

_FACTS: Final = b',"facts":'
_LONGEST_BEGINNING: Final = 1024
_NAMES: Final = frozenset({"kind", "form", "detail_type"})
_MATCHED: Final = 1
_RESOLVED: Final = 2


@dataclass(frozen=True, slots=True, eq=False)
class _Want:
    """One pattern of a rule: ``match`` and its conditions, or ``resolve``."""

    number: int
    rule: Compiled
    role: int
    heads: Mapping[str, Match]
    rest: Match | None
    conditions: tuple[Condition, ...] = ()
    anchors: Mapping[Path, Leaf] = field(default_factory=dict)


def make_judge(
    compiled: Iterable[Compiled],
    on_fault: Callable[[Fault], None],
    *,
    cpu_ns: Callable[[], int] = thread_time_ns,
    most_slow: int | None = None,
) -> "IndexedJudge":
    """A judge of these versions. ``cpu_ns`` tells the CPU time used so far.

    A version whose conditions took too long over ``most_slow`` findings is not asked any more: it matches nothing.
    """
    return IndexedJudge(compiled, on_fault, cpu_ns, most_slow)


class IndexedJudge:
    """As ``consumers.rules.matching.Judge``; hits of one finding stand in the order in which the versions were given."""

    def __init__(
        self,
        compiled: Iterable[Compiled],
        on_fault: Callable[[Fault], None],
        cpu_ns: Callable[[], int],
        most_slow: int | None = None,
    ) -> None:
        self._wants = [want for number, rule in enumerate(compiled) for want in _wants(number, rule)]
        self._on_fault = on_fault
        self._cpu_ns = cpu_ns
        self._most_slow = most_slow
        self._slow: dict[int, set[str]] = {}
        """By a version's number here, the findings over which it took too long."""
        self._asked: dict[tuple[str, Any], int] = {}
        self._headers: dict[_Header, int] = {}
        self._beginnings: dict[tuple[int, bytes], Plan[_Want] | None] = {}
        self._plans: dict[int, Plan[_Want] | None] = {0: None}

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        """As the port says."""
        columns, bodies = batch.columns, batch.bodies
        begun = self._beginnings
        for place, wanted in self._by_header(columns, indices):
            body = bodies[place]
            key = (wanted, body[: max(body.find(_FACTS, 0, _LONGEST_BEGINNING), 0)])
            plan = begun[key] if key in begun else self._planned(key, body)
            if plan is None:
                continue
            document = of_body(orjson.loads(body), columns, place)
            found = None
            for want in plan.candidates(document) if plan.indexes else plan.always:
                if (want.rest is None or want.rest(document)) and (not want.conditions or self._holds(want, document)):
                    found = [want] if found is None else [*found, want]
            if found is None:
                continue
            if len(found) == 1:
                (want,) = found
                yield Hit(place, want.rule, document, want.role == _MATCHED, want.role == _RESOLVED)
            else:
                yield from _told(found, place, document)

    def _by_header(self, columns: Columns, indices: Sequence[int] | None) -> Iterator[tuple[int, int]]:
        """The places whose header some wants allow, each with the set of these, a bit each."""
        rows: Iterable[_Header] = zip(
            columns.type, columns.source, columns.account, columns.region, columns.severity, strict=True
        )
        places: Iterable[int] = range(len(columns.type))
        if indices is not None:
            every = list(rows)
            places, rows = indices, [every[place] for place in indices]
        headers = list(rows)
        wanted = list(map(self._headers.get, headers))
        if None in wanted:
            wanted = [self._by_one_header(header) if bits is None else bits for header, bits in zip(headers, wanted, strict=True)]
        for place, bits in zip(places, wanted, strict=True):
            if bits:
                yield place, bits

    def _by_one_header(self, header: "_Header") -> int:
        kind, *values = header
        bits = 0
        if kind == TYPE:
            bits = reduce(and_, (self._allowing(name, value) for name, value in zip(COLUMNS, values, strict=True)))
        return _remembered(self._headers, header, bits)

    def _allowing(self, name: str, value: Any) -> int:
        """The wants whose head of this name holds for the value, or that have none."""
        bits = self._asked.get((name, value))
        if bits is None:
            bits = sum(1 << bit for bit, want in enumerate(self._wants) if name not in want.heads or want.heads[name](value))
            _remembered(self._asked, (name, value), bits)
        return bits

    def _planned(self, key: tuple[int, bytes], body: bytes) -> Plan[_Want] | None:
        wanted, beginning = key
        told = _beginning(beginning)
        if told is None:
            return self._plan(wanted, orjson.loads(body))
        return _remembered(self._beginnings, key, self._plan(wanted, told))

    def _plan(self, wanted: int, told: Mapping[str, Any]) -> Plan[_Want] | None:
        """``told`` is a body, or its beginning."""
        values = (told.get("detail_type", ""), told["kind"], told["form"])
        bits = reduce(and_, (self._allowing(name, value) for name, value in zip(BEGINNING, values, strict=True)), wanted)
        if bits not in self._plans:
            wants = [want for bit, want in enumerate(self._wants) if bits >> bit & 1]
            _remembered(self._plans, bits, laid([(want, want.anchors) for want in wants]) if wants else None)
        return self._plans[bits]

    def _holds(self, want: _Want, document: dict[str, Any]) -> bool:
        """Whether the conditions hold, within the budget."""
        if self._most_slow is not None and len(self._slow.get(want.number, ())) >= self._most_slow:
            return False
        begun_ns = self._cpu_ns()
        try:
            holds = all(condition(document) for condition in want.conditions)
        except RuleThrew as threw:
            self._on_fault(Fault(want.rule, document["finding"]["id"], "threw", str(threw)))
            return False
        took_ns = self._cpu_ns() - begun_ns
        if took_ns > BUDGET_NS:
            self._slow.setdefault(want.number, set()).add(document["finding"]["id"])
            detail = f"{took_ns / 1e6:,.0f} ms for one finding; {BUDGET_NS // 1_000_000} ms are allowed"
            self._on_fault(Fault(want.rule, document["finding"]["id"], "too_slow", detail))
            return False
        return holds


_Header = tuple[str, str, str, str, int]
_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


def _remembered(memory: dict[_Key, _Kept], key: _Key, value: _Kept) -> _Kept:
    """``value``, kept; a full memory is emptied first."""
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
    return value


def _beginning(text: bytes) -> dict[str, str] | None:
    """kind, form and detail-type from the first bytes of a body; None if it does not begin with all three, and only these."""
    try:
        told = orjson.loads(text + b"}")
    except orjson.JSONDecodeError:
        return None
    if type(told) is dict and told.keys() == _NAMES and all(type(value) is str for value in told.values()):
        return told
    return None


def _wants(number: int, rule: Compiled) -> Iterator[_Want]:
    if not isinstance(rule, CompiledRule):
        yield _Want(number, rule, _MATCHED, {}, None, (rule.matches,))
        yield _Want(number, rule, _RESOLVED, {}, None, (rule.resolves,))
        return
    for role, pattern, conditions in ((_MATCHED, rule.pattern, rule.conditions), (_RESOLVED, rule.closing, ())):
        if pattern is not None:
            heads, rest = split(pattern)
            yield _Want(number, rule, role, heads, matcher(rest) if rest else None, conditions, dict(anchors(rest)))


def _told(found: Sequence[_Want], place: int, document: Document) -> Iterator[Hit]:
    """A hit a rule: what matched and what closes, together."""
    roles: dict[int, int] = {}
    rules = {}
    for want in found:
        roles[want.number] = roles.get(want.number, 0) | want.role
        rules[want.number] = want.rule
    for number in sorted(roles):
        yield Hit(place, rules[number], document, bool(roles[number] & _MATCHED), bool(roles[number] & _RESOLVED))
