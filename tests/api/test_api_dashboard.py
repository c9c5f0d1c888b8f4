"""The overview, and findings over time."""

import pytest

from consumers.api.figures import ceiling, floor, slots, totals
from pipeline.quarantine.port import Reject
from projections.reading import Count
from tests.api.contract import Checked
from tests.api.world import (
    DAY_US,
    HOUR_US,
    NOW_US,
    OTHER,
    SECOND_US,
    USER,
    World,
    agent,
    finding,
    signed_in,
    task,
)


def test_the_overview_counts_the_last_day_agents_tasks_and_the_pipeline(client: Checked, world: World) -> None:
    world.log.append(
        [
            finding(1, severity=4, time_us=NOW_US - HOUR_US),
            finding(2, severity=1, time_us=NOW_US - 2 * HOUR_US, source="aws.health"),
            finding(3, severity=1, time_us=NOW_US - 30 * HOUR_US),
            finding(4, severity=1, time_us=NOW_US - 60 * HOUR_US),
        ]
    )
    world.reading.agent_list = [agent("111122223333"), agent("222233334444", "offline")]
    world.reading.task_list = [task(1, overdue=True), task(2, status="closed")]
    world.quarantine.put([Reject(b"{}", "has no time")])

    overview = client.get("/dashboard/overview").json()

    assert overview["time"] == NOW_US / 1e6
    assert overview["last_24_hours"] == {
        "count": 2,
        "previous": 1,
        "by_severity": {"CRITICAL": 1, "LOW": 1},
        "top_sources": [{"key": "aws.guardduty", "count": 1}, {"key": "aws.health", "count": 1}],
        "top_accounts": [{"key": "111122223333", "count": 2}],
    }
    assert overview["agents"] == {"total": 2, "by_status": {"active": 1, "offline": 1}}
    assert overview["tasks"] == {"total": 2, "by_status": {"closed": 1, "open": 1}, "overdue": 1}
    assert overview["pipeline"]["quarantined"] == 1
    assert [p["name"] for p in overview["pipeline"]["projections"]] == sorted(
        ["agent_status", "alerts", "configuration", "daily_aggregates", "event_index", "policies", "rules", "task_board"]
    )
    assert len(overview["latest"]) == 4


def test_the_overview_of_a_user_counts_their_own_tasks_only(client: Checked, world: World) -> None:
    world.reading.task_list = [task(1, assignee=USER.id), task(2, assignee=OTHER.id, overdue=True), task(3)]

    overview = client.get("/dashboard/overview", headers=signed_in(USER)).json()

    assert overview["tasks"] == {"total": 1, "by_status": {"open": 1}, "overdue": 0}


def test_an_overview_of_nothing_is_empty(client: Checked) -> None:
    overview = client.get("/dashboard/overview").json()

    assert overview["last_24_hours"]["count"] == 0
    assert overview["latest"] == []


def test_days_are_counted_with_the_empty_ones_between(client: Checked, world: World) -> None:
    world.log.append(
        [finding(n, severity=3, time_us=NOW_US - 2 * DAY_US + n) for n in range(3)]
        + [finding(9, severity=1, time_us=NOW_US, account="222233334444")]
    )

    stats = client.get("/dashboard/events-stats").json()

    assert len(stats["buckets"]) == 14
    assert [(b["count"], b["split"]) for b in stats["buckets"][-3:]] == [(3, {"HIGH": 3}), (0, {}), (1, {"LOW": 1})]
    assert stats["buckets"][-1]["start"] == NOW_US / 1e6
    assert stats["end"] == (NOW_US + DAY_US) / 1e6
    assert stats["count"] == 4
    assert stats["by_severity"] == {"HIGH": 3, "LOW": 1}
    assert stats["by_account"] == {"111122223333": 3, "222233334444": 1}


@pytest.mark.parametrize(
    ("query", "count", "split"),
    [
        ("per=hour&by=source", 2, {"aws.guardduty": 1, "aws.health": 1}),
        ("per=hour&by=account&source=aws.health", 1, {"222233334444": 1}),
        ("per=hour&severity=high", 1, {"HIGH": 1}),
        ("per=hour&account=222233334444", 1, {"LOW": 1}),
    ],
)
def test_a_bucket_is_split_and_filtered_as_asked(
    client: Checked, world: World, query: str, count: int, split: dict[str, int]
) -> None:
    world.log.append([finding(1, severity=3), finding(2, severity=1, source="aws.health", account="222233334444")])

    stats = client.get(f"/dashboard/events-stats?{query}").json()

    assert len(stats["buckets"]) == 24
    assert stats["count"] == count
    assert stats["buckets"][-2]["split"] == split


def test_a_range_is_widened_to_whole_buckets(client: Checked) -> None:
    middle = NOW_US / 1e6 + 1800

    stats = client.get(f"/dashboard/events-stats?per=hour&from={middle}&to={middle + 3600}").json()

    assert (stats["start"], stats["end"]) == (middle - 1800, middle + 5400)


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("from=90000&to=0", "to"),
        ("from=9&to=3", "to"),
        ("from=0", "from"),
        ("bogus=1", "bogus"),
        (f"per=hour&from={NOW_US // SECOND_US - 801 * 3600}&to={NOW_US // SECOND_US}", "from"),
        ("per=minute", "per"),
        ("by=colour", "by"),
        ("severity=bad", "severity"),
    ],
)
def test_a_wrong_range_is_named(client: Checked, query: str, field: str) -> None:
    answer = client.get(f"/dashboard/events-stats?{query}")

    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == field


def test_totals_are_largest_first_and_equal_ones_by_name() -> None:
    counts = [Count(0, "b", 1, "", 2), Count(0, "a", 1, "", 2), Count(5, "c", 3, "", 9)]

    assert list(totals(counts, "source").items()) == [("c", 9), ("a", 2), ("b", 2)]


def test_buckets_begin_where_they_should() -> None:
    assert (floor(7, 5), ceiling(7, 5), ceiling(10, 5)) == (5, 10, 10)
    assert [slot.start_us for slot in slots([], 5, 16, 5, "severity")] == [5, 10, 15]
