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
"""Failures after which there must have been at least as many successes."""

_FORM: Final = "eventbridge"
_Found = tuple[Want, ...]
_Excerpts = Callable[[bytes], dict[str, Any]]
_Keys = Callable[[bytes], Hashable]
_REFUSED: Final = (ValueError, RecursionError)


@dataclass(slots=True)
class Memory:
    """Answers by who asked, and the key; shared by all who ask for one judge."""

    answers: dict[tuple[int, Hashable], _Found] = field(default_factory=dict)
    askers: int = 0

    def remember(self, asker: int, key: Hashable, found: _Found) -> None:
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
        self._failed = self._succeeded = 0
        self._always = tuple(plan.always)
        self._excerpts: _Excerpts
        self._keys: _Keys
        self.found: Callable[[Sealed], _Found] = self._warming if self._tree else self._whole
        """The wants whose patterns match, in the order of the plan."""
        if not any(want.rest for want in wants):
            self.found = self._without_looking

    def _without_looking(self, _: Sealed) -> _Found:
        return self._always

    def _warming(self, finding: Sealed) -> _Found:
        self._succeeded += 1
        if self._succeeded >= WARM and self._tree:
            self._succeeded = 0
            self._excerpts, by_key = excerpt.excerpts(self._tree), excerpt.keys(self._tree)
            self.found = self._by_excerpt
            if by_key:
                self._keys, self.found = by_key, self._by_key
        return self._whole(finding)

    def _by_key(self, finding: Sealed) -> _Found:
        try:
            key = self._keys(finding.body)
        except _REFUSED:
            self._doubt(self._by_excerpt)
            return self._looked_at(finding)
        found = self._memory.answers.get((self._number, key))
        if found is None:
            self._doubt(self._by_excerpt)
            found = self._looked_at(finding)
            self._memory.remember(self._number, key, found)
        else:
            self._succeeded += 1
        return found

    def _by_excerpt(self, finding: Sealed) -> _Found:
        try:
            body = self._excerpts(finding.body)
        except _REFUSED:
            self._doubt(self._whole)
            return self._whole(finding)
        self._succeeded += 1
        return self._matching(body["raw"])

    def _looked_at(self, finding: Sealed) -> _Found:
        """By an excerpt or, where there is none, by the whole."""
        try:
            body = self._excerpts(finding.body)
        except _REFUSED:
            return self._whole(finding)
        return self._matching(body["raw"])

    def _whole(self, finding: Sealed) -> _Found:
        return self._matching(finding.document)

    def _matching(self, document: dict[str, Any]) -> _Found:
        plan = self._plan
        candidates = plan.candidates(document) if plan.indexes else plan.always
        found = [want for want in candidates if want.matches is None or want.matches(document)]
        return tuple(found) if found else ()

    def _doubt(self, otherwise: Callable[[Sealed], _Found]) -> None:
        """Count a failure; of too many, go on otherwise."""
        self._failed += 1
        if self._failed >= TRIED:
            if self._failed > self._succeeded:
                self.found = otherwise
            self._failed = self._succeeded = 0
