"""When a lane learns of a version does not matter: it judges each finding once, and those only that are its own."""

from contextlib import closing
from dataclasses import replace

import pytest

from consumers.rules.engine.engine import begin
from consumers.rules.engine.errors import BookBehind
from consumers.rules.rule import AHEAD_US
from projections.errors import Fenced, StoreUnavailable
from projections.stores.port import Commit
from tests.engine.judging_world import MINUTE_US, World, counting, rule, seen
from tests.support.facts import MORNING_US
from tests.support.flaky import FlakyStore


def test_a_version_that_is_learned_of_late_judges_what_was_folded_meanwhile(world: World) -> None:
    world.tell(*(seen(n, what="failed", who="ann") for n in range(6)))
    world.judge()
    assert world.alerts() == []
    world.publish(counting(4, late_us=60 * MINUTE_US), since_us=MORNING_US + 2 * MINUTE_US)
    world.judge()
    [alert] = world.alerts()
    assert (alert["count"], alert["event_ids"][0]) == (4, seen(2, what="failed", who="ann").id)


def test_what_was_folded_before_and_what_comes_after_add_up(world: World) -> None:
    world.tell(seen(1, what="failed", who="ann"), seen(1, what="failed", who="ann"))
    world.judge()
    world.publish(counting(2))
    world.judge()
    assert world.alerts() == []
    world.tell(seen(2, what="failed", who="ann"))
    world.judge()
    assert [alert["count"] for alert in world.alerts()] == [2]


def test_a_repeat_on_another_shard_is_not_counted_while_catching_up(world: World) -> None:
    told = seen(1, what="failed", who="ann", subject="s")
    for shard in world.log.shards():
        world.log.put(told, shard=shard.id)
    world.judge()
    world.publish(counting(2))
    world.judge()
    assert world.alerts() == []
    world.tell(seen(2, what="failed", who="ann", subject="s"))
    world.judge()
    assert [alert["count"] for alert in world.alerts()] == [2]


def test_what_was_recorded_long_before_the_publication_is_not_judged(world: World) -> None:
    since = MORNING_US + 60 * MINUTE_US
    early, in_time = seen(61, what="failed", who="ann"), seen(62, what="failed", who="bob")
    world.log.put(early, recorded_us=since - AHEAD_US - 1)
    world.log.put(in_time, recorded_us=since - AHEAD_US)
    world.judge()
    world.publish(rule(), since_us=since)
    world.judge()
    assert [alert["event_ids"] for alert in world.alerts()] == [[in_time.id]]


def test_an_engine_begins_where_the_log_ends_and_goes_on_there(world: World) -> None:
    world.tell(*(seen(n, what="failed") for n in range(4)))
    begin(world.log, world.store, token="supervisor")
    heads = dict(world.log.heads())
    world.tell(seen(5, what="failed"))
    begin(world.log, world.store, token="supervisor again")
    with closing(world.store.open(world.store.serving()["judging"])) as rows:
        assert rows.checkpoints() == heads
    world.publish(rule(), since_us=MORNING_US + 5 * MINUTE_US)
    world.judge()
    assert len(world.alerts()) == 1


def test_versions_that_were_in_force_before_the_first_start_are_caught_up_with(world: World) -> None:
    world.publish(rule(), since_us=MORNING_US + 2 * MINUTE_US)
    world.tell(*(seen(n, what="failed") for n in range(4)))
    begin(world.log, world.store, token="supervisor")
    world.judge()
    assert len(world.alerts()) == 2


def test_an_old_answer_about_the_rules_is_waited_out(world: World) -> None:
    world.publish(rule())
    world.judge()
    known = list(world.versions)
    world.versions.clear()
    world.tell(seen(1, what="failed"))
    with pytest.raises(BookBehind, match="version 1 of rule sign-ins"):
        world.start().step()
    world.versions += known
    world.judge()
    assert len(world.alerts()) == 1


def test_a_shard_that_comes_later_takes_up_what_there_is(world: World) -> None:
    world.publish(counting(3))
    told = [seen(n, what="failed", who="ann") for n in range(3)]
    world.tell(told[0])
    world.judge()
    world.log.split(world.log.shard_of(told[0].subject))
    world.tell(*told[1:])
    world.judge()
    assert [alert["count"] for alert in world.alerts()] == [3]


@pytest.mark.parametrize("calls", range(1, 40, 2))
def test_a_take_over_in_the_middle_of_catching_up_counts_nothing_twice(world: World, calls: int) -> None:
    left = [0]

    def broken() -> bool:
        left[0] -= 1
        return left[0] == 0

    world.tell(*(seen(n, what="failed", who=f"w{n % 3}") for n in range(9)), seen(0, what="failed", who="w0"))
    world.judge()
    world.publish(counting(3))
    world.publish(counting(4))
    left[0] = calls
    store = FlakyStore(world.store, broken, lambda commit: len(commit.changes.documents) > 4)
    world.start(store)
    for _ in range(20):
        try:
            world.judge()
            break
        except (StoreUnavailable, Fenced):
            world.start(store)
    assert sorted(alert["count"] for alert in world.alerts()) == [3, 3, 3]
    assert {alert["rule_version"] for alert in world.alerts()} == {1}


def test_what_is_too_much_by_itself_is_left_out_and_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.tell(seen(1, what="failed", who="ann"), seen(2, what="failed"))
    world.judge()
    world.publish(counting(3))
    world.publish(rule("single"))
    world.start(FlakyStore(world.store, lambda: False, _has_windows))
    world.judge()
    assert len(world.alerts()) == 1, "the other finding is judged"
    assert "is not judged by version 1 of rule sign-ins, version 1 of rule single" in caplog.text


def test_a_poison_finding_does_not_stop_the_catching_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    poison = replace(seen(2, subject="s"), body=b"{not json")
    world.tell(seen(1, what="failed", subject="s"), poison, seen(3, what="failed", subject="s"))
    world.judge()
    world.publish(rule())
    world.judge()
    assert len(world.alerts()) == 2
    assert f"{poison.id}, at " in caplog.text


def _has_windows(commit: Commit) -> bool:
    return any(key.startswith("w//") for key in commit.changes.documents)


def test_catching_up_reads_on_to_where_the_shard_was_folded(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.rules.engine.taking_up._READ_EVENTS", 2)
    world.tell(*(seen(n, what="fine" if n < 5 else "failed", subject="s") for n in range(7)))
    world.judge()
    world.publish(rule())
    world.judge()
    assert len(world.alerts()) == 2


def test_what_the_log_holds_no_more_is_not_caught_up_with(world: World) -> None:
    world.tell(*(seen(n, what="failed", subject="s") for n in range(3)))
    world.judge()
    world.log.forget(world.log.shard_of("s"), 3)
    world.publish(rule())
    world.judge()
    assert world.alerts() == []
