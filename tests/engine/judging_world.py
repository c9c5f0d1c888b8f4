"""Rules made by hand, findings for them, and an engine over a log and a store that can be killed and started again."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

import orjson

from consumers.rules.engine.book import Book
from consumers.rules.engine.engine import Engine
from consumers.rules.errors import ExpressionRefused, RuleThrew
from consumers.rules.matching import Compiled, Document, Fault, Hit, Judge, MakeJudge
from consumers.rules.rule import Rule, Threshold, Version
from pipeline.log.port import Batch
from projections.stores.port import Store
from schemas.envelope import Envelope
from tests.rules.batches import Opened
from tests.support.facts import MORNING_US, finding
from tests.support.memory_log import MemoryLog

MINUTE_US = 60_000_000
HOUR_US = 60 * MINUTE_US


def seen(number: int, *, at: int | None = None, **told: Any) -> Envelope:
    """A finding at minute ``at`` of the morning (its number, if that is not said) that says what is ``told``."""
    account = told.pop("account", "111122223333")
    subject = told.pop("subject", f"thing/{number}")
    body = orjson.dumps({"kind": "generic", "form": "cloudevent", "detail_type": "Test", "facts": {}, "raw": told})
    minute = number if at is None else at
    return finding(number, MORNING_US + minute * MINUTE_US, body=body, account=account, subject=subject)


@dataclass(frozen=True)
class HandMade:
    """Matches what has ``match`` as ``what``, resolves what has ``resolve``; throws where ``throws`` names its rule."""

    version: Version

    def matches(self, document: Document) -> bool:
        if document.get("throws") == self.version.rule.id:
            message = "it was told to"
            raise RuleThrew(message)
        return bool(document.get("what") == self.version.rule.match["what"])

    def resolves(self, document: Document) -> bool:
        resolve = self.version.rule.resolve
        return resolve is not None and document.get("what") == resolve["what"]

    def group(self, document: Document) -> tuple[str, ...] | None:
        if document.get("ungrouped"):
            message = "no group"
            raise RuleThrew(message)
        values = [document.get(path) for path in self.version.rule.group_by]
        return None if None in values else tuple(map(str, values))

    def distinct(self, document: Document) -> str | None:
        threshold = self.version.rule.threshold
        return document.get(threshold.distinct) if threshold else None

    def title(self, document: Document) -> str:
        if document.get("untitled"):
            message = "no title"
            raise RuleThrew(message)
        return f"{self.version.rule.title}: {document.get('who', 'somebody')}"

    def labels(self, document: Document) -> dict[str, str]:
        return {"who": str(document.get("who", ""))}


class PlainJudge:
    """Asks every rule of every finding. A body that is no JSON is poison."""

    def __init__(self, compiled: Iterable[Compiled], on_fault: Callable[[Fault], None]) -> None:
        self._compiled = list(compiled)
        self._on_fault = on_fault

    def hits(self, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        for place in range(len(batch)) if indices is None else indices:
            if batch.columns.type[place] != "finding.observed":
                continue
            document = orjson.loads(batch.bodies[place])["raw"]
            for rule in self._compiled:
                try:
                    matched, resolved = rule.matches(document), rule.resolves(document)
                except RuleThrew as threw:
                    self._on_fault(Fault(rule, batch.columns.id[place], "threw", str(threw)))
                    continue
                if matched or resolved:
                    yield Hit(place, rule, Opened(document), matched, resolved)


def compiled(version: Version) -> HandMade:
    if "what" not in version.rule.match:
        message = "nothing to match"
        raise ExpressionRefused(message)
    return HandMade(version)


def rule(name: str = "sign-ins", *, what: str = "failed", threshold: Threshold | None = None, **more: Any) -> Rule:
    return Rule(name, name.capitalize(), 3, {"what": what}, threshold=threshold, **more)


def counting(
    count: int = 3, *, id_: str = "sign-ins", window: int = 10, hop: int | None = None, distinct: str = "", **more: Any
) -> Rule:
    """A rule with a threshold by ``from``; the window's length and hop are in minutes."""
    threshold = Threshold(count, window * MINUTE_US, (hop or window) * MINUTE_US, distinct)
    return rule(id_, threshold=threshold, **{"group_by": ("who",)} | more)


@dataclass
class World:
    """A log, a store, the published versions, and at most one engine at a time."""

    store: Store
    log: MemoryLog = field(default_factory=lambda: MemoryLog(shards=4))
    versions: list[Version] = field(default_factory=list)
    now_us: int = MORNING_US
    batch_events: int = 100
    engine: Engine | None = None
    life: int = 0
    stopped: list[str] = field(default_factory=list)
    make_judge: MakeJudge = PlainJudge

    def publish(self, of: Rule, *, since_us: int = 0, **more: Any) -> Version:
        number = sum(version.rule.id == of.id for version in self.versions) + 1
        self.versions.append(Version(of, number, since_us, **more))
        return self.versions[-1]

    def start(self, store: Store | None = None) -> Engine:
        """Another engine; the former one, if there is one, is killed: nothing is asked of it any more."""
        self.life += 1
        self.book = self.read()
        self.engine = Engine(
            self.log,
            store or self.store,
            self.book,
            token=f"life {self.life}",
            clock=lambda: self.now_us,
            batch_events=self.batch_events,
            on_stop=lambda newer: self.stopped.append(str(newer)),
        )
        return self.engine

    def read(self) -> Book:
        """Another book of the versions."""
        return Book(lambda: list(self.versions), compiled, self.make_judge, clock=lambda: self.now_us, refresh_us=0)

    def judge(self) -> None:
        """Step until there is nothing left to judge."""
        engine = self.engine or self.start()
        while engine.step():
            pass

    def tell(self, *events: Envelope) -> None:
        self.log.append(events)

    def facts(self, kind: str) -> list[Envelope]:
        """Those on the log, each once, by id."""
        found = {record.event.id: record.event for record in self.log.records() if record.event.type == kind}
        return [found[one] for one in sorted(found)]

    def alerts(self) -> list[dict[str, Any]]:
        """What was raised, each alert once."""
        return [dict(event.data) for event in self.facts("alert.raised")]

    def close(self) -> None:
        if self.engine:
            with closing(self.engine):
                pass


def make_judge(rules: Iterable[Compiled], on_fault: Callable[[Fault], None]) -> Judge:
    return PlainJudge(rules, on_fault)
