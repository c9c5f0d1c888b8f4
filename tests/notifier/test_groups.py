"""Groups in detail: what a message holds, bounds, what is moved, remembered and forgotten, and the memory itself."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.notifier.groups import look, step
from consumers.notifier.groups.kept import Kept, Overlay
from consumers.notifier.groups.naming import key_of
from consumers.notifier.groups.state import MOST_NEWS, MOST_STILL, WATCHED, Change, Group, GroupKey, Hold, Member, Send, World
from consumers.notifier.item import Item, Turn
from consumers.notifier.notice import Cause, Key, Reason
from consumers.notifier.routing.tree import Policies, Route
from pipeline.log.port import Position
from tests.notifier.deciding import BEGIN_US, SECOND_US, Machine, groups_of, in_words, item, policies, script, told

DAY = 86_400
QUICK = "routes: {channel: ops, group_wait: 10s, group_interval: 60s, repeat_interval: 10m}"


def machine(routing: str = QUICK) -> Machine:
    return Machine(policies(routing))


def many(count: int, turn: Turn = Turn.MOMENT, severity: str = "HIGH") -> list[Item]:
    return [item(f"m{number:05}", turn, BEGIN_US, number, {"severity": severity}) for number in range(count)]


def sends(here: Machine) -> list[Send]:
    return [outcome for _, outcome in here.outcomes if isinstance(outcome, Send)]


def holds(here: Machine) -> list[Hold]:
    return [outcome for _, outcome in here.outcomes if isinstance(outcome, Hold)]


def words(here: Machine) -> list[str]:
    return [in_words(at, outcome) for at, outcome in here.outcomes]


def test_many_are_told_at_once_in_several_messages_the_worst_first() -> None:
    here = machine()
    here.take(*many(2 * MOST_NEWS + 1), *[item("bad", Turn.FIRING, BEGIN_US, 9999, {"severity": "CRITICAL"})])

    assert [(len(send.news), send.firing, send.resolved) for send in sends(here)] == [(500, 500, 0), (500, 500, 0), (2, 2, 0)]
    assert sends(here)[0].news[0].resource == "bad"
    assert [send.flush - BEGIN_US // 1000 for send in sends(here)] == [0, 1, 2]


def test_an_event_from_the_far_future_keeps_no_end_and_no_news_from_being_told() -> None:
    lines = "0 disk fires at=90000000; 100 disk ends; 200 disk fires"

    assert told(policies(QUICK), lines, 300) == ["10 newly_firing disk", "130 all_resolved -disk", "210 newly_firing disk"]


def test_less_than_many_wait_for_the_group() -> None:
    here = machine()
    here.take(*many(MOST_NEWS - 1))

    assert here.outcomes == []
    here.take(*many(MOST_NEWS))
    assert len(sends(here)) == 1


def test_what_is_over_comes_last_and_is_counted_apart() -> None:
    here = machine()
    here.run(script("0 a fires; 1 b fires severity=LOW; 2 c fires; 20 c ends severity=CRITICAL; 21 d happens severity=LOW"), 100)

    first, second = sends(here)
    assert (first.firing, first.resolved, second.firing, second.resolved) == (3, 0, 3, 1)
    assert words(here)[1] == "70 newly_firing d -c still a b"


def test_a_message_names_some_of_what_fires_on_and_counts_all() -> None:
    here = machine()
    here.take(*many(MOST_STILL + 5, Turn.FIRING))
    here.until(20)
    here.take(*many(1))
    here.until(100)
    here.take(*[item("last", Turn.MOMENT, BEGIN_US, 9999, {})])
    here.until(800)

    newest = sends(here)[1]
    assert (len(newest.still), newest.firing) == (MOST_STILL, MOST_STILL + 6)
    repeated = sends(here)[-1]
    assert (repeated.reason, len(repeated.news), repeated.still) == (Reason.REPEATED, MOST_STILL, ())
    assert repeated.firing == MOST_STILL + 5


def test_only_the_first_of_several_messages_names_what_fires_on() -> None:
    here = machine()
    here.take(item("old", Turn.FIRING, BEGIN_US, 9999, {}))
    here.until(20)
    here.take(*many(MOST_NEWS + 1))

    assert [len(send.still) for send in sends(here)] == [0, 1, 0]
    assert [send.firing for send in sends(here)] == [1, MOST_NEWS + 1, 2]


def test_a_hold_of_many_comes_in_parts() -> None:
    here = Machine(policies("routes: {channel: ops, mute: [always]}\ntimes: {always: [{}]}"))
    here.take(*many(MOST_NEWS + 1))

    assert [(len(hold.causes), hold.reason, hold.detail) for hold in holds(here)] == [
        (500, Reason.OUT_OF_HOURS, "muted in always"),
        (1, Reason.OUT_OF_HOURS, "muted in always"),
    ]
    assert len({hold.flush for hold in holds(here)}) == 2


def test_a_hold_says_what_it_comes_from() -> None:
    rules = QUICK + "\ninhibit: [{when: [severity=CRITICAL], mute: [severity=LOW]}]"
    here = Machine(policies(rules))
    here.run(script("0 a fires severity=CRITICAL; 1 b happens severity=LOW; 2 a fires severity=CRITICAL"), 100)

    assert [(hold.reason, hold.detail) for hold in holds(here)] == [
        (Reason.ALREADY_TOLD, "told at 2023-11-14T22:13:20.000000Z"),
        (Reason.INHIBITED, "while a fires"),
    ]


def test_a_thing_does_not_inhibit_itself_and_is_inhibited_by_any_other() -> None:
    given_rules = QUICK + "\ninhibit: [{when: [subject=a|b], mute: [account=1]}]"

    assert told(policies(given_rules), "0 a fires account=1", 20) == ["10 newly_firing a"]
    assert told(policies(given_rules), "0 a fires account=1; 1 b fires", 20) == ["10 held inhibited a", "10 newly_firing b"]


def test_a_thing_is_in_one_group_of_a_route_the_last_one_that_it_belonged_to() -> None:
    rules = "routes: {channel: ops, group_by: [severity], group_wait: 10s, repeat_interval: 300s}"

    assert told(policies(rules), "0 a fires severity=HIGH; 20 a fires severity=LOW; 50 a ends", 900) == [
        *("10 newly_firing a", "30 newly_firing a", "330 all_resolved -a"),
    ]


def test_a_thing_does_not_inhibit_itself_as_another_route_has_it() -> None:
    rules = """
routes:
  routes:
    - {name: one, matchers: [account=1], channel: ops, group_wait: 10s}
    - {name: two, matchers: [account=2], channel: ops, group_wait: 10s}
inhibit: [{when: [severity=HIGH], mute: [severity=LOW]}]"""

    assert told(policies(rules), "0 a fires account=1; 1 a fires account=2 severity=LOW", 20) == [
        *("10 newly_firing a", "11 newly_firing a"),
    ]
    assert told(policies(rules), "0 a fires account=1; 1 a fires account=2 severity=LOW; 2 b fires account=1", 20) == [
        *("10 newly_firing a b", "11 held inhibited a"),
    ]


def test_what_comes_about_something_that_nobody_is_told_of_leaves_no_trace_unless_a_route_wants_it() -> None:
    given_routes = policies("routes: {routes: [{name: bad, channel: ops, group_wait: 10s, matchers: [severity>=HIGH]}]}")

    assert told(given_routes, "0 a fires severity=LOW; 1 a acked severity=LOW; 2 a ends severity=LOW", 20) == []
    assert told(given_routes, "0 a fires severity=LOW; 1 a acked", 20) == ["1 held not_firing a"]
    assert told(given_routes, "5 a fires; 6 a fires severity=LOW at=3", 20) == ["15 newly_firing a"]


def test_a_hold_is_told_once_a_reason_and_anew_for_another_event() -> None:
    rules = "routes: {channel: ops, group_wait: 10s, group_interval: 60s, mute: [day]}\ntimes: {day: [{times: ['22:13-22:16']}]}"
    rules += "\ninhibit: [{when: [subject=i], mute: [subject=a]}]"
    here = Machine(policies(rules))
    here.run(script("0 a fires; 20 i fires; 80 a fires; 100 i ends"), 200)

    assert words(here) == [
        *["10 held out_of_hours a", "70 held inhibited a", "70 held out_of_hours i"],
        *["100 held resolved_untold i -i", "130 held out_of_hours a", "190 newly_firing a"],
    ]


def test_what_waits_or_fires_goes_to_where_a_new_routing_has_it() -> None:
    here = machine("routes: {routes: [{name: one, channel: ops, group_wait: 10s, group_interval: 60s}]}")
    here.run(script("0 a fires; 20 b happens; 21 c fires; 22 c acked"), 30)
    here.policies = policies("routes: {routes: [{name: two, channel: other, group_wait: 5s, matchers: [subject=a|b]}]}")
    here.until(200)

    assert words(here) == ["10 newly_firing a", "22 held already_told c", "70 held route_removed c", "75 newly_firing b a"]
    assert sends(here)[-1].channel == "other"
    assert [member.fingerprint for member in here.kept.members(WATCHED).values()] == ["c"]
    lost = holds(here)[-1]
    assert (lost.channel, lost.path, lost.key.route) == ("", ("one",), "one")


def test_what_fires_in_the_new_group_already_is_not_told_there_again() -> None:
    here = machine("routes: {routes: [{name: one, channel: ops, group_wait: 10s, continue: true}, {name: two, channel: ops}]}")
    here.run(script("0 a fires"), 40)
    here.policies = policies("routes: {routes: [{name: one, channel: ''}, {name: two, channel: ops, matchers: [severity=LOW]}]}")
    here.until(1000)
    here.policies = policies("routes: {routes: [{name: two, channel: ops}]}")
    here.until(8000)

    assert words(here)[:2] == ["10 newly_firing a", "30 newly_firing a"]
    assert [line for line in words(here)[2:] if "repeated" not in line] == []


def test_the_end_of_what_was_told_by_a_route_that_is_no_more() -> None:
    here = machine("routes: {routes: [{name: one, channel: ops, group_wait: 10s, group_interval: 60s}]}")
    here.run(script("0 a fires"), 15)
    here.policies = policies("routes: {}")
    here.run(script("20 a ends"), 4000)

    assert words(here) == ["10 newly_firing a", "3610 held route_removed -a"]


def test_what_was_told_and_has_no_route_any_more_is_forgotten_without_a_word_but_its_end_is_not() -> None:
    here = machine()
    here.run(script("0 a fires; 1 b fires; 20 b ends"), 25)
    here.policies = policies("routes: {}")
    here.until(4000)

    assert words(here) == ["10 newly_firing a b", "70 held route_removed -b"]
    assert list(here.kept.holding("a")) == [WATCHED]


def test_an_alert_that_is_reopened_is_told_as_it_was_raised() -> None:
    here = machine("routes: {routes: [{name: bad, channel: ops, matchers: [severity>=HIGH, rule=r], group_wait: 10s}]}")
    here.run(script("0 alert/1 fires rule=r severity=CRITICAL resource=alert/1; 30 alert/1 ends severity=UNKNOWN"), 400)
    here.take(item("alert/1", Turn.FIRING, BEGIN_US + 400 * SECOND_US, 7, {"type": "alert.reopened", "severity": "UNKNOWN"}))

    assert words(here) == ["0 newly_firing alert/1", "300 all_resolved -alert/1", "400 newly_firing alert/1"]
    assert sends(here)[-1].news[0].severity == 4
    assert list(here.kept.holding("alert/1")) == [GroupKey("bad", "all")]


def test_later_events_of_an_alert_name_where_it_was_raised() -> None:
    here = machine()
    for second, turn, kind in ((0, Turn.FIRING, "raised"), (30, Turn.RESOLVED, "resolved"), (100, Turn.FIRING, "reopened")):
        one = item("alert/1", turn, BEGIN_US + second * SECOND_US, second, {"type": f"alert.{kind}", "resource": "alert/1"})
        here.until(second)
        here.take(replace(one, cause=one.cause._replace(kind=f"alert.{kind}")))
    here.until(200)

    assert words(here) == ["10 newly_firing alert/1", "70 all_resolved -alert/1", "130 newly_firing alert/1"]
    assert [sent.news[0].began for sent in sends(here)] == [None, Position("s", 0), Position("s", 0)]


def test_an_alert_that_is_reopened_and_not_known_has_its_own_fields() -> None:
    here = machine()
    here.take(item("alert/1", Turn.FIRING, BEGIN_US, 7, {"type": "alert.reopened", "severity": "UNKNOWN"}))
    here.until(20)

    assert words(here) == ["10 newly_firing alert/1"]


def test_what_was_acknowledged_is_repeated_once_it_is_reopened() -> None:
    here = machine()
    here.run(script("0 a fires; 20 a acked; 700 a fires"), 1400)

    assert [line for line in words(here) if "held" not in line] == ["10 newly_firing a", "730 repeated a", "1330 repeated a"]


def test_what_lasts_without_news_for_a_week_is_forgotten_but_no_alert() -> None:
    here = machine("routes: {channel: ops, repeat_interval: 1d}")
    here.run(script(f"0 a fires; 0 alert/1 fires; {DAY} b fires; {2 * DAY} b fires"), 8 * DAY)

    (members,) = [members for group, members in groups_of(here.kept) if group.key != WATCHED]
    assert sorted(member.fingerprint for member in members) == ["alert/1", "b"]


def test_a_group_remembers_the_newest_of_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_KEPT", 3)
    here = machine()
    here.run(script("0 a fires; 1 b fires; 2 c fires; 3 d fires; 4 alert/1 fires"), 100)

    assert sorted(here.kept.members(GroupKey("root", "all"))) == ["alert/1", "c", "d"]


def test_what_is_watched_is_bounded_and_forgotten_after_a_week(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_WATCHED", 3)
    here = machine("routes: {}")
    here.run(script("0 a fires; 1 b fires; 2 c fires; 3 alert/1 fires; 4 d fires; 5 alert/2 fires; 6 alert/2 ends"), 3600)

    assert sorted(here.kept.members(WATCHED)) == ["alert/1", "alert/2", "d"]
    here.until(8 * DAY)
    assert sorted(here.kept.members(WATCHED)) == ["alert/1"]
    assert here.outcomes == []


def test_nothing_is_left_once_all_is_forgotten() -> None:
    here = machine()
    here.run(script("0 a fires; 20 a ends; 300 b happens; 1000 c ends"), 8 * DAY)

    assert groups_of(here.kept) == []
    assert here.kept.next_us is None


def test_what_is_watched_is_looked_through_when_it_is_crowded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(step, "MOST_WATCHED", 20)
    monkeypatch.setattr(look, "MOST_WATCHED", 20)
    here = machine("routes: {}")
    for one in many(100, Turn.FIRING):
        here.take(one)

    assert len(here.kept.members(WATCHED)) <= 22


@pytest.mark.long
def test_a_number_is_not_given_again_while_it_lies_ahead() -> None:
    here = machine("routes: {channel: ops, group_wait: 0s, group_interval: 1s, repeat_interval: 1s}")
    here.take(*[item(f"a{number}", Turn.RESOLVED, BEGIN_US, number, {}) for number in range(3000)])
    here.until(2)
    here.take(*many(1))

    flushes = [outcome.flush for _, outcome in here.outcomes]
    assert len(set(flushes)) == len(flushes) == 3001
    here.until(10)
    assert groups_of(here.kept) == []


def test_one_decision_looks_at_some_groups_and_the_next_at_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "MOST_LOOKED", 2)
    here = machine('routes: {channel: ops, group_by: ["..."], group_wait: 0s}')
    here.take(*many(5))

    assert len(sends(here)) == 5


def test_ticks_that_were_missed_are_skipped_and_keep_to_their_times() -> None:
    here = machine()
    here.run(script("0 a fires"), 20)
    here.take(item("b", Turn.FIRING, BEGIN_US, 5, {}))
    here.second = 200
    here.take()
    here.run(script("210 c fires"), 300)

    assert words(here) == ["10 newly_firing a", "200 newly_firing b still a", "250 newly_firing c still a b"]


def test_a_group_in_which_nothing_waits_is_left_alone_but_an_hour() -> None:
    here = machine("routes: {channel: ops, group_wait: 0s, repeat_interval: 4h}")
    here.take(item("a", Turn.FIRING, BEGIN_US, 1, {}))

    looks = []
    while here.second < 4 * 3600:
        here.until((here.kept.next_us or 0) // SECOND_US - BEGIN_US // SECOND_US)
        looks.append(here.second)

    assert looks == [3600, 7200, 10800, 14400]
    assert words(here)[1:] == ["14400 repeated a"]


@pytest.mark.parametrize(
    ("group_by", "values"),
    [
        ((), "all"),
        (("...",), 'fingerprint="x"'),
        (("account", "rule"), 'account="1",rule=""'),
        (("subject",), 'subject="a\\"b,c"'),
    ],
)
def test_the_name_of_a_group(group_by: tuple[str, ...], values: str) -> None:
    key = key_of(Route("r", "ops", ("root", "r"), group_by=group_by), {"account": "1", "subject": 'a"b,c'}, "x")

    assert key == GroupKey("r", values)
    assert Key.parse(str(Key(*key, 5))) == Key(*key, 5)


@given(st.lists(st.text(max_size=300), min_size=2, max_size=2, unique=True))
def test_groups_of_other_values_have_other_names_of_bounded_length(values: list[str]) -> None:
    route = Route("r", "ops", (), group_by=("subject", "account"))
    fields = [{"subject": value, "account": other} for value in values for other in values]
    names = {key_of(route, one, "").values for one in fields}

    assert len(names) == 4
    assert max(map(len, names)) <= 400


MEMBERS = [
    Member(name, Cause(f"{number}-x", Position("s", number)), 0, {}, resolved=name == "z") for number, name in enumerate("xyz")
]
KEYS = [GroupKey("r", name) for name in "ab"]


@st.composite
def changes(draw: st.DrawFn) -> Change:
    times = st.integers(1, 5)
    groups = {key: Group(key, 0, draw(times)) if draw(st.booleans()) else None for key in draw(st.sets(st.sampled_from(KEYS)))}
    pairs = draw(st.sets(st.tuples(st.sampled_from(KEYS), st.integers(0, 2)), max_size=4))
    members = {(key, MEMBERS[number].fingerprint): MEMBERS[number] if draw(st.booleans()) else None for key, number in pairs}
    return Change(groups, members)


def seen(world: World) -> Iterator[object]:
    for key in KEYS:
        yield world.group(key)
        yield dict(world.members(key))
        yield len(world.members(key))
        yield [one.fingerprint in world.members(key) for one in MEMBERS]
    for one in MEMBERS:
        yield sorted(world.holding(one.fingerprint))
    yield sorted(member.fingerprint for member in world.firing())
    yield [list(world.due(now_us)) for now_us in range(7)]
    yield world.next_us


@given(st.lists(changes(), max_size=4), st.lists(changes(), max_size=4))
def test_an_overlay_shows_what_will_be_committed(before: list[Change], after: list[Change]) -> None:
    kept, other = Kept(), Kept()
    for change in before:
        kept.apply(change)
        other.apply(change)
    overlay = Overlay(kept)
    unchanged = list(seen(kept))

    for change in after:
        overlay.apply(change)

    assert list(seen(kept)) == unchanged
    other.apply(overlay.change)
    assert list(seen(overlay)) == list(seen(other))
    assert list(seen(Overlay(overlay))) == list(seen(other))


def test_memory_is_bounded_by_what_is_so() -> None:
    kept = Kept([(Group(KEYS[0], 0, 1), [])])
    for time_us in range(2, 1000):
        kept.apply(Change({KEYS[1]: Group(KEYS[1], 0, time_us)}))
        assert kept.next_us == 1

    assert len(kept._queue) < 100
    assert list(kept.due(1000)) == KEYS


def test_a_decision_without_anything_to_do_changes_nothing() -> None:
    here = machine()

    assert not here.batch([]).change
    assert here.policies == Policies(here.policies.routing)
