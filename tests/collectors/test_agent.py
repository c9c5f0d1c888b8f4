"""The whole agent, run after run, over logs and a bus in memory."""

import pytest

from pipeline.collectors.agent import RESERVE_SECONDS
from pipeline.errors import BusUnavailable, QueryRejected, WindowRejected
from tests.collectors.fake_aws import ACCOUNT, FUNCTION_ARN, NOON, REGION, line, refused
from tests.collectors.world import World


def test_a_run_beats_and_puts_each_error_line() -> None:
    world = World()
    world.logs.add(line(-60, "ERROR one"), line(-30, "all is well"), line(-1, "Task timed out after 3.00 seconds"))

    report = world.run()

    assert [event["detail-type"] for event in world.bus.delivered] == ["Agent Heartbeat", "Error Log Line", "Error Log Line"]
    assert world.bus.messages == ["ERROR one", "Task timed out after 3.00 seconds"]
    assert (report.groups, report.chunks, report.lines, report.published, report.unfinished) == (1, 1, 2, 2, 0)


def test_a_line_tells_where_and_when_it_was_written() -> None:
    world = World()
    world.logs.add(line(-59.569, "ERROR one", stream="2026/03/04/[1]ab"))

    world.run()

    told = world.bus.delivered[1]
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/lambda/orders"
    assert told["source"] == "monitoring.agent.logs"
    assert told["time"] == "2026-03-04T11:59:00Z"
    assert told["resources"] == [group, f"{group}:log-stream:2026/03/04/[1]ab"]
    assert told["detail"] == {
        "eventId": told["detail"]["eventId"],
        "region": REGION,
        "timestamp": NOON * 1000 - 59_569,
        "logGroup": "/aws/lambda/orders",
        "logStream": "2026/03/04/[1]ab",
        "message": "ERROR one",
    }


def test_a_heartbeat_tells_the_version() -> None:
    world = World()

    world.run()

    beat = world.bus.delivered[0]
    assert (beat["source"], beat["detail-type"], beat["resources"]) == ("monitoring.agent", "Agent Heartbeat", [FUNCTION_ARN])
    assert (beat["detail"]["version"], beat["detail"]["timestamp"]) == ("1.4.0", NOON * 1000)


def test_a_run_in_the_same_process_leaves_out_what_the_bus_has_taken() -> None:
    world = World()
    world.logs.add(line(-60))
    world.run()
    world.clock.seconds = 300
    world.logs.add(line(250))

    report = world.run()

    assert (report.lines, report.published) == (2, 1)
    assert len(world.bus.messages) == 2


def test_a_run_in_another_process_puts_a_line_again_with_the_same_id() -> None:
    world = World()
    world.logs.add(line(-60), line(-60), line(-60, stream="s/2"))
    world.run()
    world.clock.seconds = 300
    world.restarted()
    world.run()

    ids = [detail["eventId"] for detail in world.bus.of("Error Log Line")]
    assert ids[:3] == ids[3:]
    assert len(set(ids)) == 3


def test_what_lies_beyond_every_window_is_forgotten() -> None:
    world = World()
    world.logs.add(line(-60))
    world.run()
    world.clock.seconds = 3600
    world.run()

    assert len(world.agent._known) == 0


def test_a_line_that_comes_late_is_found_by_a_later_run() -> None:
    world = World()
    world.run()
    world.clock.seconds = 300
    world.logs.add(line(-500, "ERROR late"))

    world.run()

    assert world.bus.messages == ["ERROR late"]


def test_a_failed_run_that_is_tried_again_hours_later_looks_through_its_own_stretch() -> None:
    world = World()
    world.logs.add(line(-60))
    world.clock.seconds = 6 * 3600

    world.run({"time": "2026-03-04T12:00:00Z"})

    assert world.bus.messages == ["ERROR it broke"]


def test_an_operator_may_name_a_stretch() -> None:
    world = World()
    world.logs.add(line(-7200, "ERROR a"), line(-3600, "ERROR b"), line(-60, "ERROR c"))

    world.run({"since": "2026-03-04T10:59:00Z", "until": "2026-03-04T11:30:00+00:00"})

    assert world.bus.messages == ["ERROR b"]


@pytest.mark.parametrize(
    "event",
    [
        {"since": "soon"},
        {"until": 7},
        {"since": "2026-03-04T13:00:00Z"},
        {"since": "2026-03-04T10:00", "until": "2026-03-04T09:00"},
    ],
)
def test_a_stretch_that_is_none_is_refused(event: dict[str, str]) -> None:
    with pytest.raises(WindowRejected, match=r"since|until"):
        World().run(event)


def test_a_chunk_that_is_too_slow_is_told_and_collected_by_the_next_run() -> None:
    world = World()
    world.logs.add(line(-60))
    world.logs.seconds["/aws/lambda/orders"] = 60
    report = world.run()
    assert (report.timed_out, report.unfinished, world.bus.messages) == (1, 1, [])
    told = world.bus.delivered[-1]
    assert told["detail-type"] == "Log Collection Incomplete"
    assert told["detail"]["title"] == "1 log groups not looked through"
    assert "between 2026-03-04T11:45:00Z and 2026-03-04T12:00:00Z: the query took too long" in told["detail"]["description"]
    assert told["detail"]["logGroups"] == ["/aws/lambda/orders"]
    world.logs.seconds.clear()
    world.clock.seconds = 300

    world.run()

    assert world.bus.messages == ["ERROR it broke"]


def test_more_lines_than_are_collected_at_once_are_counted_in_a_finding() -> None:
    world = World()
    world.logs.add(*(line(-60 + second) for second in range(7)))
    world.restarted(chunk_lines=5)

    report = world.run()

    assert (report.lines, report.beyond) == (5, 2)
    assert world.bus.of("Log Collection Incomplete")[0]["title"] == "2 error lines not collected"


def test_a_run_that_is_short_of_time_says_what_it_left_out_and_still_puts_it() -> None:
    world = World()
    world.logs.add(*(line(-60, group=f"/aws/lambda/f{number:02d}") for number in range(60)))
    world.functions.functions = {f"f{number:02d}": None for number in range(60)}

    report = world.run(seconds=RESERVE_SECONDS + 1)

    assert report.lines == 40
    (told,) = world.bus.of("Log Collection Incomplete")
    assert "the run was short of time" in told["description"]
    assert told["logGroupCount"] == 20


def test_chunks_take_turns_in_being_the_first() -> None:
    world = World()
    for number in range(60):
        world.logs.add(line(-60, group=f"/aws/lambda/f{number:02d}"))
    world.functions.functions = {f"f{number:02d}": None for number in range(60)}
    left_out = set()
    for run in range(3):
        world.clock.seconds = 300.0 * run
        world.restarted()
        world.run(seconds=RESERVE_SECONDS + 1)
        left_out.add(tuple(world.bus.of("Log Collection Incomplete")[-1]["logGroups"]))

    assert len(left_out) == 3
    assert set.intersection(*map(set, left_out)) == set()


def test_a_bus_that_does_not_take_a_line_fails_the_run_and_the_next_one_puts_it_again() -> None:
    world = World()
    world.logs.add(line(-60, "ERROR one"), line(-50, "ERROR two"))
    world.bus.scripted.extend([(), ("MalformedDetail",)])

    with pytest.raises(BusUnavailable, match=r"1 of 3 events were not taken, the first because: MalformedDetail: not today"):
        world.run()
    world.clock.seconds = 300
    report = world.run()

    assert sorted(world.bus.messages) == ["ERROR one", "ERROR two"]
    assert report.published == 1


def test_a_malformed_pattern_fails_the_run_after_the_heartbeat() -> None:
    world = World()
    world.logs.add(line(-60))
    world.logs.faults.append(refused("MalformedQueryException"))

    with pytest.raises(QueryRejected):
        world.run()

    assert len(world.bus.of("Agent Heartbeat")) == 1
