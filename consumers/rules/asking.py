"""Which of some wants match a finding by their patterns, told by as little of its body as that takes.

Nothing:    where no pattern is left to ask.
Remembered: by a key of what the patterns look at; the same key has the same answer. Given up where keys mostly are new.
Excerpt:    by the members that the patterns look at, decoded alone.
Whole:      by the document: where patterns look at more than the event itself, and where the two above refuse a body.
Memory:     at most 65,536 keys, each up to 256 bytes as JSON.
"""

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from consumers.rules import excerpt
from consumers.rules.document import Sealed
from consumers.rules.indexing import Plan
from consumers.rules.wanting import Want

REMEMBERED: Final = 65_536
LONGEST_KEY: Final = 256
WARM: Final = 16
"""Findings that are asked about whole first: making decoders takes as long as some hundred findings."""
TRIED: Final = 500
"""Failures after which it is seen whether they are more than half of what was tried."""

_FORM: Final = "eventbridge"
Found = tuple[Want, ...]
_Excerpts = Callable[[bytes], dict[str, Any]]
_Keys = Callable[[bytes], Hashable]
_REFUSED: Final = (ValueError, RecursionError)


@dataclass(slots=True)
class Memory:
    """Answers by who asked, and the key; shared by all who ask for one judge."""

    answers: dict[tuple[int, Hashable], Found] = field(default_factory=dict)
    askers: int = 0

    def remember(self, asker: int, key: Hashable, found: Found) -> None:
        """Keep an answer; a full memory is emptied first."""
        if excerpt.size(key) <= LONGEST_KEY:
            if len(self.answers) >= REMEMBERED:
                self.answers.clear()
            self.answers[asker, key] = found


class Asking:
    """Asks the wants of a plan. ``form`` is that of the findings that it is asked about."""

    def __init__(self, plan: Plan[Want], wants: Sequence[Want], form: str, memory: Memory) -> None:
        self._plan = plan
        self._memory = memory
        self._number = memory.askers = memory.askers + 1
        self._tree = excerpt.looked_at(want.rest for want in wants if want.rest) if form == _FORM else None
        self._asked = self._failed = 0
        self._always = tuple(plan.always)
        self._excerpts: _Excerpts
        self._keys: _Keys
        self.found: Callable[[Sequence[Sealed]], list[Found]] = self._warming if self._tree else self._whole
        """Of each finding the wants whose patterns match, in the order of the plan."""
        if not any(want.rest for want in wants):
            self.found = self._without_looking

    def _without_looking(self, findings: Sequence[Sealed]) -> list[Found]:
        return [self._always] * len(findings)

    def _warming(self, findings: Sequence[Sealed]) -> list[Found]:
        self._asked += len(findings)
        if self._asked >= WARM and self._tree:
            self._asked = 0
            self._excerpts, by_key = excerpt.excerpts(self._tree), excerpt.keys(self._tree)
            self.found = self._by_excerpt
            if by_key:
                self._keys, self.found = by_key, self._by_key
        return self._whole(findings)

    def _by_key(self, findings: Sequence[Sealed]) -> list[Found]:
        decoded, known, number = self._keys, self._memory.answers.get, self._number
        try:
            keys: list[Hashable] = [decoded(finding.body) for finding in findings]
        except _REFUSED:
            keys = [self._key(finding) for finding in findings]
        every = [known((number, key)) for key in keys]
        self._asked += len(every)
        return [self._learnt(*asked) if asked[-1] is None else asked[-1] for asked in zip(findings, keys, every, strict=True)]

    def _key(self, finding: Sealed) -> Hashable:
        """None if it has none."""
        try:
            return self._keys(finding.body)
        except _REFUSED:
            return None

    def _learnt(self, finding: Sealed, key: Hashable, _: object) -> Found:
        """What was not known."""
        self._doubt(self._by_excerpt)
        found = self._matching(self._excerpt(finding))
        if key is not None:
            self._memory.remember(self._number, key, found)
        return found

    def _by_excerpt(self, findings: Sequence[Sealed]) -> list[Found]:
        decoded = self._excerpts
        self._asked += len(findings)
        try:
            documents = [decoded(finding.body)["raw"] for finding in findings]
        except _REFUSED:
            self._doubt(self._whole)
            documents = [self._excerpt(finding) for finding in findings]
        return [self._matching(document) for document in documents]

    def _excerpt(self, finding: Sealed) -> dict[str, Any]:
        """An excerpt or, where there is none, the whole document."""
        try:
            document: dict[str, Any] = self._excerpts(finding.body)["raw"]
        except _REFUSED:
            return finding.document
        return document

    def _whole(self, findings: Sequence[Sealed]) -> list[Found]:
        return [self._matching(finding.document) for finding in findings]

    def _matching(self, document: dict[str, Any]) -> Found:
        plan = self._plan
        candidates = plan.candidates(document) if plan.indexes else plan.always
        found = [want for want in candidates if want.matches is None or want.matches(document)]
        return tuple(found) if found else ()

    def _doubt(self, otherwise: Callable[[Sequence[Sealed]], list[Found]]) -> None:
        """Count a failure; if they are more than half, go on otherwise."""
        self._failed += 1
        if self._failed >= TRIED:
            if 2 * self._failed > self._asked:
                self.found = otherwise
            self._asked = self._failed = 0
