"""The routing over HTTP, from command to what reads show, and the path of things through it."""

from typing import Any, NoReturn

import orjson
import pytest

from consumers.api.routing_checks import hints
from consumers.notifier.errors import ChannelsRejected
from consumers.notifier.routing import text
from consumers.notifier.routing.text import default_text
from tests.api.contract import Checked
from tests.api.decided import TEXT
from tests.api.desk_world import ADA, BOB, Client
from tests.api.test_api_tasks import error
from tests.api.world import NOW_US, SECOND_US, World, finding
from tests.support.facts import ACCOUNT, alert, alert_id, fact

NOW = NOW_US / 1e6
BY_ADA = {"id": ADA.user_id, "name": "Ada"}
OTHER = TEXT.replace("oncall", "night")


def publish(client: Client, text: str = TEXT, version: int = 0, **fields: Any) -> Any:
    return client.put("/routing", {"text": text, "version": version, **fields})


def test_the_default_holds_until_somebody_publishes_another(desk_client: Client) -> None:
    shown = desk_client.get("/routing").json()

    assert shown == {"version": 0, "by": None, "published": None, "comment": "", "text": default_text()}
    assert desk_client.get("/routing/versions").json()["items"] == []
    assert desk_client.get("/routing/versions/1").status_code == 404


def test_the_routing_is_published_version_by_version(desk_client: Client) -> None:
    first = publish(desk_client, comment="To begin with")
    desk_client.world.clock.now_us += SECOND_US
    second = publish(desk_client, OTHER, 1)
    shown = desk_client.get("/routing?at_least=2").json()
    versions = desk_client.get("/routing/versions").json()["items"]
    former = desk_client.get("/routing/versions/1").json()

    assert (first.status_code, first.json()) == (
        200,
        {"version": 1, "by": BY_ADA, "published": NOW, "comment": "To begin with", "text": TEXT, "hints": []},
    )
    assert shown == {"version": 2, "by": BY_ADA, "published": NOW + 1, "comment": "", "text": OTHER}
    assert second.json() == {**shown, "hints": []}
    assert [(v["version"], v["published"], v["by"], v["comment"]) for v in versions] == [
        (2, NOW + 1, BY_ADA, ""),
        (1, NOW, BY_ADA, "To begin with"),
    ]
    assert former == {**versions[1], "text": TEXT}


def test_publishing_what_holds_changes_nothing(desk_client: Client) -> None:
    publish(desk_client)

    assert publish(desk_client, version=1).json()["version"] == 1
    assert len(desk_client.get("/routing/versions").json()["items"]) == 1


def test_a_routing_is_published_against_the_version_that_was_seen(desk_client: Client) -> None:
    publish(desk_client)
    stale = publish(desk_client, OTHER, 0)

    assert error(stale) == (409, "version_conflict", ["version"])
    assert stale.headers["Findstream-Version"] == "1"
    assert error(desk_client.put("/routing", {"text": OTHER})) == (422, "value_refused", ["version"])
    assert desk_client.get("/routing?at_least=2").status_code == 503


def test_a_text_that_is_no_routing_is_refused_naming_line_and_field_of_each_flaw(desk_client: Client) -> None:
    flawed = TEXT.replace("severity>=HIGH", "severity>=LOUD").replace("name: nobody", "name: grave")

    answer = publish(desk_client, flawed)
    linted = desk_client.post("/routing/lint", json={"text": flawed}).json()

    assert answer.status_code == 422
    details = {detail["field"]: detail["message"] for detail in answer.json()["error"]["details"]}
    assert list(details) == ["text.routes.routes.0.matchers.0", "text.routes.routes.1.name"]
    assert details["text.routes.routes.0.matchers.0"].startswith("line 5: ")
    assert linted["sound"] is False
    assert [(flaw["line"], flaw["field"]) for flaw in linted["flaws"]] == [
        (5, "routes.routes.0.matchers.0"),
        (8, "routes.routes.1.name"),
    ]
    assert desk_client.get("/routing").json()["version"] == 0


@pytest.mark.parametrize("text", ["- a", "routes: [", "x: &a 1"])
def test_what_is_no_document_is_refused(desk_client: Client, text: str) -> None:
    (detail,) = publish(desk_client, text).json()["error"]["details"][:1]

    assert detail["field"].startswith("text")


def test_a_text_is_looked_at_without_being_kept(desk_client: Client) -> None:
    linted = desk_client.post("/routing/lint", json={"text": TEXT}).json()

    assert linted == {
        "sound": True,
        "flaws": [],
        "routes": ["root", "grave", "nobody"],
        "channels": ["default", "oncall"],
        "reports": [],
        "hints": [],
    }
    assert desk_client.get("/routing").json()["version"] == 0


def test_a_channel_that_is_not_here_keeps_nothing_from_being_published_and_is_named(desk_client: Client) -> None:
    desk_client.world.channels = {"default": None}
    told = ["no channel is named oncall here: what goes there is held", "channel default has no address: what goes there is held"]

    assert desk_client.post("/routing/lint", json={"text": TEXT}).json()["hints"] == told
    assert publish(desk_client).json()["hints"] == told


def test_a_routing_is_published_though_channels_cannot_be_opened(desk_client: Client) -> None:
    def broken() -> NoReturn:
        message = "the channels file has a flaw"
        raise ChannelsRejected(message)

    assert hints(text.read(TEXT), broken) == []
    assert publish(desk_client).status_code == 200


def test_a_text_may_have_so_many_bytes(desk_client: Client) -> None:
    long = TEXT + "#" + "é" * 65_536

    assert error(publish(desk_client, long)) == (422, "value_refused", ["text"])
    assert error(publish(desk_client, TEXT + "#" * 131_072)) == (422, "value_refused", ["text"])


@pytest.mark.parametrize("kind", ["application/yaml", "text/yaml; charset=utf-8"])
def test_a_routing_may_be_sent_as_the_document_that_it_is(desk_client: Client, kind: str) -> None:
    def put(text: bytes, query: str) -> Any:
        return desk_client.request("PUT", f"/routing{query}", content=text, headers={"Content-Type": kind})

    published = put(TEXT.encode(), "?version=0&comment=Nights")
    linted = desk_client.request("POST", "/routing/lint", content=b"x: 1", headers={"Content-Type": kind}).json()

    assert (published.status_code, published.json()["text"], published.json()["comment"]) == (200, TEXT, "Nights")
    assert linted["sound"] is False
    assert error(put(OTHER.encode(), "")) == (422, "value_refused", ["version"])
    assert error(put(b"\xff", "?version=1")) == (422, "value_refused", ["text"])
    assert error(put(b"", "?version=1")) == (422, "value_refused", ["text"])


def test_no_other_command_is_read_as_yaml(desk_client: Client) -> None:
    answer = desk_client.request("POST", "/rules", content=b"id: x", headers={"Content-Type": "application/yaml"})

    assert answer.status_code == 415


def test_the_same_publication_sent_again_is_one(desk_client: Client) -> None:
    sent = {"text": TEXT, "version": 0}
    first = desk_client.put("/routing", sent, headers={"Idempotency-Key": "k1"})
    again = desk_client.put("/routing", sent, headers={"Idempotency-Key": "k1"})

    assert (first.status_code, first.json()) == (again.status_code, again.json())


def test_users_read_and_try_the_routing_and_admins_write_it(desk_client: Client) -> None:
    publish(desk_client)
    desk_client.as_(BOB)

    assert desk_client.get("/routing").json()["by"] == BY_ADA
    assert desk_client.get("/routing/versions/1").status_code == 200
    assert desk_client.post("/routing/test", json={"fields": {"source": "x"}}).status_code == 200
    assert publish(desk_client, OTHER, 1).status_code == 403
    assert desk_client.post("/routing/lint", json={"text": TEXT}).status_code == 403


def path(client: Client, **asked: Any) -> dict[str, Any]:
    answer = client.post("/routing/test", json=asked)
    assert answer.status_code == 200, answer.text
    found: dict[str, Any] = answer.json()
    return found


def test_the_path_of_a_finding_tells_what_failed_and_who_is_told(desk_client: Client) -> None:
    publish(desk_client)
    grave, light = finding(1, severity=3), finding(2, severity=1)
    desk_client.world.log.append([grave, light])

    told, untold = path(desk_client, event_id=grave.id), path(desk_client, event_id=light.id)

    assert (told["version"], told["told_as"], told["silenced_by"]) == (1, "moment", [])
    assert (told["fields"]["source"], told["fields"]["severity"]) == ("aws.guardduty", "HIGH")
    assert told["steps"] == [
        {"path": ["root"], "matched": True, "failed": [], "decides": False},
        {"path": ["root", "grave"], "matched": True, "failed": [], "decides": True},
    ]
    assert told["taken"] == [
        {
            "path": ["root", "grave"],
            "channel": "oncall",
            "group": {"account": "111122223333", "source": "aws.guardduty"},
            "alone": False,
        }
    ]
    assert untold["steps"][1] == {
        "path": ["root", "grave"],
        "matched": False,
        "failed": [{"matcher": "severity>=HIGH", "value": "LOW"}],
        "decides": False,
    }
    assert (untold["taken"][0]["path"], untold["taken"][0]["channel"]) == (["root", "nobody"], "")


def test_the_path_of_an_alert_is_that_of_the_event_that_raised_it(desk_client: Client) -> None:
    raised = alert("raised", NOW_US, severity=4, account=ACCOUNT)
    desk_client.world.log.append([raised])
    blue = "{name: blue, matchers: [label.team=blue, rule=storm], channel: blue, group_by: [group.detail.ip]}"
    text = f"routes:\n  routes:\n  - {blue}\n"
    publish(desk_client, text)

    found = path(desk_client, alert_id=alert_id(0))

    assert (found["told_as"], found["fields"]["type"], found["fields"]["severity"]) == ("firing", "alert.raised", "CRITICAL")
    assert (found["fields"]["subject"], found["fields"]["source"]) == (raised.subject, raised.source)
    assert found["taken"] == [
        {"path": ["root", "blue"], "channel": "blue", "group": {"group.detail.ip": "192.0.2.1"}, "alone": False}
    ]


def test_fields_can_be_tried_on_a_routing_that_is_not_published(desk_client: Client) -> None:
    alone = 'routes:\n  channel: default\n  group_by: ["..."]\n'

    found = path(desk_client, fields={"source": "aws.x"}, text=alone)

    assert (found["version"], found["taken"]) == (-1, [{"path": ["root"], "channel": "default", "group": {}, "alone": True}])
    assert error(desk_client.post("/routing/test", json={"fields": {"source": "x"}, "text": "x"}))[:2] == (422, "value_refused")


def test_a_path_tells_which_silences_match_just_now(desk_client: Client) -> None:
    def silence(*matchers: str, starts: float | None = None) -> str:
        body = {"matchers": matchers, "ends": NOW + 3600, "comment": "x", **({"starts": starts} if starts else {})}
        made: str = desk_client.post("/silences", json=body).json()["id"]
        return made

    matching = silence("source=aws.*")
    silence("source=other")
    silence("source=aws.x", starts=NOW + 60)

    assert path(desk_client, fields={"source": "aws.x"})["silenced_by"] == [matching]


def test_what_cannot_be_tried_is_refused(desk_client: Client) -> None:
    bodies: list[dict[str, Any]] = [{}, {"event_id": "1-x", "alert_id": "2"}, {"fields": {}}]
    for body in bodies:
        assert desk_client.post("/routing/test", json=body).status_code == 422
    assert desk_client.post("/routing/test", json={"event_id": "1-x"}).status_code == 404
    assert desk_client.post("/routing/test", json={"alert_id": alert_id(9)}).status_code == 404


def test_what_is_told_to_nobody_by_its_nature_has_no_path(client: Checked, world: World) -> None:
    told = orjson.dumps({"channel": "default", "event_ids": ["1-x"]})
    event = fact("notice.sent", NOW_US, 2, body=told)
    world.log.append([event])

    found = client.post("/routing/test", json={"event_id": event.id}).json()

    assert (found["told_as"], found["fields"], found["steps"], found["taken"]) == ("nothing", {}, [], [])
