from dataclasses import replace

import pytest

from consumers.rules.rule import Rule
from schemas.registry import REGISTRY
from tests.engine.judging_world import MINUTE_US, World, counting, rule, seen
from tests.support.facts import MORNING_US


def test_a_match_rule_raises_an_alert_from_each_finding_that_it_matches(world: World) -> None:
    world.publish(rule(labels={"who": "x"}))
    world.tell(seen(1, what="failed", who="ann"), seen(2, what="fine"), seen(3, what="failed", who="bob"))
    world.judge()
    assert [(alert["title"], alert["count"], alert["group"]) for alert in world.alerts()] == [
        ("Sign-ins: ann", 1, {}),
        ("Sign-ins: bob", 1, {}),
    ]
    first = world.facts("alert.raised")[0]
    REGISTRY.check(first)
    assert (first.severity, first.account, first.time_us) == (3, "111122223333", MORNING_US + MINUTE_US)
    assert first.causation_id == seen(1, what="failed", who="ann").id


def test_a_threshold_is_reached_by_findings_of_all_shards_together(world: World) -> None:
    world.publish(counting(3))
    told = [seen(n, what="failed", who="ann") for n in range(3)]
    assert len({world.log.shard_of(event.subject) for event in told}) > 1, "the test is about several shards"
    world.tell(*told[:2], seen(9, what="failed", who="bob"))
    world.judge()
    assert world.alerts() == []
    world.tell(told[2])
    world.judge()
    [alert] = world.alerts()
    assert (alert["count"], alert["group"], alert["event_ids"]) == (3, {"who": "ann"}, [event.id for event in told])
    assert alert["window"] == {"since_us": MORNING_US, "until_us": MORNING_US + 10 * MINUTE_US}
    assert alert["last_us"] == MORNING_US + 2 * MINUTE_US
    REGISTRY.check(world.facts("alert.raised")[0])


def test_findings_of_two_windows_do_not_add_up(world: World) -> None:
    world.publish(counting(2, window=10))
    world.tell(seen(9, what="failed", who="ann"), seen(10, what="failed", who="ann"))
    world.judge()
    assert world.alerts() == []


def test_a_finding_counts_in_every_window_that_holds_it(world: World) -> None:
    world.publish(counting(2, window=10, hop=5))
    world.tell(seen(9, what="failed", who="ann"), seen(10, what="failed", who="ann"))
    world.judge()
    assert [alert["window"]["since_us"] for alert in world.alerts()] == [MORNING_US + 5 * MINUTE_US]


def test_distinct_values_are_counted_once_over_all_shards(world: World) -> None:
    world.publish(counting(3, distinct="name"))
    world.tell(*(seen(n, what="failed", name=f"n{n % 2}", who="ann") for n in range(8)))
    world.judge()
    assert world.alerts() == []
    world.tell(seen(8, what="failed", name="n2", who="ann"))
    world.judge()
    assert [(alert["count"], len(alert["event_ids"])) for alert in world.alerts()] == [(3, 9)]


def test_what_lacks_the_group_or_the_value_counts_nowhere(world: World) -> None:
    world.publish(counting(1, distinct="name"))
    world.tell(seen(1, what="failed", name="n"), seen(2, what="failed", who="ann"))
    world.judge()
    assert world.alerts() == []


def test_what_is_recorded_too_late_counts_towards_no_threshold(world: World) -> None:
    world.publish(counting(1, late_us=5 * MINUTE_US))
    at = MORNING_US + 2 * MINUTE_US
    world.log.put(seen(1, at=2, what="failed", who="ann"), recorded_us=at + 5 * MINUTE_US + 1)
    world.judge()
    assert world.alerts() == []
    world.log.put(seen(2, at=2, what="failed", who="bob"), recorded_us=at + 5 * MINUTE_US)
    world.judge()
    assert [alert["group"] for alert in world.alerts()] == [{"who": "bob"}]


def test_a_finding_that_is_told_again_counts_once(world: World) -> None:
    world.publish(counting(2))
    world.tell(*[seen(1, what="failed", who="ann")] * 3)
    world.judge()
    world.tell(seen(1, what="failed", who="ann"))
    world.judge()
    assert world.alerts() == []


def test_an_alert_names_the_account_only_if_all_its_findings_are_of_one(world: World) -> None:
    world.publish(counting(2))
    world.tell(*(seen(n, what="failed", account="1" * 12, who="ann") for n in range(2)))
    world.tell(*(seen(n, what="failed", account=str(n) * 12, who="bob") for n in range(2, 4)))
    world.judge()
    assert [event.account for event in world.facts("alert.raised")].count("1" * 12) == 1
    assert [event.account for event in world.facts("alert.raised")].count("") == 1


def test_an_alert_names_a_hundred_findings_at_most_and_counts_all(world: World) -> None:
    world.publish(counting(150, window=1000))
    told = [seen(n, what="failed", who="ann") for n in range(150)]
    world.tell(*told)
    world.judge()
    [alert] = world.alerts()
    assert (alert["count"], alert["event_ids"]) == (150, [event.id for event in told[:100]])


def test_each_version_counts_what_happened_while_it_was_in_force(world: World) -> None:
    change = MORNING_US + 5 * MINUTE_US
    world.publish(counting(2), until_us=change)
    world.publish(counting(2), since_us=change)
    world.tell(seen(4, what="failed", who="ann"), seen(5, what="failed", who="ann"))
    world.judge()
    assert world.alerts() == []
    world.tell(seen(6, what="failed", who="ann"), seen(3, what="failed", who="bob"), seen(7, what="fine"))
    world.tell(seen(2, what="failed", who="bob"))
    world.judge()
    assert sorted((alert["rule_version"], alert["group"]["who"]) for alert in world.alerts()) == [(1, "bob"), (2, "ann")]


def test_rules_do_not_read_what_rules_conclude(world: World) -> None:
    world.publish(rule())
    world.tell(seen(1, what="failed"))
    world.judge()
    raised = len(world.log.records())
    world.judge()
    assert len(world.log.records()) == raised


def test_a_poison_finding_waits_and_the_others_are_judged(world: World) -> None:
    world.publish(rule())
    world.tell(
        seen(1, what="failed", subject="s"), replace(seen(2, subject="s"), body=b"{not json"), seen(3, what="failed", subject="s")
    )
    world.judge()
    assert len(world.alerts()) == 2


def test_a_rule_that_fails_on_a_finding_does_not_match_it(world: World) -> None:
    world.publish(counting(1))
    world.tell(seen(1, throws="sign-ins"), seen(2, what="failed", who="ann", ungrouped=True), seen(3, what="failed", who="ann"))
    world.judge()
    assert [alert["event_ids"] for alert in world.alerts()] == [[seen(3, what="failed", who="ann").id]]


@pytest.mark.parametrize("of", [rule(), counting(1, group_by=())], ids=["match", "threshold"])
def test_a_rule_that_finds_no_words_raises_its_alert_all_the_same(world: World, of: Rule) -> None:
    world.publish(of)
    world.publish(rule("other"))
    world.tell(seen(1, what="failed", untitled=True))
    world.judge()
    assert sorted(alert["title"] for alert in world.alerts()) == ["other", "sign-ins"]
