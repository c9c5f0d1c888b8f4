"""A dry run of rules over history: what they would have matched, raised, and told to channels. Leaves no trace.

Equal:  a rule's alerts are those that a reprocessing of the same stretch would find.
Notices: where routing sends the alerts, as if each had been live and alone; groups, silences, pace and storms are not played
         through.
Times:  ``cost_us`` is what a match takes, measured on the rule's first hits; nothing else here depends on a clock.
"""

from bisect import insort
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import asdict, dataclass, field
from math import inf
from statistics import median
from typing import Any, Final

from consumers.notifier import item
from consumers.notifier.notice import Reason
from consumers.notifier.routing.tree import Routing as Routes
from consumers.rules import alerting
from consumers.rules.alerting import Conclusion
from consumers.rules.history.judging import Judging
from consumers.rules.history.lockstep import Watch, complete_since
from consumers.rules.history.resolving import Resolving
from consumers.rules.history.strand import Strand, Stretch
from consumers.rules.matching import Compiled, Fault, Hit, MakeJudge
from pipeline.log.port import Batch, Log, Position
from schemas.envelope import Envelope

HOUR_US: Final = 3_600_000_000
DAY_US: Final = 24 * HOUR_US
SAMPLES: Final = 5
_BY_HOUR_US: Final = 3 * DAY_US
"""Stretches up to this long are counted by the hour, longer ones by the day."""
_NOWHERE: Final = Position("", 0)
_TIMED: Final = 25
"""Hits of a rule on which its cost is measured."""


@dataclass(frozen=True, slots=True, order=True)
class Finding:
    """A finding that was matched, as its header tells it."""

    time_us: int
    id: str
    source: str
    severity: int
    account: str
    region: str
    summary: str

    @classmethod
    def at(cls, batch: Batch, place: int) -> "Finding":
        """The finding that stands there."""
        c = batch.columns
        return cls(
            c.time_us[place], c.id[place], c.source[place], c.severity[place], c.account[place], c.region[place], c.summary[place]
        )


@dataclass(frozen=True, slots=True)
class Alert:
    """An alert as it would be raised. ``until_us`` is where its window ends; ``since_us`` itself if it has none."""

    id: str
    title: str
    since_us: int
    until_us: int
    count: int
    group: Mapping[str, str]
    event_ids: Sequence[str]

    @classmethod
    def of(cls, alert: Conclusion) -> "Alert":
        """The alert that this conclusion is."""
        key = alert.key
        events = [event for _, event in alert.events[:SAMPLES]]
        return cls(key.alert_id, alert.title, key.time_us, key.time_us + key.length_us, alert.count, dict(alert.group), events)


@dataclass(frozen=True, slots=True)
class RuleResult:
    """What one rule would have done. ``cost_us`` is microseconds a match, None if nothing was hit.

    ``late`` and ``ungrouped`` count matched findings that count towards no threshold: too late, or without a value to group by.
    """

    rule_id: str
    version: int
    title: str
    severity: int
    matched: int
    alerts: int
    resolved: int
    late: int
    ungrouped: int
    faults: Mapping[str, int]
    fault: str
    cost_us: float | None
    samples: Sequence[Finding]
    raised: Sequence[Alert]


@dataclass(frozen=True, slots=True)
class Bucket:
    """An hour or a UTC day, by its first microsecond: findings matched and alerts that begin in it, over all rules."""

    start_us: int
    matched: int
    alerts: int


@dataclass(frozen=True, slots=True)
class Backtest:
    """The result. ``findings`` are those that any rule matches; ``rules`` stand in the order given.

    ``notices`` counts messages by channel, ``held`` those that would not be sent, by channel and reason. ``complete`` is False if
    the log no longer holds all of the stretch.
    """

    stretch: Stretch
    read: int
    findings: int
    alerts: int
    resolved: int
    rules: Sequence[RuleResult]
    notices: Mapping[str, int]
    held: Mapping[str, int]
    bucket_us: int
    histogram: Sequence[Bucket]
    complete: bool

    @property
    def noisiest(self) -> Sequence[RuleResult]:
        """The rules that raise alerts, the one with most of them first."""
        return sorted((rule for rule in self.rules if rule.alerts), key=lambda rule: (-rule.alerts, rule.rule_id))

    @property
    def slowest(self) -> Sequence[RuleResult]:
        """The rules that hit anything, the one whose match takes longest first."""
        return sorted((rule for rule in self.rules if rule.cost_us is not None), key=lambda rule: -(rule.cost_us or 0))

    def document(self) -> dict[str, Any]:
        """As JSON takes it."""
        return asdict(self)


@dataclass(slots=True)
class _Tally:
    """What is counted for one rule."""

    strand: Strand
    alerts: int = 0
    resolving: Resolving = field(default_factory=Resolving)
    faults: Counter[str] = field(default_factory=Counter)
    fault: str = ""
    took_ns: list[int] = field(default_factory=list)
    samples: list[Finding] = field(default_factory=list)
    raised: list[tuple[int, str, Alert]] = field(default_factory=list)
    sampled_us: float = inf
    """Findings before then are among the oldest that are shown."""
    raised_us: float = inf
    """The same of alerts."""
    by_account: Counter[str] = field(default_factory=Counter)
    models: dict[str, Conclusion] = field(default_factory=dict)

    def shows(self, begun_us: int) -> bool:
        """Whether an alert that begins then is among the oldest."""
        return begun_us < self.raised_us

    def wants(self, begun_us: int, account: str) -> bool:
        """Whether an alert is to be shown, or is the first of its account."""
        return begun_us < self.raised_us or account not in self.models

    def keep(self, alert: Conclusion) -> None:
        """Keep an alert if it is among the oldest, and as the model of its account's."""
        self.models.setdefault(alert.account, alert)
        insort(self.raised, (alert.key.time_us, alert.key.alert_id, Alert.of(alert)))
        del self.raised[SAMPLES:]
        if len(self.raised) == SAMPLES:
            self.raised_us = self.raised[-1][0]

    def sample(self, finding: Finding) -> None:
        """Keep a finding if it is among the oldest."""
        insort(self.samples, finding)
        del self.samples[SAMPLES:]
        if len(self.samples) == SAMPLES:
            self.sampled_us = self.samples[-1].time_us

    def result(self) -> RuleResult:
        """What came of it."""
        strand, version = self.strand, self.strand.compiled.version
        return RuleResult(
            rule_id=version.rule.id,
            version=version.number,
            title=version.rule.title,
            severity=version.rule.severity,
            matched=strand.matched,
            alerts=self.alerts,
            resolved=self.resolving.count,
            late=strand.late,
            ungrouped=strand.ungrouped,
            faults=dict(self.faults),
            fault=self.fault,
            cost_us=median(self.took_ns) / 1000 if self.took_ns else None,
            samples=self.samples,
            raised=[alert for _, _, alert in self.raised],
        )


class _Tallies:
    """The sink of a backtest."""

    def __init__(self, stretch: Stretch, timer_ns: Callable[[], int]) -> None:
        self.rules: dict[int, _Tally] = {}
        self.findings = 0
        self.matching: Counter[int] = Counter()
        self.begun: Counter[int] = Counter()
        self.bucket_us = HOUR_US if stretch.until_us - stretch.since_us <= _BY_HOUR_US else DAY_US
        self._stretch = stretch
        self._since_us, self._until_us = stretch.since_us, stretch.until_us
        self._timer_ns = timer_ns

    def strand(self, compiled: Compiled) -> Strand:
        """A version to be counted."""
        tally = self.rules[id(compiled)] = _Tally(Strand(compiled, self._stretch))
        tally.strand.worded = tally.shows
        return tally.strand

    def fault(self, fault: Fault) -> None:
        """A rule threw, or took too long."""
        tally = self.rules[id(fault.rule)]
        tally.faults[fault.reason] += 1
        tally.fault = tally.fault or fault.detail

    def finding(self, batch: Batch, place: int, hits: Sequence[Hit]) -> None:
        """Count it once, by however many rules it is matched."""
        time_us = batch.columns.time_us[place]
        if self._since_us <= time_us < self._until_us:
            for hit in hits:
                if hit.matched:
                    self.findings += 1
                    self.matching[time_us // self.bucket_us] += 1
                    return

    def matched(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Count it, keep it if it is among the oldest, and see how long matching takes."""
        tally = self.rules[id(strand.compiled)]
        strand.matched += 1
        time_us = batch.columns.time_us[hit.place]
        if time_us < tally.sampled_us:
            tally.sample(Finding.at(batch, hit.place))
        if len(tally.took_ns) < _TIMED:
            document = hit.document
            began = self._timer_ns()
            strand.compiled.matches(document)
            tally.took_ns.append(self._timer_ns() - began)
        if not strand.threshold:
            self._single(tally, strand, batch, hit)

    def concluded(self, strand: Strand, alert: Conclusion) -> None:
        """Count an alert of a threshold rule."""
        tally = self.rules[id(strand.compiled)]
        self._count(tally, alert.key.time_us, alert.account)
        if tally.wants(alert.key.time_us, alert.account):
            tally.keep(alert)
        if strand.rule.resolve is not None:
            tally.resolving.alert(tuple(alert.group.values()), alert.reached_us)

    def resolver(self, strand: Strand, batch: Batch, hit: Hit) -> None:
        """Count the alerts that it closes."""
        group = strand.compiled.group(hit.document)
        if group is not None:
            columns = batch.columns
            self.rules[id(strand.compiled)].resolving.resolver(group, columns.time_us[hit.place], columns.id[hit.place])

    def _single(self, tally: _Tally, strand: Strand, batch: Batch, hit: Hit) -> None:
        time_us, account = batch.columns.time_us[hit.place], batch.columns.account[hit.place]
        self._count(tally, time_us, account)
        if tally.wants(time_us, account):
            tally.keep(strand.single(batch, hit))
        if strand.rule.resolve is not None:
            tally.resolving.alert(strand.compiled.group(hit.document) or (), time_us)

    def _count(self, tally: _Tally, time_us: int, account: str) -> None:
        tally.alerts += 1
        tally.by_account[account] += 1
        self.begun[time_us // self.bucket_us] += 1


@dataclass(frozen=True, slots=True)
class Routing:
    """Who would be told: the routes, None if nobody, and the channels that have an address."""

    routes: Routes | None = None
    connected: AbstractSet[str] = frozenset()


def backtest(
    log: Log,
    rules: Sequence[Compiled],
    stretch: Stretch,
    *,
    make_judge: MakeJudge,
    timer_ns: Callable[[], int],
    routing: Routing = Routing(),
    watch: Watch | None = None,
) -> Backtest:
    """Judge ``stretch`` by all ``rules``, whenever they are or were in force.

    ``timer_ns`` gives nanoseconds since any moment. Raises ``Cancelled``, ``LogUnavailable`` or ``LogCorrupted``.
    """
    tallies = _Tallies(stretch, timer_ns)
    strands = [tallies.strand(rule) for rule in rules]
    judging = Judging(make_judge(rules, tallies.fault), strands, tallies)
    read = judging.over(log, watch or Watch())
    results = [tally.result() for tally in tallies.rules.values()]
    notices, held = _notices(tallies.rules.values(), routing)
    return Backtest(
        stretch=stretch,
        read=read,
        findings=tallies.findings,
        alerts=sum(result.alerts for result in results),
        resolved=sum(result.resolved for result in results),
        rules=results,
        notices=notices,
        held=held,
        bucket_us=tallies.bucket_us,
        histogram=[
            Bucket(number * tallies.bucket_us, tallies.matching[number], tallies.begun[number])
            for number in sorted(tallies.matching.keys() | tallies.begun.keys())
        ],
        complete=complete_since(log, judging.recorded_us),
    )


def _notices(tallies: Iterable[_Tally], routing: Routing) -> tuple[dict[str, int], dict[str, int]]:
    """How many messages each channel would get, and how many it would not, and why."""
    sent: Counter[str] = Counter()
    held: Counter[str] = Counter()
    for tally in tallies:
        for account, alerts in tally.by_account.items():
            for channel in _channels(alerting.raised(tally.models[account]), routing.routes):
                if channel in routing.connected:
                    sent[channel] += alerts
                else:
                    held[f"{channel}: {Reason.NO_CHANNEL}"] += alerts
    return dict(sent), dict(held)


def _channels(alert: Envelope, routes: Routes | None) -> list[str]:
    """Where an alert would be told."""
    read = item.of(alert, _NOWHERE) if routes else None
    return [route.channel for route in routes.deciding(read.fields) if route.channel] if routes and read else []
