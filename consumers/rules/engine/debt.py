"""What a commit owes to the log until it is told: it stands in the commit itself, so that no crash forgets it.

Alerts of match rules stand there whole, as facts; of windows and groups only which were touched, since what is to be said of them
is known to whoever reads all shards after the commit.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from consumers.rules.alerting import Conclusion, Key
from consumers.rules.engine import state
from consumers.rules.engine.state import Tally
from consumers.rules.rule import Rule, Version
from projections import parking
from projections.projection import Document
from schemas.envelope import Envelope


class Touched(NamedTuple):
    """A window in which something was counted, with all that it takes to conclude from it."""

    page: str
    rule: str
    number: int
    group: tuple[str, ...]
    start_us: int
    length_us: int
    needed: int
    distinct: bool
    severity: int
    paths: tuple[str, ...]

    @classmethod
    def of(cls, version: Version, group: tuple[str, ...], start_us: int, page: str) -> "Touched":
        """The window of a version with a threshold."""
        rule, threshold = version.rule, _threshold(version.rule)
        told = (threshold.window_us, threshold.count, bool(threshold.distinct), rule.severity, rule.group_by)
        return cls(page, rule.id, version.number, group, start_us, *told)

    @classmethod
    def read(cls, told: Sequence[Any]) -> "Touched":
        """From JSON."""
        touched = cls(*told)
        return touched._replace(group=tuple(touched.group), paths=tuple(touched.paths))

    @property
    def entry(self) -> str:
        """What it is counted by."""
        return state.counted(self.rule, self.number, self.group)

    @property
    def key(self) -> Key:
        """The alert's."""
        return Key(self.rule, self.group, self.start_us, self.length_us)

    def concluded(self, tally: Tally) -> Conclusion | None:
        """The alert, if the threshold is reached."""
        if tally.count < self.needed:
            return None
        words = tally.words
        return Conclusion(
            key=self.key,
            version=self.number,
            severity=self.severity,
            title=words.title or self.rule,
            count=tally.count,
            events=tally.named,
            last_us=tally.last_us,
            reached_us=tally.reached_us(self.needed, distinct=self.distinct),
            group=state.named(self.paths, self.group),
            labels=words.labels,
            account=tally.account,
            region=tally.region,
            resources=words.resources,
            correlation_id=words.correlation_id,
        )


def _threshold(rule: Rule) -> Any:
    return rule.threshold


@dataclass(slots=True)
class Debt:
    """Of one shard: ``facts`` to tell, ``windows`` to sum, ``groups`` whose alerts may be over (keys of ``state.grouped``)."""

    facts: dict[str, Envelope] = field(default_factory=dict)
    windows: dict[tuple[str, int], Touched] = field(default_factory=dict)
    groups: dict[str, None] = field(default_factory=dict)

    def __bool__(self) -> bool:
        """Whether anything is owed."""
        return bool(self.facts or self.windows or self.groups)

    def touch(self, touched: Touched) -> None:
        """A window is to be summed."""
        self.windows[touched.entry, touched.start_us] = touched

    def absorb(self, other: "Debt") -> None:
        """Owe this, too."""
        self.facts |= other.facts
        self.windows |= other.windows
        self.groups |= other.groups

    def written(self) -> Document:
        """As a document."""
        facts = [parking.encode(fact).decode() for fact in self.facts.values()]
        return (
            {"facts": facts, "windows": [tuple(window) for window in self.windows.values()], "groups": list(self.groups)}
            if self
            else {}
        )

    @classmethod
    def read(cls, document: Mapping[str, Any]) -> "Debt":
        """The inverse of ``written``."""
        facts = [parking.decode(fact.encode()) for fact in document.get("facts", ())]
        debt = cls({fact.id: fact for fact in facts}, {}, dict.fromkeys(document.get("groups", ())))
        for told in document.get("windows", ()):
            debt.touch(Touched.read(told))
        return debt
