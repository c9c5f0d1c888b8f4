"""The whole way in over a real server: the real ingest, the embedded log and quarantine, many clients at once."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers.api.app import build
from consumers.api.telling import Notified
from pipeline.ingest import Ingest
from pipeline.log.sqlite import SqliteLog
from pipeline.quarantine.sqlite import SqliteQuarantine
from tests.api.served import Follower, Served
from tests.api.world import Clock, MemoryReading, World, desk_in_memory, nobody_assumes, signed_in
from tests.people.stores import entropy

CLIENTS = 8
EACH = 10


def alarm(name: str) -> dict[str, Any]:
    return {
        "version": "0",
        "id": name,
        "detail-type": "CloudWatch Alarm State Change",
        "source": "aws.cloudwatch",
        "account": "111122223333",
        "time": "2026-01-02T03:04:05Z",
        "region": "eu-central-1",
        "resources": [f"arn:aws:cloudwatch:eu-central-1:111122223333:alarm:{name}"],
        "detail": {
            "alarmName": name,
            "state": {"value": "ALARM", "reason": "Threshold crossed", "timestamp": "2026-01-02T03:04:05.000+0000"},
            "previousState": {"value": "OK"},
        },
    }


@pytest.fixture
def embedded(tmp_path: Path) -> Iterator[Served]:
    clock = Clock()
    world = World()
    with (
        closing(SqliteLog(tmp_path / "log.db", shards=3, clock=clock)) as log,
        closing(SqliteQuarantine(tmp_path / "quarantine.db", clock=clock)) as quarantine,
    ):
        app = build(
            reading=MemoryReading(log),
            judged=world.judged,
            decided=world.decided,
            notified=Notified(world.ledger, dict, ""),
            asks=world.asks,
            ingest=Ingest(log, quarantine, clock=clock),
            log=log,
            quarantine=quarantine,
            people=world.people,
            sign_in=world.sign_in,
            entropy=entropy,
            desk=desk_in_memory(clock),
            assume=nobody_assumes,
            clock=clock,
            version="1.2.3",
        )
        with Served(app) as server:
            yield server


@pytest.mark.parametrize(
    ("input_", "fields"),
    [
        (alarm("a") | {"account": "x"}, ["account"]),
        ([alarm("a") | {"account": "x"}], ["[0].account"]),
        ([alarm("a") | {"account": "x"}, alarm("b"), 5], ["[0].account", "[2]"]),
    ],
)
def test_a_bad_field_is_named_with_the_number_of_its_item(embedded: Served, input_: object, fields: list[str]) -> None:
    answer = httpx.post(f"{embedded.url}/events", json=input_, headers=signed_in())

    assert [detail["field"] for detail in answer.json()["error"]["details"]] == fields


def test_bad_lines_are_named_with_their_number_from_the_first_on(embedded: Served) -> None:
    lines = "\n".join(json.dumps(each) for each in (alarm("a") | {"account": "x"}, alarm("b")))

    answer = httpx.post(f"{embedded.url}/events", content=lines, headers=signed_in())

    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["[0].account"]


def test_what_many_clients_send_at_once_is_accepted_once_listed_and_fed(embedded: Served) -> None:
    def send(client: int) -> list[int]:
        with httpx.Client(base_url=embedded.url, timeout=30, headers=signed_in()) as session:
            return [session.post("/events", json=alarm(f"alarm-{client // 2}-{n}")).json()["accepted"] for n in range(EACH)]

    with Follower(embedded) as follower:
        follower.blocks(1)
        with ThreadPoolExecutor(CLIENTS) as pool:
            accepted = sum(sum(each) for each in pool.map(send, range(CLIENTS)))
        fed = {json.loads(block["data"])["id"] for block in follower.events(CLIENTS // 2 * EACH)}

    listed = embedded.get("/events?limit=200").json()["items"]
    assert accepted == CLIENTS // 2 * EACH, "each alarm was sent by two clients and counts once"
    assert fed == {item["id"] for item in listed}
    assert len(fed) == accepted
    assert f"findstream_log_events {accepted}.0" in embedded.get("/metrics").text


def test_an_event_is_read_whole_by_both_of_its_ids(embedded: Served) -> None:
    posted = httpx.post(f"{embedded.url}/events", json=alarm("alarm/with slash"), timeout=30, headers=signed_in()).json()

    ours = embedded.get(f"/events/{posted['ids'][0]}").json()
    theirs = embedded.get("/events/alarm%2Fwith%20slash").json()

    assert ours == theirs
    assert ours["data"]["raw"] == alarm("alarm/with slash")
    assert ours["data"]["kind"] == "cloudwatch_alarm"
    assert ours["severity_name"] in {"HIGH", "CRITICAL", "MEDIUM"}


def test_an_item_without_a_time_is_refused_by_its_field_and_nothing_of_the_body_is_taken(embedded: Served) -> None:
    good, bad = alarm("good"), alarm("bad")
    del bad["time"]

    answer = httpx.post(
        f"{embedded.url}/events", content=json.dumps(good) + "\n" + json.dumps(bad), timeout=30, headers=signed_in()
    )

    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == ["[1].time"]
    assert embedded.get("/events").json()["items"] == []
    assert embedded.get("/quarantine?status=all").json()["items"] == []
