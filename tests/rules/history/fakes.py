"""A judge that is obviously right, over compiled rules that are a few lines of Python: no language, no index."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumers.rules.matching import Document, Fault, Hit
from consumers.rules.rule import Rule, Threshold, Version
from pipeline.log.port import Batch
from schemas.envelope import Envelope
from tests.rules.batches import Opened
from tests.support.facts import MORNING_US, fact

MINUTE_US = 60_000_000


def said(number: int, time_us: int, *, group: str = "a", value: str = "", word: str = "bad", **header: Any) -> Envelope:
    """A finding whose body says these words."""
    body = {"kind": "generic", "form": "x", "word": word, "group": group, "value": value}
    known = {"subject": f"thing/{group}/{number % 7}", "severity": 2, "summary": f"Finding {number}", "body": orjson.dumps(body)}
    return fact("finding.observed", time_us, [number, group, value, word], **known | header)


def minute(number: float) -> int:
    return MORNING_US + int(number * MINUTE_US)


@dataclass(frozen=True)
class Words:
    """Matches findings that say one of ``words``; ``closing`` closes. Groups by the body's ``group``, if the rule groups."""

    version: Version
    words: frozenset[str] = frozenset({"bad"})
    closing: str = "good"
    breaks: Callable[[Document], bool] = field(default=lambda _: False)

    def matches(self, document: Document) -> bool:
        return document["word"] in self.words

    def resolves(self, document: Document) -> bool:
        return self.version.rule.resolve is not None and document["word"] == self.closing

    def group(self, document: Document) -> tuple[str, ...] | None:
        if not self.version.rule.group_by:
            return ()
        return (document["group"],) if document["group"] != "none" else None

    def distinct(self, document: Document) -> str | None:
        return document["value"] or None

    def title(self, document: Document) -> str:
        return f"{self.version.rule.id} on {document['group']}"

    def labels(self, document: Document) -> dict[str, str]:
        return {"group": document["group"]}


class PlainJudge:
    """Every rule on every finding."""

    def __init__(self, rules: Iterable[Words], on_fault: Callable[[Fault], None]) -> None:
        self._rules = list(rules)
        self._on_fault = on_fault

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        for place in range(len(batch)) if indices is None else indices:
            if batch.columns.type[place] == "finding.observed":
                document = orjson.loads(batch.bodies[place])
                for rule in self._rules:
                    if rule.breaks(document):
                        self._on_fault(Fault(rule, batch.columns.id[place], "threw", "it broke"))
                        continue
                    matched, resolved = rule.matches(document), rule.resolves(document)
                    if matched or resolved:
                        yield Hit(place, rule, Opened(document), matched, resolved)


def plain_judge(rules: Iterable[Any], on_fault: Callable[[Fault], None]) -> PlainJudge:
    return PlainJudge(rules, on_fault)


def rule(name: str = "test-rule", *, threshold: Threshold | None = None, number: int = 1, **other: Any) -> Words:
    """A compiled rule; ``words``, ``closing`` and ``breaks`` are the fake's, the rest the rule's."""
    mine = {key: other.pop(key) for key in ("words", "closing", "breaks") if key in other}
    spans = {key: other.pop(key) for key in ("since_us", "until_us") if key in other}
    known: dict[str, Any] = {"id": name, "title": "A test", "severity": 3, "match": {}, "threshold": threshold}
    return Words(Version(Rule(**known | other), number, **spans), **mine)


def tumbling(count: int, minutes: int, *, hop: int | None = None, distinct: str = "") -> Threshold:
    return Threshold(count, minutes * MINUTE_US, (hop or minutes) * MINUTE_US, distinct)
