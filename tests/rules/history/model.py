"""What history ought to conclude, as slowly and plainly as can be: sets of findings, and windows tried one by one."""

from collections.abc import Iterable
from dataclasses import dataclass

import orjson

from consumers.rules.alerting import Key
from consumers.rules.history.strand import Stretch
from pipeline.log.port import Record
from tests.rules.history.fakes import Words

DAY_US = 86_400_000_000


@dataclass
class Expected:
    matched: set[str]
    alerts: dict[str, int]
    """Alert ids, with how many findings or values each counts."""
    resolved: int


def once(records: Iterable[Record]) -> list[Record]:
    """Each finding where it first stands; ``records`` are in log order, shard by shard."""
    first: dict[str, Record] = {}
    for record in records:
        first.setdefault(record.event.id, record)
    return [record for record in first.values() if record.event.type == "finding.observed"]


def reached_us(counted: Iterable[tuple[int, str]], needed: int) -> int:
    """When the value came by which there were so many, each counted when it came first."""
    firsts: dict[str, int] = {}
    for time_us, value in sorted(counted):
        firsts.setdefault(value, time_us)
    return sorted(firsts.values())[needed - 1]


def expected(records: Iterable[Record], rule: Words, stretch: Stretch) -> Expected:
    """By definition."""
    findings = [(record, orjson.loads(record.event.body)) for record in once(records)]
    matching = [(r, d) for r, d in findings if rule.matches(d)]
    matched = {r.event.id for r, _ in matching if stretch.since_us <= r.event.time_us < stretch.until_us}
    alerts: dict[str, int] = {}
    reached: list[tuple[tuple[str, ...], int]] = []
    if threshold := rule.version.rule.threshold:
        start = (stretch.since_us - threshold.window_us) // threshold.hop_us * threshold.hop_us
        while start < stretch.until_us:
            if start + threshold.window_us > stretch.since_us:
                groups: dict[tuple[str, ...], list[tuple[Record, str]]] = {}
                for r, d in matching:
                    group, value = rule.group(d), rule.distinct(d) if threshold.distinct else r.event.id
                    late = not stretch.count_late and r.recorded_us - r.event.time_us > rule.version.rule.late_us
                    if (
                        not late
                        and group is not None
                        and value is not None
                        and start <= r.event.time_us < start + threshold.window_us
                    ):
                        groups.setdefault(group, []).append((r, value))
                for group, counted in groups.items():
                    count = len({value for _, value in counted})
                    if count >= threshold.count:
                        alerts[Key(rule.version.rule.id, group, start, threshold.window_us).alert_id] = count
                        reached.append((group, reached_us([(r.event.time_us, value) for r, value in counted], threshold.count)))
            start += threshold.hop_us
    else:
        for r, d in matching:
            if r.event.id in matched:
                alerts[Key(rule.version.rule.id, (), r.event.time_us, cause=r.event.id).alert_id] = 1
                reached.append((rule.group(d) or (), r.event.time_us))
    closing = [(rule.group(d), r.event.time_us) for r, d in findings if rule.resolves(d)]
    resolved = sum(any(g == group and at > since for g, at in closing) for group, since in reached)
    return Expected(matched, alerts, resolved)
