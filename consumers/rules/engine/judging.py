"""The fold: what a shard's findings count for, and what that owes to the log.

Key:    a finding by itself; an alert's facts in order.
Order:  none matters among findings; of an alert's facts the latest decides.
Replay: the same findings under the same versions give equal rows. Which versions those are, only their validity decides
        (``Version.in_force``): a lane that learns of one late judges again what it had folded by then (``taking_up``).
Sums:   one shard's windows say little; whoever commits sums those of all shards afterwards (``settling``).
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Final

import orjson

from consumers.rules import alerting
from consumers.rules.alerting import Conclusion, Key
from consumers.rules.engine import state
from consumers.rules.engine.debt import Debt, Touched
from consumers.rules.engine.rule_set import FINDING, RuleSet
from consumers.rules.engine.state import Tally, Words
from consumers.rules.errors import RuleThrew
from consumers.rules.matching import Fault, Hit
from consumers.rules.rule import Threshold, Version
from consumers.rules.windows import is_late, starts
from pipeline.log.port import Batch
from projections.projection import Changes, Document, Rows

_ENDS: Final = {"alert.resolved": True, "alert.withdrawn": True, "alert.reopened": False}


class Judging:
    """The fold by what ``rules`` gives, which must be what the lane has taken up. See the module for its promises."""

    name: ClassVar[str] = "judging"
    version: ClassVar[int] = 1
    folds: ClassVar[Mapping[str, int]] = {FINDING: 1, "alert.raised": 1, **dict.fromkeys(_ENDS, 1)}

    def __init__(self, rules: Callable[[], RuleSet]) -> None:
        self._rules = rules

    def parking_key(self, batch: Batch, index: int) -> str:
        """A finding waits alone, an alert's facts one behind the other."""
        columns = batch.columns
        return columns.id[index] if columns.type[index] == FINDING else columns.subject[index]

    def fold(self, rows: Rows, batch: Batch) -> Changes:
        """Count what hits, remember what happened to alerts, and note what is owed for both."""
        rules = self._rules()
        return judged(rows, batch, rules, list(rules.hits(batch)), _facts(batch))


def judged(rows: Rows, batch: Batch, rules: RuleSet, hits: Iterable[Hit], facts: Sequence[int] = ()) -> Changes:
    """What these hits, and alerts' facts at these places, change."""
    work = _Work(batch, rules)
    for hit in hits:
        work.hit(hit)
    for index in facts:
        work.fact(index)
    changes = work.changes(rows)
    if work.debt:
        changes.documents[f"{state.pending(batch.shard)}/{batch.positions[0]}"] = work.debt.written()
    return changes


def _facts(batch: Batch) -> list[int]:
    return [index for index, kind in enumerate(batch.columns.type) if kind == "alert.raised" or kind in _ENDS]


@dataclass(slots=True)
class _Counted:
    """A finding that counts in a window."""

    touched: Touched
    place: int
    hit: Hit
    value: str | None
    most_values: int


@dataclass(slots=True)
class _Work:
    """What a batch comes to, page by page: pages are read at once, when all is known that is to stand on them."""

    batch: Batch
    rules: RuleSet
    debt: Debt = field(default_factory=Debt)
    _counted: defaultdict[str, list[_Counted]] = field(default_factory=lambda: defaultdict(list))
    _known: dict[tuple[str, int, tuple[str, ...], int], Touched] = field(default_factory=dict)
    _raised: defaultdict[str, list[tuple[str, str, int]]] = field(default_factory=lambda: defaultdict(list))
    _closing: defaultdict[str, list[tuple[str, tuple[int, str]]]] = field(default_factory=lambda: defaultdict(list))
    _ended: defaultdict[str, list[tuple[str, int, bool]]] = field(default_factory=lambda: defaultdict(list))

    def hit(self, hit: Hit) -> None:
        """A finding matches a rule, or closes its alerts; one on which the rule fails does neither.

        A rule that only finds no words for its alert raises it all the same, with its id for a title: a threshold's is worded
        by whichever finding is the oldest, and must not depend on which one that is by now.
        """
        version = self.rules.version_of(hit)
        try:
            if hit.matched and version.rule.threshold is None:
                self._conclude(hit, version)
            elif hit.matched and version.rule.threshold:
                self._count(hit, version, version.rule.threshold)
            if hit.resolved:
                self._close(hit, version)
        except RuleThrew as threw:
            self._fault(hit, threw)

    def fact(self, index: int) -> None:
        """Something happened to an alert."""
        columns = self.batch.columns
        told: dict[str, Any] = orjson.loads(self.batch.bodies[index])
        kind, alert_id = columns.type[index], str(told["alert_id"])
        if kind in _ENDS:
            page = state.closed_page(alert_id) + self.batch.shard
            self._ended[page].append((alert_id, columns.time_us[index], _ENDS[kind]))
        elif self.rules.resolving(told["rule_id"]):
            entry = state.grouped(told["rule_id"], told["group"])
            self._raised[state.open_page(entry) + self.batch.shard].append((entry, alert_id, told["reached_us"]))
            self.debt.groups[entry] = None

    def changes(self, rows: Rows) -> Changes:
        """All pages as they are by now."""
        pages = {*self._counted, *self._raised, *self._closing, *self._ended}
        documents = rows.documents(pages) if pages else {}
        for page in pages:
            document = documents.setdefault(page, {})
            self._tally(document, self._counted.get(page, ()))
            self._remember(document, page)
        return Changes(documents=documents, passing=set(documents))

    def _conclude(self, hit: Hit, version: Version) -> None:
        columns, place, rule = self.batch.columns, hit.place, version.rule
        time_us, event_id = columns.time_us[place], columns.id[place]
        group = (hit.rule.group(hit.document) or ()) if rule.group_by else ()
        title, labels = self._words(hit)
        alert = Conclusion(
            key=Key(rule.id, (), time_us, cause=event_id),
            version=version.number,
            severity=rule.severity,
            title=title,
            count=1,
            events=[(time_us, event_id)],
            last_us=time_us,
            reached_us=time_us,
            group=state.named(rule.group_by, group),
            labels=labels,
            account=columns.account[place],
            region=columns.region[place],
            resources=columns.resources[place],
            correlation_id=columns.correlation_id[place],
        )
        fact = alerting.raised(alert)
        self.debt.facts[fact.id] = fact

    def _count(self, hit: Hit, version: Version, threshold: Threshold) -> None:
        rule, time_us = version.rule, self.batch.columns.time_us[hit.place]
        if is_late(rule, time_us, self.batch.recorded_us[hit.place]):
            return
        group = hit.rule.group(hit.document)
        value = hit.rule.distinct(hit.document) if threshold.distinct else None
        if group is None or (threshold.distinct and value is None):
            return
        most = max(threshold.count, state.MOST_VALUES)
        for start_us in starts(threshold, time_us):
            touched = self._touched(version, group, start_us)
            self._counted[touched.page + self.batch.shard].append(_Counted(touched, hit.place, hit, value, most))

    def _touched(self, version: Version, group: tuple[str, ...], start_us: int) -> Touched:
        """The window, which the batch owes to be summed. A batch has many findings of few windows."""
        key = version.rule.id, version.number, group, start_us
        if key not in self._known:
            entry = state.counted(version.rule.id, version.number, group)
            page = state.windows_page(version.rule, start_us, entry)
            self._known[key] = touched = Touched.of(version, group, start_us, page)
            self.debt.touch(touched)
        return self._known[key]

    def _close(self, hit: Hit, version: Version) -> None:
        rule, columns = version.rule, self.batch.columns
        group = hit.rule.group(hit.document)
        if group is None:
            return
        entry = state.grouped(rule.id, state.named(rule.group_by, group))
        at = columns.time_us[hit.place], columns.id[hit.place]
        self._closing[state.open_page(entry) + self.batch.shard].append((entry, at))
        self.debt.groups[entry] = None

    def _tally(self, document: Document, counted: Sequence[_Counted]) -> None:
        columns = self.batch.columns
        tallies: dict[int, tuple[Touched, Tally]] = {}
        for one in counted:
            place, touched = one.place, one.touched
            account, region = columns.account[place], columns.region[place]
            if id(touched) not in tallies:
                told = document.get(touched.entry, {}).get(str(touched.start_us))
                tallies[id(touched)] = touched, Tally.read(told) if told else Tally.of(account, region)
            _, tally = tallies[id(touched)]
            if tally.add((columns.time_us[place], columns.id[place]), account, region, one.value, one.most_values):
                resources = tuple(columns.resources[place])
                tally.words = Words(*self._words(one.hit), resources, columns.correlation_id[place])
        for touched, tally in tallies.values():
            document.setdefault(touched.entry, {})[str(touched.start_us)] = tally.written()

    def _words(self, hit: Hit) -> tuple[str, Mapping[str, str]]:
        """Title and labels of an alert from a finding."""
        try:
            return hit.rule.title(hit.document), hit.rule.labels(hit.document)
        except RuleThrew as threw:
            self._fault(hit, threw)
            return hit.rule.version.rule.id, {}

    def _fault(self, hit: Hit, threw: RuleThrew) -> None:
        self.rules.on_fault(Fault(hit.rule, self.batch.columns.id[hit.place], "threw", str(threw)))

    def _remember(self, document: Document, page: str) -> None:
        """Alerts and their ends, without what is too old to matter."""
        for entry, alert_id, reached_us in self._raised.get(page, ()):
            document.setdefault(entry, {"open": {}, "closing": None})["open"][alert_id] = reached_us
        for entry, at in self._closing.get(page, ()):
            group = document.setdefault(entry, {"open": {}, "closing": None})
            group["closing"] = max(tuple(group["closing"] or ()), at)
        for alert_id, time_us, ended in self._ended.get(page, ()):
            document[alert_id] = max(document.get(alert_id, [0, False]), [time_us, ended])
        if page.startswith((state.OPEN, state.CLOSED)):
            _forget(document, self.batch.recorded_us[-1] - state.CLOSABLE_US)
        if page.startswith(state.OPEN):
            state.bound(document)


def _forget(document: Document, before_us: int) -> None:
    for key, told in list(document.items()):
        if isinstance(told, dict):
            told["open"] = {alert: reached_us for alert, reached_us in told["open"].items() if reached_us >= before_us}
            if told["closing"] and told["closing"][0] < before_us:
                told["closing"] = None
            if not (told["open"] or told["closing"]):
                del document[key]
        elif told[0] < before_us:
            del document[key]
