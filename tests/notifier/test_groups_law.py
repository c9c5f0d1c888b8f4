"""The laws of deciding about groups, over random histories: as the slow model has it, nothing lost, nothing twice."""

from collections import Counter
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from consumers.notifier.groups.state import Hold, Send
from consumers.notifier.item import Item, Turn
from consumers.notifier.notice import Reason
from consumers.notifier.routing import text
from consumers.notifier.routing.tree import Policies, Routing, Silence
from tests.notifier.deciding import BEGIN_US, SECOND_US, Machine, item, silence
from tests.notifier.slow_model import SlowModel, Told

pytestmark = pytest.mark.long

LAST = 600
"""Seconds in which events come."""
END = LAST + 900
TIMES = """
times: {night: [{times: ["22:14-22:18", "22:21-22:24"]}], day: [{times: ["22:13-22:20", "22:26-24:00"]}]}
inhibit:
  - {when: [severity=CRITICAL], mute: [severity<CRITICAL], equal: [account]}
  - {when: [subject=a|b], mute: [subject=b|c]}
"""
ROUTINGS = [
    "routes: {channel: ops, group_wait: 10s, group_interval: 60s, repeat_interval: 5m}",
    "routes: {channel: ops, group_wait: 5s, group_interval: 20s, send_resolved: false}",
    "routes: {channel: ops, group_wait: 5s, group_interval: 40s, repeat_interval: 2m, group_by: [account, severity]}" + TIMES,
    """
routes:
  channel: ops
  group_by: [account]
  group_wait: 20s
  group_interval: 45s
  repeat_interval: 3m
  critical_wait: 7s
  routes:
    - {name: one, matchers: [severity>=HIGH], continue: true, mute: [night]}
    - {name: two, matchers: [account=1], group_by: ["..."], send_resolved: false, group_wait: 0s, critical_wait: never}
    - name: three
      matchers: [subject=a|c|n*]
      active: [day]
      routes: [{name: four, matchers: [severity=LOW], channel: ""}]
"""
    + TIMES,
]


VERSIONS = [*map(text.read, ROUTINGS), text.read("routes: {}")]


class History(NamedTuple):
    """Events by the second at which they come, the policies, and with which of these batches a process dies."""

    policies: Policies
    batches: list[tuple[int, list[Item]]]
    dies: list[bool]


@st.composite
def items(draw: st.DrawFn, number: int, second: int) -> Item:
    turn = draw(st.sampled_from([Turn.FIRING, Turn.FIRING, Turn.RESOLVED, Turn.RESOLVED, Turn.ACKNOWLEDGED, Turn.MOMENT]))
    name = f"n{number}" if turn is Turn.MOMENT else draw(st.sampled_from("abcd"))
    late = draw(st.sampled_from([0, 0, 0, 0, 1, 40]))
    fields = {
        "account": draw(st.sampled_from("12")),
        "severity": draw(st.sampled_from(["LOW", "HIGH", "HIGH", "CRITICAL"])),
    }
    return item(name, turn, BEGIN_US + max(0, second - late) * SECOND_US, number, fields)


@st.composite
def silences(draw: st.DrawFn) -> Silence:
    since = draw(st.integers(0, LAST))
    matcher = draw(st.sampled_from(["subject=a", "subject=n*", "severity=HIGH", "account=2", "severity>=LOW"]))
    return silence(matcher, since, since + draw(st.integers(1, 300)))


@st.composite
def histories(draw: st.DrawFn) -> History:
    seconds = sorted(draw(st.lists(st.integers(0, LAST), min_size=1, max_size=20, unique=True)))
    number, batches, earlier = 0, [], list[Item]()
    for second in seconds:
        batch = []
        for _ in range(draw(st.integers(1, 3))):
            number += 1
            repeated = earlier and draw(st.integers(0, 9)) == 0
            batch.append(draw(st.sampled_from(earlier)) if repeated else draw(items(number, second)))
        earlier += batch
        batches.append((second, batch))
    given = Policies(draw(st.sampled_from(VERSIONS[:-1])), tuple(draw(st.lists(silences(), max_size=3))))
    return History(given, batches, draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches))))


def run(history: History) -> Machine:
    """The machine, killed before some commits, and started anew after some."""
    machine = Machine(history.policies)
    for (second, batch), dies in zip(history.batches, history.dies, strict=True):
        machine.until(second - 1)
        machine.second = second
        if dies:
            machine.batch(batch)
            machine.restart()
        machine.take(*batch)
        if dies:
            machine.restart()
    machine.until(END)
    return machine


def modelled(history: History) -> SlowModel:
    model = SlowModel(history.policies)
    for second, batch in history.batches:
        model.until(second, batch)
    model.until(END, [])
    return model


def sent(machine: Machine) -> list[Told]:
    found = [(second, send) for second, send in machine.outcomes if isinstance(send, Send)]
    return [(second, send.key.route, send.reason, tuple(sorted(cause.event_id for cause in send.news))) for second, send in found]


def held(machine: Machine) -> list[Told]:
    found = [(second, hold) for second, hold in machine.outcomes if isinstance(hold, Hold)]
    return [(second, hold.key.route, hold.reason, (cause.event_id,)) for second, hold in found for cause in hold.causes]


def named_by(machine: Machine) -> set[str]:
    return {event_id for _, _, _, events in (*sent(machine), *held(machine)) for event_id in events}


def wanted_of(routing: Routing, batch: list[Item]) -> set[str]:
    return {one.cause.event_id for one in batch if any(route.channel for route in routing.deciding(one.fields))}


@given(histories())
def test_what_is_decided_is_what_the_slow_model_decides_whatever_restarts(history: History) -> None:
    machine, model = run(history), modelled(history)

    assert sorted(sent(machine)) == sorted(model.sent)
    assert sorted(held(machine)) == sorted(model.held)


@given(histories())
def test_every_event_that_is_wanted_is_told_or_held_and_a_moment_told_once_a_route(history: History) -> None:
    machine = run(history)

    every = {one.cause.event_id: one for _, batch in history.batches for one in batch}
    assert wanted_of(history.policies.routing, list(every.values())) - named_by(machine) == set()
    told = [(route, event_id) for _, route, _, events in sent(machine) for event_id in events]
    moments = Counter(pair for pair in told if every[pair[1]].turn is Turn.MOMENT)
    assert [moment for moment, times in moments.items() if times > 1] == []
    keys = [(outcome.key, outcome.flush) for _, outcome in machine.outcomes]
    assert len(set(keys)) == len(keys)


@given(histories(), st.lists(st.integers(0, len(ROUTINGS)), min_size=20, max_size=20))
def test_nothing_is_lost_when_the_routing_changes_under_way(history: History, chosen: list[int]) -> None:
    machine = Machine(history.policies)
    wanted, seen = set[str](), set[str]()
    for (second, batch), number in zip(history.batches, chosen, strict=False):
        machine.until(second - 1)
        machine.second, machine.policies = second, Policies(VERSIONS[number], history.policies.silences)
        machine.take(*batch)
        wanted |= wanted_of(VERSIONS[number], batch) - seen
        seen |= {one.cause.event_id for one in batch}
    machine.until(END + 7200)

    assert wanted - named_by(machine) == set()


def test_reasons_of_many_kinds_come_up_in_these_histories() -> None:
    seen: set[str] = set()

    @given(histories())
    @settings(max_examples=50, database=None, derandomize=True)
    def look(history: History) -> None:
        machine = run(history)
        seen.update(reason for _, _, reason, _ in (*sent(machine), *held(machine)))

    look()

    assert seen >= {
        *(Reason.NEWLY_FIRING, Reason.ALL_RESOLVED, Reason.REPEATED, Reason.INHIBITED, Reason.OUT_OF_HOURS),
        *(Reason.SILENCED, Reason.ALREADY_TOLD, Reason.RESOLVED_UNTOLD, Reason.NOT_FIRING),
    }
