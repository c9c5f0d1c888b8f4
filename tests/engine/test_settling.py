"""What a commit owes is told, whatever comes between: a log that is away, a kill, another engine."""

import pytest

from consumers.rules import alerting
from pipeline.errors import LogUnavailable
from projections.errors import Fenced, StoreUnavailable
from tests.engine.judging_world import MINUTE_US, World, counting, rule, seen
from tests.support.facts import MORNING_US
from tests.support.flaky import FlakyStore


class Mute:
    """A log that takes nothing for a while; it can be read all the same."""

    def __init__(self, world: World) -> None:
        self.append = world.log.append
        self.refused = 0
        world.log.append = self.refuse  # type: ignore[method-assign, assignment]
        self.world = world

    def refuse(self, _: object) -> list[object]:
        self.refused += 1
        message = "nothing can be appended just now"
        raise LogUnavailable(message)

    def speak(self) -> None:
        self.world.log.append = self.append  # type: ignore[method-assign]


def test_a_commit_that_could_not_be_told_is_told_before_the_next(world: World) -> None:
    world.publish(counting(2))
    world.publish(rule("other", what="odd"))
    world.tell(seen(1, what="failed", who="ann"), seen(2, what="failed", who="ann"), seen(3, what="odd"))
    engine = world.start()
    mute = Mute(world)
    assert engine.step() == 3
    with pytest.raises(LogUnavailable):
        engine.step()
    mute.speak()
    world.judge()
    assert sorted(alert["rule_id"] for alert in world.alerts()) == ["other", "sign-ins"]


def test_what_a_killed_engine_had_committed_and_not_told_is_told_by_the_next(world: World) -> None:
    world.publish(counting(2))
    world.publish(rule("other", what="odd"))
    world.tell(seen(1, what="failed", who="ann"), seen(2, what="failed", who="ann"), seen(3, what="odd"))
    mute = Mute(world)
    world.start().step()
    mute.speak()
    assert world.alerts() == []
    world.start().step()
    assert sorted(alert["rule_id"] for alert in world.alerts()) == ["other", "sign-ins"]


def test_what_was_told_stands_in_the_store_no_longer_than_until_the_next_commit(world: World) -> None:
    world.publish(rule())
    world.tell(seen(1, what="failed", subject="s"))
    world.judge()
    world.start().step()
    told = len(world.log.records())
    assert [r.event.type for r in world.log.records()].count("alert.raised") == 2, "it is told again, for nobody knows"
    world.tell(seen(2, what="fine", subject="s"))
    world.judge()
    world.start().step()
    assert len(world.log.records()) == told + 1
    assert len(world.alerts()) == 1


def test_an_engine_that_was_fenced_tells_nothing_of_what_it_did_not_commit(world: World) -> None:
    world.publish(rule())
    former = world.start()
    former.step()
    world.start().step()
    world.tell(seen(1, what="failed"))
    with pytest.raises(Fenced):
        former.step()
    assert world.alerts() == []
    world.judge()
    assert len(world.alerts()) == 1


@pytest.mark.parametrize("calls", range(1, 60, 3))
def test_a_store_that_fails_anywhere_costs_no_alert(world: World, calls: int) -> None:
    left = [calls]

    def broken() -> bool:
        left[0] -= 1
        return left[0] == 0

    world.publish(counting(2))
    world.publish(rule("other", what="odd"))
    world.tell(*(seen(n, what="failed", who=f"w{n // 2}") for n in range(10)), seen(11, what="odd"))
    world.batch_events = 2
    world.start(FlakyStore(world.store, broken))
    for _ in range(40):
        try:
            world.judge()
            break
        except (StoreUnavailable, Fenced):
            world.start(FlakyStore(world.store, broken))
    assert len(world.alerts()) == 6


def test_a_rule_whose_alert_is_known_to_have_been_raised_costs_nothing_more(world: World) -> None:
    world.publish(counting(2, window=60))
    world.tell(*(seen(n, what="failed", who="ann") for n in range(2)))
    world.judge()
    world.tell(*(seen(n, what="failed", who="ann") for n in range(2, 50)))
    world.judge()
    assert [r.event.type for r in world.log.records()].count("alert.raised") == 1


def test_a_finding_that_closes_an_alert_ends_it(world: World) -> None:
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    world.tell(seen(1, what="failed", who="ann"), seen(1, what="failed", who="bob"))
    world.judge()
    world.tell(seen(2, what="fine", who="ann"))
    world.judge()
    [ended] = world.facts("alert.resolved")
    assert ended.causation_id == seen(2, what="fine", who="ann").id
    assert ended.time_us == MORNING_US + 2 * MINUTE_US


def test_a_finding_that_came_before_closes_an_alert_that_is_raised_later(world: World) -> None:
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    world.tell(seen(5, what="fine", who="ann"))
    world.judge()
    world.tell(seen(4, what="failed", who="ann"), seen(6, what="failed", who="ann"))
    world.judge()
    assert [event.data["event_id"] for event in world.facts("alert.resolved")] == [seen(5, what="fine", who="ann").id]


def test_an_alert_that_somebody_closed_is_not_closed_again_unless_it_was_reopened(world: World) -> None:
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    world.tell(seen(1, what="failed", who="ann"))
    world.judge()
    alert_id = world.alerts()[0]["alert_id"]
    world.tell(alerting.withdrawn(alert_id, 1, "", time_us=MORNING_US + 2 * MINUTE_US))
    world.judge()
    world.tell(seen(3, what="fine", who="ann"))
    world.judge()
    assert world.facts("alert.resolved") == []
    world.tell(alerting.reinstated(alert_id, "", time_us=MORNING_US + 4 * MINUTE_US))
    world.judge()
    world.tell(seen(4, at=3, what="fine", who="ann"), seen(5, what="fine", who="ann"))
    world.judge()
    assert [event.data["event_id"] for event in world.facts("alert.resolved")] == [seen(5, what="fine", who="ann").id]


def test_alerts_of_rules_that_nothing_resolves_are_not_remembered(world: World) -> None:
    world.publish(rule())
    world.tell(seen(1, what="failed"))
    world.judge()
    info = world.store.serving()["judging"]
    assert not [key for key, _ in world.store.open(info).all_documents("o")]


@pytest.mark.parametrize("at_once", [True, False])
def test_what_closes_an_alert_between_its_findings_does_so_however_they_come(world: World, *, at_once: bool) -> None:
    world.publish(counting(3, window=60, resolve={"what": "fine"}))
    for minute, what in enumerate(("failed", "failed", "failed", "fine", "failed", "failed"), 1):
        world.tell(seen(minute, what=what, who="ann"))
        if not at_once:
            world.judge()
    world.judge()

    told = [record.event.type for record in world.log.records() if record.event.type.startswith("alert.")]
    assert told == ["alert.raised", "alert.resolved"]


def test_of_more_alerts_than_a_page_holds_the_last_ones_are_closed(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.rules.engine.state.MOST_PAGE_BYTES", 150 + 60 * 5)
    world.publish(rule(group_by=("who",), resolve={"what": "fine"}))
    world.tell(*(seen(n, what="failed", who="ann") for n in range(40)))
    world.judge()
    world.tell(seen(50, what="fine", who="ann"))
    world.judge()

    closed = {event.data["alert_id"] for event in world.facts("alert.resolved")}
    last = [alert["alert_id"] for alert in sorted(world.alerts(), key=lambda alert: alert["reached_us"])][-5:]
    assert set(last) <= closed
    assert len(closed) <= 5 * len(world.log.shards())
    assert len(world.alerts()) == 40, "all are raised"
