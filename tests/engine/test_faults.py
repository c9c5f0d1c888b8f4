"""A version that fails again and again is switched off, once, and stops nothing."""

import pytest

from consumers.rules.engine.book import Book
from consumers.rules.engine.faults import MOST, Faults
from consumers.rules.matching import Fault
from consumers.rules.rule import Version
from pipeline.errors import LogUnavailable
from pipeline.log.port import Outcome, Receipt
from projections.errors import StoreUnavailable
from schemas.registry import REGISTRY
from tests.engine.judging_world import HandMade, World, compiled, make_judge, rule, seen
from tests.support.facts import MORNING_US
from tests.support.flaky import FlakyStore


def test_a_version_that_throws_too_often_is_switched_off_and_told_once(world: World) -> None:
    world.now_us = MORNING_US + 3_600_000_000
    version = world.publish(rule())
    world.publish(rule("other", what="odd"))
    world.tell(*(seen(n, throws="sign-ins") for n in range(MOST["threw"])), seen(50, what="odd"))
    world.judge()
    [fact] = world.facts("rule.switched_off")
    REGISTRY.check(fact)
    assert (fact.data["rule_id"], fact.data["version"], fact.data["reason"]) == (version.rule.id, 1, "threw")
    assert (fact.severity, fact.time_us, fact.subject) == (3, world.now_us, "rule/sign-ins")
    assert [alert["rule_id"] for alert in world.alerts()] == ["other"]
    world.tell(seen(61, what="failed"), seen(59, what="failed"))
    world.judge()
    assert [alert["event_ids"] for alert in world.alerts() if alert["rule_id"] == "sign-ins"] == [[seen(59, what="failed").id]], (
        "of what happened before it was switched off, it is in force"
    )
    assert len(world.facts("rule.switched_off")) == 1


def test_a_version_that_throws_seldom_stays(world: World) -> None:
    world.publish(rule())
    world.tell(*(seen(n, throws="sign-ins") for n in range(MOST["threw"] - 1)))
    world.judge()
    assert world.facts("rule.switched_off") == []


def test_throws_fade_with_the_hours(world: World) -> None:
    world.publish(rule())
    world.tell(*(seen(n, at=n * 7, throws="sign-ins") for n in range(30)))
    world.judge()
    assert world.facts("rule.switched_off") == [], "nine an hour"


@pytest.mark.parametrize("order", [1, -1])
def test_throws_within_an_hour_count_in_whatever_order_they_come(order: int) -> None:
    faults = Faults()
    made = HandMade(Version(rule(), 1))
    far_apart = [number * 3600 for number in range(9)]
    for second in [*far_apart, *range(100_000, 103_600, 400)][::order]:
        faults.take(Fault(made, f"{second}-x", "threw", "x"))
        assert not faults.switch_off(5), "nine of an hour, and others"
    faults.take(Fault(made, "100001-x", "threw", "x"))
    assert faults.switch_off(7)


def test_only_the_last_hundred_are_remembered() -> None:
    faults = Faults()
    made = HandMade(Version(rule(), 1))
    for second in [*range(9), *range(10_000, 1_000_000, 9_000), 9]:
        faults.take(Fault(made, f"{second}-x", "threw", "x"))
    assert not faults.switch_off(5)


def test_a_finding_that_is_judged_again_and_again_counts_once(world: World) -> None:
    outage = [False]
    world.publish(rule())
    engine = world.start(FlakyStore(world.store, lambda: False, lambda _: outage[0] and _no_store()))
    world.judge()
    world.tell(seen(1, throws="sign-ins"), seen(2, what="failed"))
    outage[0] = True
    for _ in range(MOST["threw"] + 1):
        with pytest.raises(StoreUnavailable):
            engine.step()
    outage[0] = False
    world.judge()
    assert world.facts("rule.switched_off") == []
    assert len(world.alerts()) == 1


def _no_store() -> bool:
    message = "the store is away"
    raise StoreUnavailable(message)


def test_slowness_counts_by_itself() -> None:
    faults = Faults()
    made = HandMade(Version(rule(), 1))
    for number in range(MOST["too_slow"]):
        faults.take(Fault(made, f"{number}-x", "threw", "x"))
        assert not faults.switch_off(5)
        faults.take(Fault(made, f"{number}-x", "too_slow", "80 ms"))
    assert faults.switch_off(7)
    assert not faults.switch_off(9)
    [fact] = faults.untold
    assert (fact.data["reason"], fact.time_us) == ("too_slow", 7)
    assert faults.ended(Version(rule(), 1)).until_us == 7
    assert faults.ended(Version(rule(), 1, 0, 3)).until_us == 3
    faults.take(Fault(made, "9-x", "too_slow", "80 ms"))
    assert not faults.switch_off(11)


def test_what_the_log_does_not_take_is_told_later(world: World) -> None:
    world.publish(rule())
    world.tell(*(seen(n, throws="sign-ins") for n in range(MOST["threw"])))
    append = world.log.append
    world.log.append = lambda events: [Receipt(e.id, Outcome.FAILED, None, "no") for e in events]  # type: ignore[method-assign]
    engine = world.start()
    engine.step()
    with pytest.raises(LogUnavailable):
        engine.step()
    world.log.append = append  # type: ignore[method-assign]
    world.judge()
    assert len(world.facts("rule.switched_off")) == 1


def test_a_version_that_cannot_be_compiled_here_is_left_out(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.publish(rule())
    world.versions.append(Version(rule("broken"), 1))
    world.versions[-1].rule.match.pop("what")  # type: ignore[attr-defined]
    world.tell(seen(1, what="failed"))
    world.judge()
    world.judge()
    assert len(world.alerts()) == 1
    assert "rule broken, version 1, cannot be judged by" in caplog.text


def test_a_book_asks_again_only_when_it_is_time() -> None:
    asked = []
    now = [0]

    def versions() -> list[Version]:
        asked.append(now[0])
        return [Version(rule(), 1)]

    book = Book(versions, compiled, make_judge, clock=lambda: now[0], refresh_us=10)
    assert book.refresh()
    assert not book.refresh()
    now[0] = 9
    assert not book.refresh()
    now[0] = 10
    assert not book.refresh()
    assert not book.refresh(now=True)
    assert asked == [0, 10, 10]
