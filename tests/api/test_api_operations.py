"""Projections, quarantine, liveness, readiness, agents, tasks, metrics."""

from dataclasses import replace

import pytest

from pipeline.log.port import Position
from pipeline.quarantine.port import Reject, Status
from projections.errors import ProjectionError
from projections.reading import ProjectionState
from tests.api.contract import Checked
from tests.api.world import NOW_US, SECOND_US, World, agent, finding, task

LAGGING = ProjectionState(
    "event_index", 3, 7, {"shard-0": Position("shard-0", 41)}, 5, NOW_US - 90 * SECOND_US, 2, 8
)  # fmt: skip


def test_projections_tell_lag_parked_and_the_build_beside_them(client: Checked, world: World) -> None:
    world.reading.state_list = [LAGGING]

    assert client.get("/projections").json()["items"] == [
        {
            "name": "event_index",
            "version": 3,
            "generation": 7,
            "lag_events": 5,
            "lag_seconds": 90.0,
            "parked": 2,
            "checkpoints": {"shard-0": "shard-0:41:0"},
            "building": 8,
        }
    ]


def test_quarantine_is_listed_newest_first_in_pages(client: Checked, world: World) -> None:
    world.quarantine.put([Reject(b'{"n":%d}' % n, "has no time", "time", f"file:{n}") for n in range(3)])

    first = client.get("/quarantine?limit=2").json()
    second = client.get("/quarantine", params={"limit": "2", "after": first["next"]}).json()

    assert [item["origin"] for item in first["items"] + second["items"]] == ["file:2", "file:1", "file:0"]
    assert second["next"] is None
    assert first["counts"] == {"held": 3}
    assert first["items"][0] | {"id": "", "first": 0, "last": 0} == {
        "id": "", "status": "held", "field": "time", "reason": "has no time", "origin": "file:2", "first": 0, "last": 0,
        "times": 1, "payload_bytes": 7, "payload": '{"n":2}',
    }  # fmt: skip


def test_quarantined_bytes_are_shown_as_text_and_cut(client: Checked, world: World) -> None:
    world.quarantine.put([Reject(b"\xff" + b"x" * 5000, "is no text")])

    item = client.get("/quarantine").json()["items"][0]

    assert item["payload"] == "\ufffd" + "x" * 2047
    assert item["payload_bytes"] == 5001


def test_quarantine_is_filtered_by_status(client: Checked, world: World) -> None:
    world.quarantine.put([Reject(b"a", "x"), Reject(b"b", "x")])
    world.quarantine.mark("q0", Status.RELEASED)

    assert [len(client.get(f"/quarantine?status={s}").json()["items"]) for s in ("held", "released", "all")] == [1, 1, 2]
    assert client.get("/quarantine?status=lost").status_code == 422


def test_a_process_that_answers_is_alive_whatever_the_log_does(client: Checked, world: World) -> None:
    world.log.down = True

    assert client.get("/health").json() == {"status": "alive", "version": "1.2.3"}


def test_it_is_ready_when_everything_can_be_read_and_nothing_lags(client: Checked) -> None:
    answer = client.get("/ready")

    assert (answer.status_code, answer.json()) == (200, {"status": "ready", "lag_seconds": 0.0})


def test_it_is_not_ready_and_says_why(client: Checked, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    def reasons() -> list[str]:
        answer = client.get("/ready")
        assert answer.status_code == 503
        assert answer.headers["retry-after"]
        return [detail["field"] for detail in answer.json()["error"]["details"]]

    world.reading.state_list = [LAGGING, replace(LAGGING, name="task_board", waiting_since_us=NOW_US - 59 * SECOND_US)]
    assert reasons() == ["event_index"]

    world.reading.state_list = []
    assert reasons() == ["projections"]

    def unreadable() -> None:
        raise ProjectionError

    monkeypatch.setattr(world.reading, "states", unreadable)
    world.log.down = True
    assert reasons() == ["log", "projections"]


def test_agents_are_listed_and_read_by_account(client: Checked, world: World) -> None:
    world.reading.agent_list = [agent("111122223333"), agent("222233334444", "offline")]

    assert [item["account"] for item in client.get("/agents").json()["items"]] == ["111122223333", "222233334444"]
    assert client.get("/agents/222233334444").json() == {
        "account": "222233334444", "region": "eu-central-1", "status": "offline", "version": "1.0",
        "deployed_at": NOW_US / 1e6 - 86_400, "last_heartbeat": NOW_US / 1e6 - 60, "last_finding": None,
        "findings": 2, "by_severity": {"HIGH": 2},
        "registered": False, "name": "", "description": "", "contact": "", "enabled": True, "revision": 0,
    }  # fmt: skip
    assert client.get("/agents/999999999999").status_code == 404
    assert client.get("/agents/12").json()["error"]["details"][0]["field"] == "account"


@pytest.mark.parametrize(
    ("query", "expected", "total"),
    [
        ("", ["t1", "t2", "t3"], 3),
        ("status=open", ["t1", "t3"], 2),
        ("priority=low", ["t3"], 1),
        ("assignee=u2", ["t2"], 1),
        ("limit=1&offset=1", ["t2"], 3),
    ],
)
def test_tasks_are_filtered_and_counted(client: Checked, world: World, query: str, expected: list[str], total: int) -> None:
    world.reading.task_list = [task(1), task(2, status="closed", assignee="u2"), task(3, priority="low")]

    answer = client.get(f"/tasks?{query}").json()

    assert ([item["id"] for item in answer["items"]], answer["total"]) == (expected, total)
    assert client.get("/tasks?status=lost").status_code == 422


def test_metrics_tell_log_projections_quarantine_input_and_requests(client: Checked, world: World) -> None:
    world.log.append([finding(n) for n in range(3)])
    world.quarantine.put([Reject(b"a", "x")])
    world.reading.state_list = [LAGGING]
    client.post("/events", json=[{"number": 9, "time": 1}] * 2)
    client.get("/events/none")
    client.get("/nothing/here")
    client.request("BREW", "/events")

    answer = client.get("/metrics")
    lines = set(answer.text.splitlines())

    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    assert {
        'findstream_projection_lag_events{projection="event_index"} 5.0',
        'findstream_projection_lag_seconds{projection="event_index"} 90.0',
        'findstream_projection_parked_events{projection="event_index"} 2.0',
        'findstream_projection_rebuilding{projection="event_index"} 1.0',
        'findstream_quarantine_items{status="held"} 1.0',
        'findstream_ingest_items_total{outcome="accepted"} 1.0',
        'findstream_ingest_items_total{outcome="duplicate"} 1.0',
        "findstream_log_events 4.0",
        'findstream_part_up{part="log"} 1.0',
        'findstream_http_request_duration_seconds_count{method="POST",route="/events",status="202"} 1.0',
        'findstream_http_request_duration_seconds_count{method="GET",route="/events/{event_id}",status="404"} 1.0',
        'findstream_http_request_duration_seconds_count{method="GET",route="unmatched",status="404"} 1.0',
        "findstream_feed_clients 0.0",
    } <= lines
    assert any(line.startswith("findstream_build_info{") and 'version="1.2.3"' in line for line in lines)
    assert any(line.startswith('findstream_http_request_duration_seconds_count{method="OTHER"') for line in lines)
    heads = sum(float(line.split()[1]) for line in lines if line.startswith("findstream_log_head{"))
    assert heads == 4


def test_metrics_answer_while_the_log_is_away(client: Checked, world: World) -> None:
    world.log.down = True

    lines = client.get("/metrics").text.splitlines()

    assert 'findstream_part_up{part="log"} 0.0' in lines
    assert 'findstream_part_up{part="quarantine"} 1.0' in lines


def test_head_is_get_without_a_body(client: Checked) -> None:
    answer = client.request("HEAD", "/health")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer.headers["content-length"] == str(len(client.get("/health").content))
