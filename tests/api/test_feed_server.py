"""The live feed over a real server: order, resuming, filters, slow clients, the end."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers.api.server import GRACE_SECONDS, listen, serve
from consumers.people.errors import PeopleUnavailable
from consumers.people.principal import Role
from tests.api.served import DEADLINE_SECONDS, Follower, Served, until
from tests.api.world import ADMIN, PASSWORD, USER, World, finding, signed_in
from tests.people.stores import admin

ROOT = Path(__file__).parents[2]
MUCH = 16_000


def test_what_is_appended_arrives_with_its_header_and_a_place_to_resume(served: Served, world: World) -> None:
    event = finding(1, severity=4, summary="Something\nwith \u2028 breaks")
    with Follower(served) as follower:
        opening = follower.blocks(1)[0]

        world.log.append([event])
        block = follower.events(1)[0]

    assert opening == {"retry": "2000", "id": "genesis"}
    data = json.loads(block["data"])
    assert (data["id"], data["severity_name"], data["summary"]) == (event.id, "CRITICAL", event.summary)
    assert data["position"] == block["id"]


def test_a_client_resumes_behind_what_it_had(served: Served, world: World) -> None:
    with Follower(served) as first:
        first.blocks(1)
        world.log.append([finding(n) for n in range(4)])
        had = first.events(2)
    world.log.append([finding(n) for n in range(4, 8)])

    rest = []
    for query, last in (("", had[-1]["id"]), (f"?after={had[-1]['id']}", "")):
        with Follower(served, query, last_event_id=last) as again:
            rest.append({json.loads(block["data"])["id"] for block in again.events(6)})

    everything = {finding(n).id for n in range(8)}
    assert rest[0] == rest[1] == everything - {json.loads(block["data"])["id"] for block in had}


def test_a_client_may_begin_at_the_beginning_and_goes_on_live(served: Served, world: World) -> None:
    world.log.append([finding(n) for n in range(1200)])

    with Follower(served, "?after=genesis") as follower:
        backlog = follower.events(1200)
        world.log.append([finding(5000)])
        live = follower.events(1)

    assert len({json.loads(block["data"])["id"] for block in backlog + live}) == 1201


def test_filters_let_through_what_is_wanted(served: Served, world: World) -> None:
    wanted = [finding(n, severity=3, source="aws.health") for n in range(3)]
    with Follower(served, "?severity=high&source=aws.health&type=finding.observed") as follower:
        follower.blocks(1)

        world.log.append([finding(10), finding(11, severity=3), wanted[0], finding(12, source="aws.health"), *wanted[1:]])

        assert {json.loads(block["data"])["id"] for block in follower.events(3)} == {event.id for event in wanted}


def test_account_resource_and_words_filter_where_the_feed_is_served(served: Served, world: World) -> None:
    wanted = finding(1, summary="The disk is full", account="444455556666", resources=("arn:aws:x:one", "arn:aws:x:two"))
    others = [replace(wanted, id=finding(n).id, **change) for n, change in enumerate(OTHERS, 2)]
    with Follower(served, "?account=444455556666&resource=arn:aws:x:two&text=full+disk") as follower:
        follower.blocks(1)

        world.log.append([*others, wanted])

        assert json.loads(follower.events(1)[0]["data"])["id"] == wanted.id


OTHERS: list[dict[str, Any]] = [
    {"account": "111122223333"},
    {"resources": ("arn:aws:x:one",)},
    {"summary": "The disk is fuller"},
]


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("severity=bad", "severity"),
        ("after=nonsense", "after"),
        ("source=" + "x" * 300, "source"),
        ("type=" + "x" * 300, "type"),
        ("account=123", "account"),
        ("resource=" + "x" * 3000, "resource"),
        ("text=" + "x" * 201, "text"),
    ],
)
def test_a_wrong_wish_is_refused_with_its_field(served: Served, query: str, field: str) -> None:
    answer = served.get(f"/feed?{query}")

    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == field


def test_a_wrong_last_event_id_is_refused(served: Served) -> None:
    with Follower(served, last_event_id="nonsense") as refused:
        assert refused.status == 422


def test_a_quiet_client_hears_heartbeats_that_carry_where_it_stands(world: World) -> None:
    with Served(world.application(heartbeat_seconds=0.05)) as served, Follower(served, "?severity=critical") as follower:
        follower.blocks(1)
        world.log.append([finding(1)])
        until(lambda: follower.blocks(1)[0].get("id", "").startswith("shard-"))


def test_a_client_that_hangs_up_is_forgotten(served: Served) -> None:
    with Follower(served) as follower:
        follower.blocks(1)
        assert metric(served, "findstream_feed_clients") == 1

    until(lambda: metric(served, "findstream_feed_clients") == 0)


def test_a_slow_client_is_dropped_and_resumes_without_loss(world: World) -> None:
    """It reads nothing while far more is appended than the sockets and its queue hold; it never costs more than these."""
    with Served(world.application(feed_capacity=200, send_seconds=10 * DEADLINE_SECONDS)) as served:
        with Follower(served, buffer_bytes=4096) as slow:
            slow.blocks(1)
            world.log.append([finding(0, summary="x" * 500)])
            blocks = slow.blocks(1)
            append_much(world)
            until(lambda: metric(served, "findstream_feed_events_total") == MUCH)
            blocks += slow.blocks(MUCH + 1)
        last = blocks[-1]
        had = {json.loads(block["data"])["id"] for block in blocks[:-1] if "data" in block}

        assert slow.ended
        assert last["event"] == "dropped"
        assert json.loads(last["data"])["resume"] == last["id"]
        assert metric(served, "findstream_feed_dropped_total") == 1
        assert 0 < len(had) < MUCH

        with Follower(served, last_event_id=last["id"]) as resumed:
            rest = {json.loads(block["data"])["id"] for block in resumed.events(MUCH - len(had))}

    assert not had & rest
    assert len(had | rest) == MUCH


@pytest.mark.parametrize("query", ["", "?after=genesis"])
def test_a_client_that_takes_nothing_is_disconnected(world: World, query: str) -> None:
    if query:
        append_much(world)
    with (
        Served(world.application(feed_capacity=MUCH, send_seconds=0.2)) as served,
        Follower(served, query, buffer_bytes=4096) as stuck,
    ):
        stuck.blocks(1)
        if not query:
            append_much(world)
        until(lambda: metric(served, "findstream_feed_clients") == 0)
        assert metric(served, "findstream_feed_dropped_total") == 1


def test_head_of_the_feed_is_answered_and_ends(served: Served) -> None:
    answer = httpx.head(f"{served.url}/feed", headers=signed_in(), timeout=DEADLINE_SECONDS)

    assert answer.headers["content-type"].startswith("text/event-stream")
    assert metric(served, "findstream_feed_clients") == 0


def test_more_clients_than_allowed_are_told_to_come_later(world: World) -> None:
    with Served(world.application(most_clients=1)) as served, Follower(served) as first:
        first.blocks(1)

        refused = served.get("/feed")

        assert refused.status_code == 503
        assert refused.headers["retry-after"]


def test_stopping_ends_open_streams_at_once(world: World) -> None:
    with Served(world.application()) as server, ExitStack() as stack:
        followers = [stack.enter_context(Follower(server)) for _ in range(5)]
        for follower in followers:
            follower.blocks(1)
        started = time.monotonic()

        server.stop.set()

        assert [follower.blocks(9) for follower in followers] == [[]] * 5
        server.thread.join(DEADLINE_SECONDS)
        assert not server.thread.is_alive()
        assert time.monotonic() - started < GRACE_SECONDS


SCRIPT = """
import signal, sys, threading
from consumers.api.server import serve
from tests.api.world import ADMIN, World, signed_in
stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
serve(World().application(), 0, stop)
"""


@pytest.fixture
def process() -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen([sys.executable, "-c", SCRIPT], cwd=ROOT, stderr=subprocess.PIPE, text=True) as started:
        yield started
        started.kill()


def test_a_process_with_open_streams_ends_cleanly_on_sigterm(process: subprocess.Popen[str]) -> None:
    assert process.stderr is not None
    said = process.stderr.readline()
    assert "listens on http://127.0.0.1:" in said
    with Follower(int(said.partition("127.0.0.1:")[2].split()[0])) as follower:
        follower.blocks(1)

        os.kill(process.pid, signal.SIGTERM)

        assert process.wait(DEADLINE_SECONDS) == 0
        assert follower.blocks(1) == []
        assert process.stderr.read() == ""


def test_a_port_that_is_taken_is_an_error_before_anything_is_served(world: World) -> None:
    with listen(0) as taken, pytest.raises(OSError, match="in use"):
        serve(world.application(), taken.getsockname()[1], threading.Event())


def metric(served: Served, name: str) -> float:
    """The sum over all labels."""
    lines = served.get("/metrics").text.splitlines()
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.split("{")[0].split(" ")[0] == name)


def append_much(world: World) -> None:
    """More than the buffers of two sockets hold."""
    for start in range(0, MUCH, 20):
        world.log.append([finding(n, summary="x" * 500) for n in range(start, start + 20)])


def test_a_follower_who_is_signed_out_is_no_longer_told(world: World) -> None:
    with Served(world.application(heartbeat_seconds=0.02)) as served, Follower(served) as follower:
        follower.blocks(2)

        world.people.sessions.end_all(ADMIN.id)
        while not follower.ended:
            follower.blocks(1)

        assert served.get("/feed").status_code == 401


def test_a_user_is_not_told_of_tasks_and_configurations(served: Served, world: World) -> None:
    kinds = ("task.created", "finding.observed", "config.changed", "notice.sent", "agent.beat")
    told = [replace(finding(n), type=kind) for n, kind in enumerate(kinds)]
    world.log.append(told)

    with Follower(served, "?after=genesis", who=USER) as user, Follower(served, "?after=genesis") as admin:
        assert {json.loads(block["data"])["type"] for block in admin.events(5)} == set(kinds)
        assert {json.loads(block["data"])["type"] for block in user.events(2)} == {"finding.observed", "agent.beat"}
        world.log.append([replace(finding(10), type="task.updated"), finding(11)])
        assert [json.loads(block["data"])["id"] for block in user.events(1)] == [finding(11).id]


def test_an_admin_who_is_one_no_longer_begins_anew(world: World) -> None:
    world.people.users.add(admin("second@example.org"), PASSWORD)
    with Served(world.application(heartbeat_seconds=0.02)) as served, Follower(served) as follower:
        follower.blocks(2)
        before = world.people.users.get(ADMIN.id)
        assert before is not None

        world.people.users.change(before, replace(before, role=Role.USER))
        while not follower.ended:
            follower.blocks(1)

        assert served.get("/feed?severity=bad").status_code == 422


def test_a_follower_stays_while_the_store_of_people_cannot_be_asked(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = threading.Event()

    def away(*_: object, **__: object) -> None:
        asked.set()
        message = "locked"
        raise PeopleUnavailable(message)

    with Served(world.application(heartbeat_seconds=0.02)) as served, Follower(served) as follower:
        follower.blocks(1)
        monkeypatch.setattr(world.people.sessions, "user", away)
        assert asked.wait(10)

        assert len(follower.blocks(3)) == 3
