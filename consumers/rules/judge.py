"""Many rules over a batch, each finding asked only of the rules that its header leaves.

Passes:  header (columns: no body is touched), the body's beginning (not parsed), then what is left of the patterns, by as little
         of the body as tells (``asking``); the document, parsed once for all, only for conditions and whoever asks for it.
Budget:  a condition or a registered function that takes more than 50 ms of CPU time for one finding, or throws, is a fault and
         counts as not matched. Who judges live has a version given up after some that took too long: nothing else would end a
         batch of thousands in time. Patterns need none: their tests are linear.
Memory:  what was worked out for headers is remembered, at most 65,536 of each kind.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import reduce
from operator import and_
from time import thread_time_ns
from typing import Any, Final, TypeVar

import orjson

from consumers.rules.asking import REMEMBERED, Asking, Found, Memory
from consumers.rules.document import TYPE, Sealed
from consumers.rules.errors import RuleThrew
from consumers.rules.indexing import BEGINNING, COLUMNS, laid
from consumers.rules.matching import Compiled, Fault, Hit
from consumers.rules.wanting import Answer, Want, answers, wants
from pipeline.log.port import Batch, Columns

BUDGET_NS: Final = 50_000_000
PORTION_BYTES: Final = 1 << 20
"""Of bodies that are judged together."""

_BRACE: Final = b"{"
_LONGEST_BEGINNING: Final = 1024
_NAMES: Final = frozenset({"kind", "form", "detail_type"})


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
        self._wants = [want for number, rule in enumerate(compiled) for want in wants(number, rule)]
        self._on_fault = on_fault
        self._cpu_ns = cpu_ns
        self._most_slow = most_slow
        self._slow: dict[int, set[str]] = {}
        """By a version's number here, the findings over which it took too long."""
        self._has_conditions = any(want.conditions for want in self._wants)
        self._heads = {name: _Heads(name, self._wants) for name in (*COLUMNS, *BEGINNING)}
        self._all = (1 << len(self._wants)) - 1
        self._beginnings: dict[tuple[int, bytes], Asking] = {}
        self._plans: dict[tuple[int, str], Asking] = {}
        self._answers: dict[tuple[Want, ...], tuple[Answer, ...]] = {}
        self._memory = Memory()

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        """As the port says."""
        told = self._answers
        for findings, wanted in self._portions(batch, indices):
            for finding, matching in zip(findings, self._found(findings, wanted), strict=True):
                if not matching:
                    continue
                found = self._holding(matching, finding) if self._has_conditions else matching
                for rule, matched, resolved in told.get(found) or _remembered(told, found, answers(found)):
                    yield Hit(finding.index, rule, finding, matched, resolved)

    def _portions(self, batch: Batch, indices: Sequence[int] | None) -> Iterator[tuple[list[Sealed], list[int]]]:
        """Findings whose header some wants allow, each with the set of these: as many as are judged together."""
        bodies, columns = batch.bodies, batch.columns
        findings: list[Sealed] = []
        wanted: list[int] = []
        size = 0
        for place, bits in self._by_header(columns, indices):
            if bits:
                body = bodies[place]
                findings.append(Sealed(body, columns, place))
                wanted.append(bits)
                size += len(body)
                if size > PORTION_BYTES:
                    yield findings, wanted
                    findings, wanted, size = [], [], 0
        if findings:
            yield findings, wanted

    def _by_header(self, columns: Columns, indices: Sequence[int] | None) -> Iterable[tuple[int, int]]:
        """The places, each with the set of those wants that its header allows, a bit each."""
        heads = self._heads
        everything = self._all
        wanted: Iterable[int] = [everything if kind == TYPE else 0 for kind in columns.type]
        for name in COLUMNS:
            wanted = map(and_, wanted, map(heads[name].__getitem__, getattr(columns, name)))
        if indices is None:
            return enumerate(wanted)
        every = list(wanted)
        return [(place, every[place]) for place in indices]

    def _found(self, findings: Sequence[Sealed], wanted: Sequence[int]) -> list[Found]:
        """Of each finding the wants whose patterns match. Those that the same wants are asked about are asked together."""
        keys = [
            (bits, finding.body[: finding.body.find(_BRACE, 1, _LONGEST_BEGINNING) + 1])
            for bits, finding in zip(wanted, findings, strict=True)
        ]
        groups: defaultdict[Asking, list[int]] = defaultdict(list)
        for number, asking in enumerate(map(self._beginnings.get, keys)):
            groups[asking or self._begun(keys[number], findings[number].body)].append(number)
        every: list[Found] = [()] * len(findings)
        for asking, numbers in groups.items():
            for number, found in zip(numbers, asking.found([findings[number] for number in numbers]), strict=True):
                every[number] = found
        return every

    def _begun(self, key: tuple[int, bytes], body: bytes) -> Asking:
        """Whom to ask about a finding whose body begins so."""
        wanted, beginning = key
        told = _beginning(beginning)
        if told is None:
            return self._asking(wanted, orjson.loads(body))
        return _remembered(self._beginnings, key, self._asking(wanted, told))

    def _asking(self, wanted: int, told: Mapping[str, Any]) -> Asking:
        """``told`` is a body, or its beginning."""
        values = (told.get("detail_type", ""), told["kind"], told["form"])
        bits = reduce(and_, (self._heads[name][value] for name, value in zip(BEGINNING, values, strict=True)), wanted)
        key = bits, values[-1]
        if key not in self._plans:
            wants = [want for bit, want in enumerate(self._wants) if bits >> bit & 1]
            plan = laid([(want, want.anchors) for want in wants])
            _remembered(self._plans, key, Asking(plan, wants, values[-1], self._memory))
        return self._plans[key]

    def _holding(self, matching: Found, finding: Sealed) -> Found:
        """Those of which the conditions hold too."""
        return tuple([want for want in matching if not want.conditions or self._holds(want, finding.document)])

    def _holds(self, want: Want, document: dict[str, Any]) -> bool:
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


class _Heads(dict[Any, int]):
    """By a value of the header, the wants whose head of this name holds for it, or that have none, a bit each."""

    def __init__(self, name: str, wants: Sequence[Want]) -> None:
        super().__init__()
        self._name = name
        self._wants = wants

    def __missing__(self, value: Any) -> int:
        name = self._name
        bits = sum(1 << bit for bit, want in enumerate(self._wants) if name not in want.heads or want.heads[name](value))
        return _remembered(self, value, bits)


_Key = TypeVar("_Key")
_Kept = TypeVar("_Kept")


def _remembered(memory: dict[_Key, _Kept], key: _Key, value: _Kept) -> _Kept:
    """``value``, kept; a full memory is emptied first."""
    if len(memory) >= REMEMBERED:
        memory.clear()
    memory[key] = value
    return value


def _beginning(text: bytes) -> dict[str, str] | None:
    """kind, form and detail-type from a body up to the brace that opens its facts; None if just these three do not precede it."""
    try:
        told = orjson.loads(text + b"}}")
    except orjson.JSONDecodeError:
        return None
    if type(told) is dict and told.pop("facts", None) == {} and told.keys() == _NAMES:
        return told if all(type(value) is str for value in told.values()) else None
    return None
