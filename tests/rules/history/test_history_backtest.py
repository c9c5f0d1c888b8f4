"""A backtest reports what the definition says, however the findings came, and leaves no trace."""

from itertools import count as counting
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.routing import text
from consumers.rules.history.backtest import Backtest, Routing, _Tallies, backtest
from consumers.rules.history.errors import Cancelled
from consumers.rules.history.judging import Judging
from consumers.rules.history.lockstep import Progress, Watch
from consumers.rules.history.strand import Stretch
from schemas.envelope import Envelope
from tests.rules.history.fakes import MINUTE_US, Words, minute, plain_judge, rule, said, tumbling
from tests.rules.history.model import expected
from tests.support.facts import DAY_US, HOUR_US, MORNING_US, beat
from tests.support.memory_log import MemoryLog

DAY = Stretch(MORNING_US, MORNING_US + DAY_US)


def run(log: MemoryLog, *rules: Words, stretch: Stretch = DAY, **options: Any) -> Backtest:
    ticks = counting(step=2000)
    return backtest(log, rules, stretch, make_judge=plain_judge, timer_ns=lambda: next(ticks), **options)


def of(*findings: Envelope, shards: int = 2) -> MemoryLog:
    log = MemoryLog(shards=shards)
    log.append(findings)
    return log


@st.composite
def histories(draw: st.DrawFn) -> MemoryLog:
    """Findings over some hours: some late, some ahead of the clock, some told again; on four shards, one of which may split."""
    moments = draw(st.lists(st.integers(-90, 400), min_size=1, max_size=60))
    told: list[tuple[int, Envelope]] = []
    for number, at in enumerate(moments):
        finding = said(
            number,
            minute(at),
            group=draw(st.sampled_from(["a", "b", "none"])),
            value=draw(st.sampled_from(["", "x", "y", "z"])),
            word=draw(st.sampled_from(["bad", "bad", "bad", "good", "dull"])),
        )
        came_us = minute(at) + draw(st.sampled_from([-300, 0, 1, 1, 2, 599, 600, 601, 4000])) * 1_000_000
        told.append((came_us, finding))
        if draw(st.integers(0, 4)) == 0:
            told.append((came_us + draw(st.integers(0, 7200)) * 1_000_000, finding))
    told.sort(key=lambda each: each[0])
    log = MemoryLog(shards=4)
    split = draw(st.integers(0, 2 * len(told)))
    for number, (came_us, finding) in enumerate(told):
        if number == split:
            log.split(log.shard_of(finding.subject))
        log.put(finding, recorded_us=came_us)
    return log


RULES = {
    "match": rule("match", group_by=("group",), resolve={}),
    "three": rule("three", threshold=tumbling(3, 30), late_us=10 * MINUTE_US),
    "by group": rule("by-group", threshold=tumbling(2, 20), group_by=("group",), late_us=10 * MINUTE_US, resolve={}),
    "hopping": rule("hopping", threshold=tumbling(2, 30, hop=10), group_by=("group",), late_us=10 * MINUTE_US),
    "distinct": rule("distinct", threshold=tumbling(2, 60, distinct="value"), group_by=("group",), late_us=0),
}
STRETCHES = st.tuples(st.integers(-60, 300), st.integers(1, 200), st.booleans()).map(
    lambda s: Stretch(minute(s[0]), minute(s[0] + s[1]), count_late=s[2])
)


@given(histories(), STRETCHES, st.integers(1, 40))
def test_a_backtest_finds_what_the_definition_says(log: MemoryLog, stretch: Stretch, batch_events: int) -> None:
    found = run(log, *RULES.values(), stretch=stretch, watch=Watch(batch_events=batch_events))

    for each, result in zip(RULES.values(), found.rules, strict=True):
        wanted = expected(log.records(), each, stretch)
        assert (result.matched, result.alerts, result.resolved) == (len(wanted.matched), len(wanted.alerts), wanted.resolved)
        if result.alerts <= 5:
            assert {alert.id: alert.count for alert in result.raised} == wanted.alerts
    assert found.alerts == sum(result.alerts for result in found.rules)
    assert found.findings == len(set().union(*(expected(log.records(), each, stretch).matched for each in RULES.values())))
    assert sum(bucket.matched for bucket in found.histogram) == found.findings
    assert sum(bucket.alerts for bucket in found.histogram) == found.alerts


def test_a_backtest_leaves_no_trace() -> None:
    log = of(said(1, minute(1)), said(2, minute(2)))
    before = log.records()

    run(log, rule())

    assert log.records() == before


def test_what_is_no_finding_is_passed_over() -> None:
    assert run(of(beat(minute(1)), said(1, minute(2))), rule()).findings == 1


def test_the_oldest_findings_and_alerts_are_shown_with_their_words() -> None:
    log = of(*(said(number, minute(100 - number), group=f"g{number}") for number in range(20)))

    (result,) = run(log, rule()).rules

    assert [sample.summary for sample in result.samples] == ["Finding 19", "Finding 18", "Finding 17", "Finding 16", "Finding 15"]
    assert [alert.title for alert in result.raised] == [f"test-rule on g{number}" for number in (19, 18, 17, 16, 15)]


def test_an_alert_of_a_window_names_its_oldest_findings_and_is_worded_by_the_first() -> None:
    findings = [said(number, minute(20 - number), group="a") for number in range(10)]

    (result,) = run(of(*findings), rule(threshold=tumbling(3, 60), group_by=("group",))).rules

    (alert,) = result.raised
    assert (alert.title, alert.count, alert.group) == ("test-rule on a", 10, {"group": "a"})
    assert list(alert.event_ids) == [finding.id for finding in reversed(findings[5:])]
    assert (alert.since_us, alert.until_us) == (MORNING_US, MORNING_US + HOUR_US)


def test_findings_that_count_towards_nothing_are_told_apart() -> None:
    log = MemoryLog()
    log.put(said(1, minute(1), group="none"))
    log.put(said(2, minute(2)), recorded_us=minute(200))

    (result,) = run(log, rule(threshold=tumbling(1, 60), group_by=("group",))).rules

    assert (result.matched, result.late, result.ungrouped, result.alerts) == (2, 1, 1, 0)


def test_short_stretches_are_counted_by_the_hour_and_long_ones_by_the_day() -> None:
    log = of(said(1, minute(1)), said(2, minute(61)), said(3, minute(62)))
    long = Stretch(MORNING_US, MORNING_US + 5 * DAY_US)

    assert [(b.start_us, b.matched, b.alerts) for b in run(log, rule()).histogram] == [
        (MORNING_US, 1, 1),
        (MORNING_US + HOUR_US, 2, 2),
    ]
    assert [(b.start_us, b.matched) for b in run(log, rule(), stretch=long).histogram] == [(MORNING_US, 3)]


def test_a_finding_that_several_rules_match_is_one_finding() -> None:
    found = run(of(said(1, minute(1))), rule("one"), rule("two"))

    assert (found.findings, found.alerts) == (1, 2)


def test_rules_are_ranked_by_noise_and_by_cost() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="good"))

    found = run(log, rule("quiet"), rule("noisy", words=frozenset({"bad", "good"})), rule("silent", words=frozenset()))

    assert [result.rule_id for result in found.noisiest] == ["noisy", "quiet"]
    assert [result.cost_us for result in found.slowest] == [2.0, 2.0]
    assert found.rules[2].cost_us is None


def test_faults_are_told_and_stop_nothing() -> None:
    broken = rule("broken", breaks=lambda document: document["group"] == "b")

    (result,) = run(of(said(1, minute(1)), said(2, minute(2), group="b")), broken).rules

    assert (result.matched, result.faults, result.fault) == (1, {"threw": 1}, "it broke")


def test_notices_are_what_routing_decides_about_the_alerts() -> None:
    log = of(*(said(number, minute(number)) for number in range(3)))
    routes = text.read("routes: {routes: [{name: alerts, matchers: [type=alert.*, severity>=HIGH], channel: default}]}")

    told = run(log, rule(), routing=Routing(routes, frozenset({"default"})))
    held = run(log, rule(), routing=Routing(routes))

    assert (told.notices, told.held) == ({"default": 3}, {})
    assert (held.notices, held.held) == ({}, {"default: no_channel": 3})


def test_a_stretch_that_the_log_forgot_in_part_is_said_to_be_incomplete() -> None:
    log = of(*(said(number, minute(number)) for number in range(40)))
    assert run(log, rule()).complete
    for shard in log.shards():
        log.forget(shard.id, 3)

    assert not run(log, rule()).complete
    assert run(log, rule(), stretch=Stretch(minute(39), minute(50))).complete


def test_progress_is_told_and_ends_with_all() -> None:
    seen: list[Progress] = []

    run(of(*(said(number, minute(number)) for number in range(10))), rule(), watch=Watch(seen.append, batch_events=2))

    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1] == (10, 10)


def test_it_ends_when_it_is_cancelled() -> None:
    answers = iter([False, True])

    with pytest.raises(Cancelled):
        run(of(said(1, minute(1)), said(2, minute(2))), rule(), watch=Watch(cancelled=lambda: next(answers)))


def test_what_is_appended_meanwhile_is_not_read() -> None:
    log = of(said(1, minute(1)))

    def append(_: Progress) -> None:
        log.put(said(7, minute(7)))

    assert run(log, rule(), watch=Watch(append)).findings == 1


def test_windows_are_forgotten_when_they_are_settled() -> None:
    held: list[int] = []
    log = MemoryLog(shards=4)
    for number in range(2000):
        log.put(said(number, minute(number), group=f"g{number}"))
    watched = rule(threshold=tumbling(1, 10), group_by=("group",), late_us=MINUTE_US)
    tallies = _Tallies(Stretch(MORNING_US, MORNING_US + 2 * DAY_US), lambda: 0)
    strand = tallies.strand(watched)
    Judging(plain_judge([watched], tallies.fault), [strand], tallies).over(
        log, Watch(lambda _: held.append(len(strand)), batch_events=20)
    )

    assert max(held) < 200
    assert (held[-1], tallies.rules[id(watched)].alerts) == (0, 2000)


def test_all_that_a_backtest_found_can_be_written_as_json() -> None:
    found = run(of(said(1, minute(1))), rule())

    assert orjson.loads(orjson.dumps(found.document()))["rules"][0]["samples"][0]["summary"] == "Finding 1"
