"""Alerts over HTTP: what rules concluded, and what people do about it."""

from typing import Any

import pytest

from schemas.envelope import Envelope
from tests.api.desk_world import ADA, BOB, Client
from tests.api.judged import text
from tests.api.test_api_tasks import UNKNOWN, error
from tests.api.world import NOW_US, SECOND_US
from tests.support.facts import HOUR_US, alert, alert_id, finding

NOW = NOW_US / 1e6
BY_ADA = {"id": ADA.user_id, "name": "Ada"}
RAISED_US = NOW_US - HOUR_US
URL = f"/alerts/{alert_id(0)}"


@pytest.fixture
def client(desk_client: Client) -> Client:
    """A client of a world with an alert."""
    append(desk_client, alert("raised", RAISED_US, severity=3, account="111122223333"))
    return desk_client


def append(client: Client, *events: Envelope) -> None:
    client.world.log.append(events)


def move(client: Client, status: str, **more: Any) -> Any:
    headers = more.pop("headers", {})
    return client.put(f"{URL}/status", {"status": status, **more}, headers=headers)


def test_an_alert_is_told_with_all_that_explains_it(desk_client: Client) -> None:
    found = [finding(n) for n in range(3)]
    append(desk_client, *found)
    desk_client.post("/rules", json={"text": text()})
    ids = [event.id for event in found]
    append(desk_client, alert("raised", RAISED_US, severity=3, account="111122223333", event_ids=[*ids, "1-gone"]))

    told = desk_client.get(URL).json()

    assert {name: told[name] for name in ("id", "status", "title", "severity_name", "rule_id", "rule_version", "count")} == {
        "id": alert_id(0),
        "status": "open",
        "title": "Alert 0",
        "severity_name": "HIGH",
        "rule_id": "storm",
        "rule_version": 1,
        "count": 3,
    }
    assert told["window"] == {"since": RAISED_US / 1e6, "until": (RAISED_US + HOUR_US) / 1e6}
    assert (told["labels"], told["group"]) == ({"team": "blue"}, {"detail.ip": "192.0.2.1"})
    assert (told["event_ids"], [event["id"] for event in told["findings"]]) == ([*ids, "1-gone"], ids)
    assert (told["rule"]["version"], told["rule"]["title"], told["rule"]["by"]) == (1, "A storm", BY_ADA)
    assert [(entry["type"], entry["by"]) for entry in told["history"]] == [("alert.raised", None)]
    assert told["event_id"] == told["history"][0]["id"]


def test_an_alert_of_a_rule_that_is_not_known_is_told_without_it(client: Client) -> None:
    assert (client.get(URL).json()["rule"], client.get(URL).json()["findings"]) == (None, [])


def test_an_alert_is_acknowledged_resolved_and_reopened(client: Client) -> None:
    steps = []
    for revision, status in enumerate(("acknowledged", "resolved", "open")):
        client.world.clock.now_us += SECOND_US
        answer = move(client, status, revision=revision, comment=f"Step {revision}")
        shown = client.get(f"{URL}?at_least={revision + 1}").json()
        steps.append((answer.status_code, answer.json()["status"], answer.json()["revision"]))
        assert {name: shown[name] for name in answer.json()} == answer.json()

    assert steps == [(200, "acknowledged", 1), (200, "resolved", 2), (200, "open", 3)]
    assert [(told["type"], told["by"], told["comment"]) for told in shown["history"]] == [
        ("alert.raised", None, ""),
        ("alert.acknowledged", BY_ADA, "Step 0"),
        ("alert.resolved", BY_ADA, "Step 1"),
        ("alert.reopened", BY_ADA, "Step 2"),
    ]
    assert shown["history"][1]["cause"] == shown["event_id"]


def test_users_may_say_how_an_alert_stands(client: Client) -> None:
    client.as_(BOB)

    assert move(client, "acknowledged").status_code == 200
    assert client.get(URL).json()["history"][1]["by"] == {"id": BOB.user_id, "name": "Bob"}


def test_what_an_alert_is_already_changes_nothing(client: Client) -> None:
    assert (move(client, "open").json()["revision"], move(client, "open").status_code) == (0, 200)

    append(client, alert("resolved", NOW_US, by="", revision=0, event_id="1-b"))
    assert (move(client, "resolved").json()["status"], move(client, "resolved").json()["revision"]) == ("resolved", 0)


def test_a_step_is_decided_on_what_a_finding_did_meanwhile(client: Client) -> None:
    append(client, alert("resolved", RAISED_US + 9, by="", revision=0, event_id="1-b"))

    assert error(move(client, "acknowledged")) == (422, "value_refused", ["status"])
    assert move(client, "open").json()["status"] == "open"


def test_a_withdrawn_alert_can_only_be_reopened(client: Client) -> None:
    append(client, alert("withdrawn", RAISED_US + 9))

    assert client.get(URL).json()["status"] == "withdrawn"
    assert error(move(client, "resolved")) == (422, "value_refused", ["status"])
    assert move(client, "open").json()["status"] == "open"
    assert client.get(f"{URL}?at_least=1").json()["status"] == "open"


def test_two_who_act_at_once_do_not_overwrite_each_other(client: Client) -> None:
    move(client, "acknowledged", revision=0)

    assert error(move(client, "resolved", revision=0)) == (409, "version_conflict", ["version"])


def test_who_saw_an_alert_moved_that_nobody_has_moved_is_in_conflict(client: Client) -> None:
    assert error(move(client, "acknowledged", revision=3)) == (409, "version_conflict", ["version"])


def test_what_is_not_shown_yet_counts_all_the_same(client: Client) -> None:
    client.get(URL)
    client.world.paused = True
    first = move(client, "resolved")
    second = move(client, "resolved")

    assert (first.json()["revision"], second.json()["revision"], second.json()["status"]) == (1, 1, "resolved")
    assert error(move(client, "acknowledged")) == (422, "value_refused", ["status"])


def test_the_same_command_sent_again_is_done_once(client: Client) -> None:
    key = {"Idempotency-Key": "k1"}
    first = move(client, "resolved", headers=key)
    again = move(client, "resolved", headers=key)

    assert first.json() == again.json()
    assert len(client.get(URL).json()["history"]) == 2


def test_alerts_are_listed_newest_first_filtered_and_paged(desk_client: Client) -> None:
    append(desk_client, *(alert("raised", RAISED_US + n, n, severity=n % 5, account=f"{n % 2:012}") for n in range(10)))
    append(desk_client, *(alert("resolved", NOW_US, n) for n in range(5)))

    def listed(query: str = "") -> list[int]:
        return [int(one["id"][-12:], 16) for one in desk_client.get(f"/alerts{query}").json()["items"]]

    assert listed() == list(range(9, -1, -1))
    assert listed("?severity=HIGH") == [9, 8, 4, 3]
    assert listed("?account=000000000001") == [9, 7, 5, 3, 1]
    assert listed("?status=resolved") == [4, 3, 2, 1, 0]
    assert listed("?rule=none") == []
    assert listed(f"?from={(RAISED_US + 3) / 1e6:.6f}&to={(RAISED_US + 5) / 1e6:.6f}") == [4, 3]
    first = desk_client.get("/alerts?limit=7").json()
    rest = desk_client.get(f"/alerts?limit=7&cursor={first['next']}").json()
    assert (len(first["items"]), len(rest["items"]), rest["next"]) == (7, 3, None)


def test_what_goes_wrong_with_alerts_is_told(client: Client) -> None:
    assert client.get(f"/alerts/{UNKNOWN}").status_code == 404
    assert client.put(f"/alerts/{UNKNOWN}/status", {"status": "open"}).status_code == 404
    assert client.get("/alerts/nonsense").status_code == 422
    assert error(client.get("/alerts?cursor=x")) == (400, "cursor_rejected", ["cursor"])
    assert error(client.get("/alerts?from=2&to=1")) == (422, "value_refused", ["to"])
    assert error(move(client, "withdrawn"))[0] == 422
    assert error(move(client, "open", reason="x")) == (422, "value_refused", ["reason"])
    assert client.get(f"{URL}?at_least=9").status_code == 503
