"""A reprocessing tells the log what a version finds in history: once, marked, and to its end however often it is killed."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.rules import alerting
from consumers.rules.history.backtest import backtest
from consumers.rules.history.errors import Cancelled, HistoryLost, NotTold
from consumers.rules.history.lockstep import Progress, Watch
from consumers.rules.history.reprocess import Reprocessed, Run, reprocess
from consumers.rules.history.strand import Stretch
from pipeline.errors import LogUnavailable
from pipeline.log.port import Outcome, Receipt
from schemas.envelope import Envelope
from schemas.registry import REGISTRY
from tests.rules.history.fakes import Words, minute, plain_judge, rule, said, tumbling
from tests.rules.history.model import expected
from tests.rules.history.test_history_backtest import DAY, RULES, STRETCHES, histories, of
from tests.support.memory_log import MemoryLog

FIRST, SECOND, THIRD = (f"018f3000-0000-7000-8000-00000000000{digit}" for digit in "123")


def run(log: Any, compiled: Words, run_id: str = FIRST, *, stretch: Stretch = DAY, **options: Any) -> Reprocessed:
    watch = options.pop("watch", None)
    return reprocess(log, compiled, Run(run_id, stretch, "u1", **options), make_judge=plain_judge, watch=watch)


def facts(log: MemoryLog, kind: str = "") -> list[Envelope]:
    """What was told, each once."""
    told = {r.event.id: r.event for r in log.records() if not r.event.type.startswith("finding.")}
    return [event for event in told.values() if event.type == kind or not kind]


def bodies(log: MemoryLog, kind: str) -> list[dict[str, Any]]:
    return [orjson.loads(event.body) for event in facts(log, kind)]


@given(histories(), STRETCHES, st.sampled_from(sorted(RULES)))
def test_a_run_raises_what_a_backtest_finds(log: MemoryLog, stretch: Stretch, name: str) -> None:
    compiled = RULES[name]
    found = backtest(log, [compiled], stretch, make_judge=plain_judge, timer_ns=lambda: 0)

    told = run(log, compiled, stretch=stretch)

    assert (told.matched, told.raised, told.standing, told.withdrawn) == (found.findings, found.alerts, 0, 0)
    assert told.resolved == found.resolved
    assert {body["alert_id"] for body in bodies(log, "alert.raised")} == set(expected(log.records(), compiled, stretch).alerts)
    assert Counter(event.type for event in facts(log))["alert.resolved"] == told.resolved


@given(histories(), STRETCHES, st.sampled_from(sorted(RULES)))
def test_a_second_run_finds_all_standing(log: MemoryLog, stretch: Stretch, name: str) -> None:
    first = run(log, RULES[name], stretch=stretch)
    before = {event.id for event in facts(log)}

    second = run(log, RULES[name], SECOND, stretch=stretch)

    assert (second.raised, second.standing, second.withdrawn) == (0, first.raised, 0)
    assert {event.type for event in facts(log) if event.id not in before} == {"rule.reprocessed"}


def test_facts_are_as_published() -> None:
    log = of(said(1, minute(1), group="a"), said(2, minute(2), group="a", word="good"))

    run(log, rule(group_by=("group",), resolve={}))

    for event in facts(log):
        REGISTRY.check(event)
    assert Counter(event.type for event in facts(log)) == {"alert.raised": 1, "alert.resolved": 1, "rule.reprocessed": 1}


def test_an_alert_of_a_run_is_marked_and_tells_no_channel_unless_asked() -> None:
    silent, loud = of(said(1, minute(1))), of(said(1, minute(1)))
    run(silent, rule())
    run(loud, rule(), notify=True)

    (quiet,), (told,) = bodies(silent, "alert.raised"), bodies(loud, "alert.raised")

    assert (quiet["backfilled"], quiet["run_id"], quiet["notify"]) == (True, FIRST, False)
    assert told["notify"] is True
    assert (quiet["title"], quiet["labels"]) == ("test-rule on a", {"group": "a"})


def test_the_end_of_a_run_says_what_it_did() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="dull"))

    run(log, rule(number=4))

    (body,) = bodies(log, "rule.reprocessed")
    assert body == {
        "rule_id": "test-rule", "version": 4, "run_id": FIRST, "since_us": DAY.since_us, "until_us": DAY.until_us,
        "judged": 2, "raised": 1, "standing": 0, "withdrawn": 0, "by": "u1",
    }  # fmt: skip


def test_another_version_withdraws_what_it_does_not_find_and_adds_what_it_does() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="good"), said(3, minute(3), word="dull"))
    run(log, rule(words=frozenset({"bad", "good"})))

    told = run(log, rule(words=frozenset({"good", "dull"}), number=2), SECOND)

    assert (told.raised, told.standing, told.withdrawn) == (1, 1, 1)
    (body,) = bodies(log, "alert.withdrawn")
    assert (body["rule_version"], body["run_id"]) == (2, SECOND)


def test_what_was_withdrawn_and_holds_after_all_is_reinstated() -> None:
    log = of(said(1, minute(1)))
    run(log, rule())
    run(log, rule(words=frozenset(), number=2), SECOND)

    told = run(log, rule(number=3), THIRD)

    assert (told.raised, told.reinstated, told.standing) == (0, 1, 0)
    assert [body["run_id"] for body in bodies(log, "alert.reopened")] == [THIRD]
    assert run(log, rule(number=3), "018f3000-0000-7000-8000-000000000004").standing == 1


def test_what_was_withdrawn_is_not_withdrawn_again() -> None:
    log = of(said(1, minute(1)))
    run(log, rule())
    run(log, rule(words=frozenset(), number=2), SECOND)

    assert run(log, rule(words=frozenset(), number=2), THIRD).withdrawn == 0


def test_alerts_of_other_rules_and_other_times_are_left_alone() -> None:
    log = of(said(1, minute(1)), said(2, minute(300)))
    run(log, rule("other"))
    run(log, rule())

    told = run(log, rule(words=frozenset(), number=2), SECOND, stretch=Stretch(minute(0), minute(10)))

    assert told.withdrawn == 1


def test_alerts_raised_live_stand() -> None:
    log = of(said(1, minute(1)))
    compiled = rule()
    live = of(said(1, minute(1)))
    run(live, compiled)
    (raised,) = facts(live, "alert.raised")
    log.append([raised])

    assert run(log, compiled, SECOND).standing == 1


def test_an_alert_that_a_person_reopened_is_not_closed_by_another_run() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), word="good"))
    compiled = rule(resolve={}, group_by=("group",))
    run(log, compiled)
    (raised,) = bodies(log, "alert.raised")
    reopened = alerting.reinstated(raised["alert_id"], "", time_us=minute(500))
    log.append([reopened])

    assert run(log, compiled, SECOND).resolved == 0


class Dying:
    """A log that takes so many facts, one call each time, then is gone."""

    def __init__(self, log: MemoryLog, calls: int) -> None:
        self._log = log
        self._calls = calls

    def __getattr__(self, name: str) -> Any:
        return getattr(self._log, name)

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        if self._calls < len(events):
            self._log.append(events[: self._calls])
            message = "gone"
            raise LogUnavailable(message)
        self._calls -= len(events)
        return self._log.append(events)


@given(histories(), STRETCHES, st.sampled_from(sorted(RULES)), st.lists(st.integers(0, 12), max_size=4))
def test_a_run_that_is_killed_is_taken_up_and_comes_out_the_same(
    log: MemoryLog, stretch: Stretch, name: str, deaths: list[int]
) -> None:
    calm = MemoryLog(shards=1)
    for record in sorted(log.records(), key=lambda each: each.recorded_us):
        calm.put(record.event, recorded_us=record.recorded_us)
    former = rule(RULES[name].version.rule.id, words=frozenset({"dull"}))
    for each in (log, calm):
        run(each, former, SECOND, stretch=stretch)
    undisturbed = run(calm, RULES[name], stretch=stretch)

    for calls in deaths:
        try:
            run(Dying(log, calls), RULES[name], stretch=stretch)
        except LogUnavailable:
            continue
    told = run(log, RULES[name], stretch=stretch)

    assert (told.raised, told.withdrawn, told.standing) == (undisturbed.raised, undisturbed.withdrawn, undisturbed.standing)
    kinds = {"alert.raised", "alert.withdrawn", "alert.reopened", "rule.reprocessed"}
    assert {e.id for e in facts(log) if e.type in kinds} == {e.id for e in facts(calm) if e.type in kinds}


def test_a_stretch_that_the_log_forgot_in_part_is_refused() -> None:
    log = of(*(said(number, minute(number)) for number in range(20)))
    for shard in log.shards():
        log.forget(shard.id, 3)

    with pytest.raises(HistoryLost, match="later --since"):
        run(log, rule())


class Unwilling(Dying):
    """A log that does not take some facts, or refuses them."""

    def __init__(self, log: MemoryLog, outcomes: Sequence[Outcome]) -> None:
        super().__init__(log, 1000)
        self._outcomes = iter(outcomes)

    def append(self, events: Sequence[Envelope]) -> list[Receipt]:
        outcome = next(self._outcomes, Outcome.ACCEPTED)
        if outcome is Outcome.ACCEPTED:
            return super().append(events)
        return [*super().append(events[:1]), *(Receipt(event.id, outcome, None, "too large") for event in events[1:])]


def test_what_the_log_does_not_take_is_told_again() -> None:
    log = of(said(1, minute(1)), said(2, minute(2)))

    run(Unwilling(log, [Outcome.FAILED, Outcome.FAILED]), rule())

    assert len(facts(log)) == 3


@pytest.mark.parametrize(("outcome", "said_so"), [(Outcome.FAILED, "5 attempts"), (Outcome.REFUSED, "too large")])
def test_what_the_log_never_takes_ends_the_run(outcome: Outcome, said_so: str) -> None:
    log = of(*(said(number, minute(number)) for number in range(9)))

    with pytest.raises(NotTold, match=said_so):
        run(Unwilling(log, [outcome] * 9), rule())


def test_many_facts_are_told_as_they_are_found() -> None:
    log = of(*(said(number, minute(number / 10)) for number in range(1200)))

    with pytest.raises(LogUnavailable):
        run(Dying(log, 600), rule())

    assert len(facts(log, "alert.raised")) >= 500


def test_progress_covers_both_readings_and_cancelling_leaves_what_was_told() -> None:
    log = of(*(said(number, minute(number)) for number in range(10)))
    seen: list[Progress] = []

    run(log, rule(), watch=Watch(seen.append, batch_events=4))

    assert [progress.done for progress in seen] == sorted(progress.done for progress in seen)
    assert seen[-1] == (20, 20)
    with pytest.raises(Cancelled):
        run(log, rule(), SECOND, watch=Watch(cancelled=lambda: True))


def test_faults_are_counted() -> None:
    log = of(said(1, minute(1)), said(2, minute(2), group="b"))

    told = run(log, rule(breaks=lambda document: document["group"] == "b"))

    assert (told.raised, told.faults) == (1, 1)


def test_a_window_under_way_counts_with_its_threshold() -> None:
    log = of(said(1, minute(1)), said(2, minute(2)), said(3, minute(31)))

    run(log, rule(threshold=tumbling(2, 30)), stretch=Stretch(minute(20), minute(40)))

    (body,) = bodies(log, "alert.raised")
    assert body["window"] == {"since_us": minute(0), "until_us": minute(30)}
    assert body["count"] == 2


@pytest.mark.parametrize(("reason", "withdrawn"), [("threw", 1), ("too_slow", 0)])
def test_a_run_that_was_too_slow_withdraws_nothing(reason: str, withdrawn: int) -> None:
    log = MemoryLog(shards=1)
    log.append([said(1, minute(1)), said(2, minute(2))])
    run(log, rule())

    def judge(rules: Any, on_fault: Any) -> Any:
        return plain_judge(rules, lambda fault: on_fault(fault._replace(reason=reason)))

    broken = rule(breaks=lambda _: True)
    told = reprocess(log, broken, Run(SECOND, DAY, "u1"), make_judge=judge)

    assert (told.faults, told.withdrawn) == (2, 2 * withdrawn)
    assert len(facts(log, "alert.withdrawn")) == 2 * withdrawn
