"""The semantics of notifications, sentence by sentence: what is to be built, an example, and what it must lead to."""

from typing import NamedTuple

import pytest

from consumers.notifier.routing.tree import Policies
from tests.notifier.deciding import BEGIN_US, Machine, policies, script, silence, told

HOUR = 3600
FOUR_HOURS = 4 * HOUR
BY_ACCOUNT = "routes: {channel: ops, group_by: [account]}"
QUICK = "routes: {channel: ops, group_wait: 10s, group_interval: 60s, repeat_interval: 10m}"
INHIBITING = QUICK + "\ninhibit: [{when: [severity=CRITICAL], mute: [severity<CRITICAL], equal: [account]}]"
MUTED = """
routes: {channel: ops, group_wait: 10s, group_interval: 60s, repeat_interval: 10m, mute: [night]}
times: {night: [{times: ["22:00-22:20"]}]}
"""
"""The clock of these tests begins at 22:13:20 UTC, so the mute ends 400 seconds later."""
ACTIVE = MUTED.replace("mute:", "active:")


class Row(NamedTuple):
    """A sentence, and what shows that it holds: after these events and until that second, this and no more was decided."""

    sentence: str
    given: Policies
    events: str
    until: int
    expected: list[str]


def routed(tree: str) -> Policies:
    return policies("routes:\n  channel: ops\n  group_wait: 0s\n" + tree)


ROWS = [
    Row(
        "group_wait (default 30 s): delay before a new group's first message, so that what belongs together arrives together.",
        policies(),
        "0 a fires; 20 b fires; 29 c happens",
        300,
        ["30 newly_firing a b c"],
    ),
    Row(
        "Group key = route + values of group_by.",
        policies(BY_ACCOUNT),
        "0 a fires account=1; 1 b fires account=2; 2 c fires account=1",
        300,
        ["30 newly_firing a c", "31 newly_firing b"],
    ),
    Row(
        "CRITICAL may override it to 0.",
        policies(),
        "0 a fires; 5 b fires severity=CRITICAL",
        300,
        ["5 newly_firing b a"],
    ),
    Row(
        "CRITICAL may override it to 0: not if the route says never.",
        policies("routes: {channel: ops, critical_wait: never}"),
        "0 a fires severity=CRITICAL",
        300,
        ["30 newly_firing a"],
    ),
    Row(
        "CRITICAL may override it to 0: also in a group that is under way, whose tick stays where it is.",
        policies(QUICK),
        "0 a fires; 20 b fires severity=CRITICAL; 30 c fires",
        200,
        ["10 newly_firing a", "20 newly_firing b still a", "70 newly_firing c still b a"],
    ),
    Row(
        "group_interval (5 min): recurring tick afterwards; sends only if something newly fired or resolved.",
        policies(),
        "0 a fires; 40 b fires; 1000 c fires",
        HOUR,
        ["30 newly_firing a", "330 newly_firing b still a", "1230 newly_firing c still a b"],
    ),
    Row(
        "group_interval: what just happens keeps to the tick, too.",
        policies(),
        "0 a happens; 40 b happens; 329 c happens; 331 d happens",
        HOUR,
        ["30 newly_firing a", "330 newly_firing b c", "630 newly_firing d"],
    ),
    Row(
        "repeat_interval (4 h): checked on ticks; an unchanged group is repeated after it.",
        policies(),
        "0 a fires",
        30 + 2 * FOUR_HOURS,
        ["30 newly_firing a", f"{30 + FOUR_HOURS} repeated a", f"{30 + 2 * FOUR_HOURS} repeated a"],
    ),
    Row(
        "repeat_interval: any message of the group begins it anew.",
        policies(QUICK),
        "0 a fires; 500 b fires",
        1200,
        ["10 newly_firing a", "550 newly_firing b still a", "1150 repeated a b"],
    ),
    Row(
        "repeat_interval: what somebody acknowledged is not repeated, but with what nobody did.",
        policies(QUICK),
        "0 a fires; 20 a acked",
        2000,
        ["10 newly_firing a", "20 held already_told a"],
    ),
    Row(
        "Decision order: no earlier send: send only if firing.",
        policies(),
        "0 a fires; 10 a ends",
        HOUR,
        ["10 held resolved_untold a -a"],
    ),
    Row(
        "Decision order: firing set not a subset of the last one: send.",
        policies(QUICK),
        "0 a fires; 1 b fires; 20 b ends; 30 c fires",
        400,
        ["10 newly_firing a b", "70 newly_firing c -b still a"],
    ),
    Row(
        "Decision order: a subset of the last one: skip, but for what is newly resolved.",
        policies(QUICK),
        "0 a fires; 1 b fires; 20 b ends",
        600,
        ["10 newly_firing a b", "70 newly_resolved -b still a"],
    ),
    Row(
        "Decision order: nothing firing any more: send a resolution only if the last message had firing ones.",
        policies(QUICK),
        "0 a fires; 1 b fires; 20 b ends; 30 a ends; 400 a ends",
        1200,
        ["10 newly_firing a b", "70 all_resolved -a -b", "400 held not_firing -a"],
    ),
    Row(
        "Decision order: what fires again before its end was told is news.",
        policies(QUICK),
        "0 a fires; 20 a ends; 30 a fires",
        200,
        ["10 newly_firing a", "30 held already_told -a", "70 newly_firing a"],
    ),
    Row(
        "Decision order: what fires on is told once.",
        policies(QUICK),
        "0 a fires; 5 a fires; 20 a fires",
        200,
        ["5 held already_told a", "10 newly_firing a", "20 held already_told a"],
    ),
    Row(
        "Decision order: what gets worse is news.",
        policies(QUICK),
        "0 a fires severity=MEDIUM; 20 a fires severity=HIGH",
        200,
        ["10 newly_firing a", "70 newly_firing a"],
    ),
    Row(
        "Decision order: what a route wants no more, for it got less bad, stays where it was told until its end.",
        policies(
            "routes: {routes: [{name: bad, channel: ops, group_wait: 10s, group_interval: 60s, matchers: [severity>=HIGH]}]}"
        ),
        "0 a fires; 20 a fires severity=LOW; 40 a ends severity=LOW; 100 a fires severity=LOW",
        400,
        ["10 newly_firing a", "20 held already_told a", "70 all_resolved -a"],
    ),
    Row(
        "Decision order: a route that tells no ends.",
        policies(QUICK.replace("}", ", send_resolved: false}")),
        "0 a fires; 1 b fires; 20 a ends",
        200,
        ["10 newly_firing a b", "70 held resolved_unwanted -a"],
    ),
    Row(
        "Muting comes after grouping, so timers go on: what was held is told at a tick, not anew after group_wait.",
        policies(QUICK, silence("subject=a", 0, 100)),
        "0 a fires",
        400,
        ["10 held silenced a", "130 newly_firing a"],
    ),
    Row(
        "Silence: all matchers match and it is active; what just happened is over with it.",
        policies(QUICK, silence("subject=a|b severity=HIGH", 0, 100)),
        "0 a happens; 1 b happens severity=LOW; 2 c happens",
        400,
        ["10 held silenced a", "10 newly_firing c b"],
    ),
    Row(
        "Silence: ends by itself, and has an end that is exclusive.",
        policies(QUICK, silence("subject=a", 0, 10)),
        "0 a fires",
        100,
        ["10 newly_firing a"],
    ),
    Row(
        "Silence: the end of what was told is not told during it.",
        policies(QUICK, silence("subject=a", 20, 100)),
        "0 a fires; 30 a ends",
        600,
        ["10 newly_firing a", "70 held silenced -a"],
    ),
    Row(
        "Silence: what another message went out without is news afterwards, as in Alertmanager.",
        policies(QUICK, silence("subject=a", 20, 100)),
        "0 a fires; 30 b fires",
        300,
        ["10 newly_firing a", "70 newly_firing b", "130 newly_firing a still b"],
    ),
    Row(
        "Active/mute time windows with time zones: nothing is told in a mute, and what fires on is told after it.",
        policies(MUTED),
        "0 a fires; 1 b happens",
        600,
        ["10 held out_of_hours a b", "430 newly_firing a"],
    ),
    Row(
        "Active/mute time windows: nothing is told but in active ones.",
        policies(ACTIVE),
        "0 a fires; 401 b happens",
        600,
        ["10 newly_firing a", "430 held out_of_hours b"],
    ),
    Row(
        "Inhibition: a source alert mutes targets with equal values of equal labels.",
        policies(INHIBITING),
        "0 a fires severity=CRITICAL account=1; 1 b fires account=1; 2 c fires account=2; 3 d happens account=1",
        200,
        ["0 newly_firing a", "60 held inhibited b d", "60 newly_firing c still a"],
    ),
    Row(
        "Inhibition ends with its source.",
        policies(INHIBITING),
        "0 a fires severity=CRITICAL; 1 b fires; 70 a ends severity=CRITICAL",
        200,
        ["0 newly_firing a", "60 held inhibited b", "120 newly_firing b -a"],
    ),
    Row(
        "Inhibition: what matches both sides does not inhibit itself.",
        policies(QUICK + "\ninhibit: [{when: [severity>=HIGH], mute: [severity>=MEDIUM]}]"),
        "0 a fires; 1 b fires; 2 c fires severity=MEDIUM",
        50,
        ["10 held inhibited c", "10 newly_firing a b"],
    ),
    Row(
        "Inhibition: a source that nobody is told of mutes, too.",
        policies(
            'routes: {channel: "", routes: [{name: bad, channel: ops, matchers: [severity>=HIGH], group_wait: 10s}]}\n'
            "inhibit: [{when: [severity=LOW], mute: [severity=HIGH]}]"
        ),
        "0 a fires severity=LOW; 1 b fires",
        300,
        ["11 held inhibited b"],
    ),
    Row(
        "Stage order: inhibit, active/mute time windows, silence.",
        policies(MUTED + "inhibit: [{when: [subject=a], mute: [subject=b]}]", silence("severity=HIGH", 0, 100)),
        "0 a fires; 1 b fires; 2 c fires",
        50,
        ["10 held out_of_hours a c", "10 held inhibited b"],
    ),
    Row(
        "Routes form a tree; the root matches all.",
        routed(""),
        "0 a happens",
        10,
        ["0 newly_firing a"],
    ),
    Row(
        "The first matching child wins unless it says continue.",
        routed("  routes: [{name: one, matchers: [severity>=HIGH]}, {name: two, matchers: [severity>=LOW], channel: other}]"),
        "0 a happens",
        10,
        ["0 newly_firing a"],
    ),
    Row(
        "The first matching child wins unless it says continue: then the next ones are asked, too.",
        routed("  routes: [{name: one, continue: true}, {name: two, matchers: [severity=LOW]}, {name: three}, {name: four}]"),
        "0 a happens",
        10,
        ["0 newly_firing a", "0 newly_firing a"],
    ),
    Row(
        "If no child matches, this node handles it.",
        routed("  routes: [{name: one, matchers: [severity=LOW], channel: ''}]"),
        "0 a happens; 1 b happens severity=LOW",
        10,
        ["0 newly_firing a"],
    ),
    Row(
        "Options inherit.",
        routed("  repeat_interval: 5m\n  routes: [{name: one, routes: [{name: two, group_wait: 5s}]}]"),
        "0 a fires",
        320,
        ["5 newly_firing a", "305 repeated a"],
    ),
    Row(
        "Every suppression can be asked for: an event that comes late, after a later one about the same, is no news.",
        policies(QUICK),
        "0 a fires; 20 a fires at=15; 30 a ends at=12; 40 a ends; 50 a fires at=35; 60 a acked at=25",
        200,
        [
            *["10 newly_firing a", "20 held already_told a", "30 held already_told -a"],
            *["50 held already_told a", "60 held already_told a", "70 all_resolved -a"],
        ],
    ),
    Row(
        "Every suppression can be asked for: what comes late about what is over.",
        policies(QUICK),
        "0 a fires; 20 a ends; 200 a fires at=10; 210 a acked at=5",
        400,
        ["10 newly_firing a", "70 all_resolved -a", "200 held resolved_untold a", "210 held not_firing a"],
    ),
    Row(
        "What ends, or was seen to, without anybody having been told leaves a trace where a route would have wanted it.",
        policies(QUICK),
        "0 a ends; 1 b acked",
        100,
        ["0 held not_firing -a", "1 held not_firing b"],
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_semantics(row: Row) -> None:
    assert told(row.given, row.events, row.until) == row.expected


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.sentence)
def test_the_semantics_with_a_restart_after_every_step(row: Row) -> None:
    at_once, again = Machine(row.given), Machine(row.given)
    at_once.run(script(row.events), row.until)

    for one in script(row.events):
        again.until(one.second)
        again.restart()
        again.batch([one.item])
        again.take(one.item)
        again.restart()
    again.until(row.until)

    assert again.outcomes == at_once.outcomes


def test_what_arrives_in_one_group_goes_to_the_channel_by_the_path_of_its_route() -> None:
    machine = Machine(routed("  routes: [{name: one, matchers: [severity>=LOW], channel: other, group_by: [account, rule]}]"))
    machine.run(script('0 a happens account=1 rule="x"'), 5)

    [(_, send)] = machine.outcomes
    assert (send.key.route, send.key.values) == ("one", 'account="1",rule="\\"x\\""')
    assert (send.channel, send.path, send.flush) == ("other", ("root", "one"), BEGIN_US // 1000)
