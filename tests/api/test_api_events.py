"""Listing events, reading one, taking new ones in."""

import gzip
import threading
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import quote

import orjson
import pytest

from pipeline.log.port import Position
from tests.api.contract import Checked
from tests.api.served import Served, until
from tests.api.world import DAY_US, NOW_US, SECOND_US, World, finding


def ids(answer: object) -> list[str]:
    assert isinstance(answer, dict)
    return [item["id"] for item in answer["items"]]


def test_an_event_is_listed_with_its_whole_header(client: Checked, world: World) -> None:
    event = finding(1, severity=3, time_us=NOW_US - 1_500_000, summary="Port scan", resources=("arn:aws:ec2:::i-1",))
    world.log.append([event])

    item = client.get("/events").json()["items"][0]

    assert item == {
        "id": event.id,
        "type": "finding.observed",
        "time": NOW_US / 1e6 - 1.5,
        "recorded": NOW_US / 1e6,
        "source": "aws.guardduty",
        "account": "111122223333",
        "region": "eu-central-1",
        "severity": 3,
        "severity_name": "HIGH",
        "summary": "Port scan",
        "resources": ["arn:aws:ec2:::i-1"],
        "source_id": "source-1",
        "subject": "thing/1",
        "position": item["position"],
    }
    assert world.log.fetch([Position.parse(item["position"])])[0] is not None


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ("severity=high", [3]),
        ("severity=HIGH", [3]),
        ("severity=3", [3]),
        ("severity=2", [3, 2]),
        ("source=aws.health", [2]),
        ("account=999900001111", [1]),
        ("resource=arn%3Ax%2C1", [1]),
        ("text=disk+FULL", [2]),
        (f"from={NOW_US / 1e6 - 20}", [3, 2]),
        (f"to={NOW_US / 1e6 - 20}", [1]),
        (f"from={NOW_US / 1e6 - 20}&to={NOW_US / 1e6 - 10}", [2]),
        ("direction=asc", [1, 2, 3]),
        ("limit=1", [3]),
        ("severity=5", []),
        ("source=", [3, 2, 1]),
    ],
)
def test_filters_reach_the_index(client: Checked, world: World, filters: str, expected: list[int]) -> None:
    events = {
        1: finding(1, time_us=NOW_US - 30 * SECOND_US, severity=1, account="999900001111", resources=("arn:x,1",)),
        2: finding(2, time_us=NOW_US - 20 * SECOND_US, severity=2, source="aws.health", summary="The disk is full"),
        3: finding(3, time_us=NOW_US - 10 * SECOND_US, severity=3),
    }
    world.log.append(list(events.values()))

    assert [events[n].id for n in expected] == ids(client.get(f"/events?{filters}").json())


def test_pages_follow_each_other_both_ways(client: Checked, world: World) -> None:
    world.log.append([finding(n, time_us=NOW_US - n * SECOND_US) for n in range(5)])

    first = client.get("/events?limit=2").json()
    second = client.get("/events", params={"limit": "2", "cursor": first["next"]}).json()
    third = client.get("/events", params={"limit": "2", "cursor": second["next"]}).json()
    back = client.get("/events", params={"limit": "2", "cursor": second["previous"]}).json()

    assert len({*ids(first), *ids(second), *ids(third)}) == 5
    assert first["previous"] is None
    assert third["next"] is None
    assert ids(back) == ids(first)


def test_a_cursor_of_other_filters_is_refused(client: Checked, world: World) -> None:
    world.log.append([finding(n) for n in range(3)])
    cursor = client.get("/events?limit=1").json()["next"]

    answer = client.get("/events", params={"limit": "1", "severity": "3", "cursor": cursor})

    assert answer.status_code == 400
    assert answer.json()["error"]["code"] == "cursor_rejected"
    assert answer.json()["error"]["details"][0]["field"] == "cursor"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("limit=0", "limit"),
        ("limit=201", "limit"),
        ("limit=many", "limit"),
        ("severity=terrible", "severity"),
        ("severity=6", "severity"),
        ("from=yesterday", "from"),
        ("from=-1", "from"),
        ("to=99999999999999", "to"),
        ("from=nan", "from"),
        ("account=12", "account"),
        ("direction=up", "direction"),
        ("limit=1&limit=2", "limit"),
        ("text=" + "x" * 201, "text"),
        ("fresh=nonsense", "fresh"),
        ("from=9&to=3", "to"),
        ("from=9&to=9", "to"),
    ],
)
def test_a_wrong_parameter_is_named(client: Checked, query: str, field: str) -> None:
    answer = client.get(f"/events?{query}")

    assert answer.status_code == 422
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("GET", "/events", "from, to, source, severity, account, resource, text, limit, direction, cursor, fresh"),
        (
            "GET",
            "/tasks",
            "status, priority, assignee, unassigned, created_by, event, overdue, due_before, text, limit, offset, fresh",
        ),
        ("GET", "/agents/111122223333", "at_least, fresh"),
        ("GET", "/feed", "account, after, resource, severity, source, text, type"),
    ],
)
def test_a_parameter_that_a_route_does_not_have_is_refused_with_those_it_has(
    client: Checked, method: str, path: str, accepted: str
) -> None:
    answer = client.request(method, f"{path}?sevrity=high&bogus=")

    why = f"is no parameter here; accepted are {accepted}"
    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "sevrity", "message": why}, {"field": "bogus", "message": why}]


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/events"), ("GET", "/health"), ("GET", "/projections"), ("GET", "/metrics")]
)
def test_a_route_without_parameters_says_so(client: Checked, world: World, method: str, path: str) -> None:
    answer = client.request(method, f"{path}?bogus=1", json={"number": 1, "time": 1} if method == "POST" else None)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "bogus", "message": "is no parameter here; there are none"}]
    assert world.log.heads() == {}


def test_an_event_is_read_whole_by_its_id(client: Checked, world: World) -> None:
    event = finding(1, data={"kind": "generic", "raw": {"deep": [1, {"er": None}]}})
    world.log.append([event])

    answer = client.get(f"/events/{event.id}").json()

    assert answer["data"] == {"kind": "generic", "raw": {"deep": [1, {"er": None}]}}
    assert answer["version"] == 1
    assert answer["shared_by"] == []


@pytest.mark.parametrize("source_id", ["plain", "arn:aws:x/with/slash", "ha%2Fsh#?&+ü", 'quo"te'])
def test_an_event_is_found_by_the_id_of_its_source(client: Checked, world: World, source_id: str) -> None:
    event = finding(1, source_id=source_id)
    world.log.append([event])

    assert client.get(f"/events/{quote(source_id, safe='')}").json()["id"] == event.id


def test_events_that_share_a_source_id_are_told_with_the_newest_whole(client: Checked, world: World) -> None:
    older = finding(1, source_id="same", time_us=NOW_US - DAY_US)
    newer = finding(2, source_id="same", time_us=NOW_US - SECOND_US)
    world.log.append([older, newer])

    answer = client.get("/events/same").json()

    assert answer["id"] == newer.id
    assert [other["id"] for other in answer["shared_by"]] == [older.id]


def test_an_unknown_event_is_not_found(client: Checked) -> None:
    answer = client.get("/events/1700000000-00000000-0000-8000-8000-000000000000")

    assert answer.status_code == 404
    assert answer.json()["error"]["code"] == "not_found"


def test_new_events_are_accepted_and_known_ones_counted_as_duplicates(client: Checked) -> None:
    item = {"number": 1, "time": 1_795_000_000}

    first = client.post("/events", json=item)
    again = client.post("/events", json=[item, item])

    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json() | {"positions": 1, "ids": 1} == {
        "read": 1, "accepted": 1, "duplicate": 0, "quarantined": 0, "positions": 1, "ids": 1,
    }  # fmt: skip
    assert again.json()["duplicate"] == 2
    assert again.json()["ids"] == first.json()["ids"] * 2


def test_what_was_posted_is_read_with_its_positions(client: Checked, world: World) -> None:
    world.reading.folded = {}
    posted = client.post("/events", json={"number": 1, "time": 1_795_000_000}).json()
    query = {"fresh": ",".join(posted["positions"])}

    stale = client.get("/events", params=query)
    world.reading.folded = world.log.heads()
    fresh = client.get("/events", params=query)
    by_header = client.get(f"/events/{posted['ids'][0]}", headers={"Findstream-Fresh": query["fresh"]})

    assert stale.status_code == 503
    assert stale.headers["retry-after"] == "1"
    assert stale.json()["error"]["code"] == "not_fresh"
    assert ids(fresh.json()) == posted["ids"]
    assert by_header.status_code == 200


def test_lines_and_gzip_pass_to_ingest_untouched(client: Checked) -> None:
    lines = b"\n".join(orjson.dumps({"number": n, "time": 1_795_000_000}) for n in range(3))

    plain = client.post("/events", content=lines, headers={"Content-Type": "application/x-ndjson"})

    assert plain.json()["accepted"] == 3
    assert client.post("/events", content=gzip.compress(lines), headers={"Content-Encoding": "br"}).status_code == 415


def test_bad_input_names_item_and_field(client: Checked, world: World) -> None:
    answer = client.post("/events", json=[{"number": 1, "time": 1}, {"number": 2}])

    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "[1].time", "message": "is missing"}]
    assert world.log.heads() == {}


def test_the_first_item_of_an_array_has_its_number_too(client: Checked) -> None:
    def field(content: object) -> str:
        return str(client.post("/events", json=content).json()["error"]["details"][0]["field"])

    assert field([{"number": 1}, {"number": 2, "time": 1}]) == "[0].time"
    assert field([{"number": 1}]) == "[0].time"
    assert field({"number": 1}) == "time"


def test_input_that_is_no_json_is_refused(client: Checked) -> None:
    answer = client.post("/events", content=b'{"number": ')

    assert answer.status_code == 422
    assert answer.json()["error"]["details"][0]["field"] == "body"
    assert client.post("/events", content=b"").status_code == 422


def test_forms_are_not_read(client: Checked) -> None:
    answer = client.post("/events", files={"f": b"{}"})

    assert answer.status_code == 415


@pytest.mark.parametrize("kind", ["application/xml", "text/xml; charset=utf-8", "image/svg+xml", "text/html", "application/pdf"])
def test_a_body_that_says_it_is_no_json_is_not_guessed_at(client: Checked, world: World, kind: str) -> None:
    answer = client.post("/events", content=b'{"number":1,"time":1}', headers={"Content-Type": kind})

    assert answer.status_code == 415
    assert answer.json()["error"]["code"] == "body_unreadable"
    assert answer.json()["error"]["details"][0]["field"] == "Content-Type"
    assert world.log.heads() == {}


@pytest.mark.parametrize(
    "kind",
    [
        "application/json; charset=utf-8", "application/x-ndjson", "application/cloudevents+json", "application/x-amz-json-1.1",
        "text/plain; charset=UTF-8", "application/x-www-form-urlencoded", "application/octet-stream", "",
    ],
)  # fmt: skip
def test_json_is_read_under_all_names_that_senders_give_it(client: Checked, kind: str) -> None:
    answer = client.post("/events", content=b'{"number":1,"time":1}', headers={"Content-Type": kind})

    assert answer.status_code == 202


@pytest.mark.parametrize("body", [b'{"number":1,"time":1}', b"\xff\xfe\x00", b""])
def test_a_body_that_is_not_the_gzip_it_says_to_be_is_unreadable(client: Checked, body: bytes) -> None:
    answer = client.post("/events", content=body, headers={"Content-Encoding": "gzip"})

    assert answer.status_code == 415
    assert answer.json()["error"]["details"] == [{"field": "Content-Encoding", "message": "the body is not gzip"}]


async def _parts() -> AsyncIterator[bytes]:
    yield b"x" * 60
    yield b"x" * 60


def test_a_body_over_the_limit_is_refused_however_it_is_announced(world: World) -> None:
    with Checked(world.application(max_body_bytes=100)) as client:
        announced = client.post("/events", content=b"x" * 101)
        streamed = client.post("/events", content=_parts())
        small = client.post("/events", content=b" " * 60 + b'{"number":1,"time":1}')

    assert announced.status_code == streamed.status_code == 413
    assert announced.json()["error"]["code"] == "body_too_large"
    assert small.status_code == 202


def test_posts_at_the_same_time_reach_ingest_at_the_same_time(served: Served, world: World) -> None:
    """The log commits concurrent appends in groups; a server that lets one in after the other would undo that."""
    world.ingest.hold.clear()
    with ThreadPoolExecutor(20) as pool:
        answers = [pool.submit(served.post, "/events", {"number": n, "time": 1}) for n in range(20)]
        until(lambda: world.ingest.waiting == 20)
        world.ingest.hold.set()
        numbers = sorted(answer.result().json()["accepted"] for answer in answers)

    assert world.ingest.most_waiting == 20
    assert numbers == [1] * 20


def test_reads_that_wait_for_positions_keep_no_others_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    go_on = threading.Event()
    waiting = threading.Semaphore(0)

    def wait_for(*_: object) -> None:
        waiting.release()
        assert go_on.wait(10)

    monkeypatch.setattr(world.reading, "wait_for", wait_for)
    with Served(world.application(threads=2)) as served, ThreadPoolExecutor(4) as pool:
        stuck = [pool.submit(served.get, "/events?fresh=shard-0:1:0") for _ in range(4)]
        assert waiting.acquire(timeout=10)
        assert waiting.acquire(timeout=10)

        read = served.get("/health")
        written = served.post("/events", {"number": 1, "time": 1})
        go_on.set()

    assert (read.status_code, written.status_code) == (200, 202)
    assert [answer.result().status_code for answer in stuck] == [200] * 4
