"""The versions that a lane judges by, compiled and indexed, and which of them a finding is asked of.

Validity: by the time at which a finding happened. So that many versions long gone cost nothing, what happened after the last
          change is asked of those in force only; what is older, of all.
"""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from consumers.rules.matching import Compiled, Fault, Hit, Judge, MakeJudge
from consumers.rules.rule import Version
from pipeline.log.port import Batch
from schemas.envelope import MAX_TIME_US

FINDING: Final = "finding.observed"

VersionKey = tuple[str, int]
"""A rule's id and a version's number."""


def key_of(version: Version) -> VersionKey:
    """What tells a version apart."""
    return version.rule.id, version.number


@dataclass(slots=True)
class _Judges:
    """Judges that are made when they are asked for."""

    make: Callable[[Iterable[Compiled]], Judge]
    made: dict[frozenset[VersionKey], Judge] = field(default_factory=dict)

    def of(self, rules: Mapping[VersionKey, Compiled]) -> Judge:
        wanted = frozenset(rules)
        if wanted not in self.made:
            self.made[wanted] = self.make(rules.values())
        return self.made[wanted]


def _no_judge(*_: object) -> Judge:
    message = "without rules nothing is judged"
    raise AssertionError(message)


class RuleSet:
    """Some versions. ``versions`` are as they are in force by what is known now; ``compiled`` may have been made of earlier ones.

    ``on_fault`` is told what a rule's own text or code did wrong.
    """

    def __init__(
        self,
        versions: Sequence[Version],
        compiled: Mapping[VersionKey, Compiled],
        make_judge: MakeJudge,
        on_fault: Callable[[Fault], None] = lambda _: None,
    ) -> None:
        self.versions: Mapping[VersionKey, Version] = {key_of(version): version for version in versions}
        self.on_fault = on_fault
        self._compiled = {key: compiled[key] for key in self.versions if key in compiled}
        self._make_judge = make_judge
        self._judges = _Judges(lambda rules: make_judge(rules, on_fault))
        self._resolving = {version.rule.id for version in versions if version.rule.resolve is not None}
        ends = [at for v in versions for at in (v.since_us, v.until_us) if at != MAX_TIME_US]
        self._changed_us = max(ends, default=0)
        self._since_us = min((version.since_us for version in versions), default=MAX_TIME_US)

    @classmethod
    def empty(cls) -> "RuleSet":
        """No version."""
        return cls([], {}, _no_judge)

    def some(self, keys: Iterable[VersionKey]) -> "RuleSet":
        """Some of them."""
        return RuleSet([self.versions[key] for key in keys], self._compiled, self._make_judge, self.on_fault)

    @property
    def judging(self) -> Collection[VersionKey]:
        """Those that are compiled here, and so can judge."""
        return self._compiled.keys()

    def resolving(self, rule_id: str) -> bool:
        """Whether findings may close this rule's alerts."""
        return rule_id in self._resolving

    def hits(self, batch: Batch) -> Iterator[Hit]:
        """The hits among a batch's findings, each by a version that judges it live."""
        c = batch.columns
        findings = [i for i, kind in enumerate(c.type) if kind == FINDING and c.time_us[i] >= self._since_us]
        late = [i for i in findings if c.time_us[i] < self._changed_us]
        fresh = findings if not late else [i for i in findings if c.time_us[i] >= self._changed_us]
        now = {key: rule for key, rule in self._compiled.items() if self.versions[key].until_us > self._changed_us}
        for indices, rules in ((late, self._compiled), (fresh, now)):
            if indices and rules:
                for hit in self._judges.of(rules).hits(batch, indices):
                    if self.version_of(hit).in_force(c.time_us[hit.place], batch.recorded_us[hit.place]):
                        yield hit

    def version_of(self, hit: Hit) -> Version:
        """The version of a hit, as it is in force."""
        return self.versions[key_of(hit.rule.version)]
