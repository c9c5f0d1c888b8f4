"""Silences over HTTP, from command to what reads show."""

from typing import Any

import pytest

from consumers.notifier.groups.state import Member
from consumers.notifier.notice import Cause
from pipeline.log.port import Position
from tests.api.desk_world import ADA, BOB, EVE, Client
from tests.api.test_api_tasks import error
from tests.api.world import HOUR_US, NOW_US, SECOND_US, finding

NOW = NOW_US / 1e6
HOUR = 3600
BY_ADA = {"id": ADA.user_id, "name": "Ada"}
BY_BOB = {"id": BOB.user_id, "name": "Bob"}


def asked(**fields: Any) -> dict[str, Any]:
    return {"matchers": ["source=aws.guardduty"], "ends": NOW + HOUR, "comment": "We know", **fields}


def create(client: Client, **fields: Any) -> dict[str, Any]:
    answer = client.post("/silences", json=asked(**fields))
    assert answer.status_code == 201, answer.text
    found: dict[str, Any] = answer.json()
    return found


def listed(client: Client, query: str = "") -> list[str]:
    return [one["comment"] for one in client.get(f"/silences{query}").json()["items"]]


def test_a_silence_is_created_changed_and_ended(desk_client: Client) -> None:
    made = create(desk_client)
    at = f"/silences/{made['id']}"
    desk_client.as_(BOB).world.clock.now_us += SECOND_US
    changed = desk_client.put(at, {"ends": NOW + 2 * HOUR, "comment": "Longer", "revision": 1}).json()
    shown = desk_client.get(f"{at}?at_least=2").json()
    desk_client.world.clock.now_us += SECOND_US
    ended = desk_client.delete(f"{at}?revision=2&comment=Mended").json()
    gone = desk_client.get(f"{at}?at_least=3").json()

    assert made == {
        "id": made["id"],
        "status": "active",
        "matchers": ["source=aws.guardduty"],
        "starts": NOW,
        "ends": NOW + HOUR,
        "comment": "We know",
        "by": BY_ADA,
        "created": NOW,
        "expired": False,
        "revision": 1,
    }
    assert changed == {**made, "ends": NOW + 2 * HOUR, "comment": "Longer", "revision": 2}
    assert {name: shown[name] for name in changed} == changed
    assert ended == {**changed, "status": "ended", "ends": NOW + 2, "expired": True, "revision": 3}
    assert {name: gone[name] for name in ended} == ended
    assert [(c["what"], c["time"], c["by"], c["comment"], c["ends"]) for c in gone["changes"]] == [
        ("created", NOW, BY_ADA, "We know", NOW + HOUR),
        ("changed", NOW + 1, BY_BOB, "Longer", NOW + 2 * HOUR),
        ("expired", NOW + 2, BY_BOB, "Mended", NOW + 2),
    ]


def test_silences_are_listed_by_their_end_and_filtered_by_how_they_stand(desk_client: Client) -> None:
    create(desk_client, comment="short", ends=NOW + HOUR)
    create(desk_client, comment="long", ends=NOW + 3 * HOUR)
    create(desk_client, comment="later", starts=NOW + HOUR, ends=NOW + 2 * HOUR)
    over = create(desk_client, comment="over", ends=NOW + 4 * HOUR)
    desk_client.world.clock.now_us += SECOND_US
    desk_client.delete(f"/silences/{over['id']}")

    assert listed(desk_client) == ["long", "later", "short", "over"]
    assert listed(desk_client, "?status=active") == ["long", "short"]
    assert listed(desk_client, "?status=pending") == ["later"]
    assert listed(desk_client, "?status=ended") == ["over"]
    assert desk_client.get("/silences?status=gone").status_code == 422


def test_silences_are_read_page_by_page(desk_client: Client) -> None:
    for number in range(3):
        create(desk_client, comment=f"{number}", ends=NOW + HOUR + number)

    first = desk_client.get("/silences?limit=2").json()
    second = desk_client.get(f"/silences?limit=2&cursor={first['next']}").json()

    assert [[one["comment"] for one in page["items"]] for page in (first, second)] == [["2", "1"], ["0"]]
    assert second["next"] is None
    assert desk_client.get("/silences?cursor=x").status_code == 400
    assert desk_client.get(f"/silences?status=ended&cursor={first['next']}").status_code == 400


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"matchers": ["colour=red", "source=x", "severity>=LOUD"]}, ["matchers.0", "matchers.2"]),
        ({"matchers": ["nothing"]}, ["matchers.0"]),
        ({"matchers": []}, ["matchers"]),
        ({"matchers": ["source=x"] * 33}, ["matchers"]),
        ({"ends": NOW}, ["ends"]),
        ({"ends": NOW + 367 * 86_400}, ["ends"]),
        ({"starts": NOW + 2 * HOUR}, ["ends"]),
        ({"starts": NOW + 367 * 86_400, "ends": NOW + 368 * 86_400}, ["starts"]),
        ({"comment": " "}, ["comment"]),
        ({"comment": "x" * 1001}, ["comment"]),
        ({"commend": "x"}, ["commend"]),
    ],
)
def test_a_silence_that_breaks_a_rule_is_refused_naming_the_field(
    desk_client: Client, fields: dict[str, Any], wrong: list[str]
) -> None:
    assert error(desk_client.post("/silences", json=asked(**fields))) == (422, "value_refused", wrong)
    assert listed(desk_client) == []


def test_a_matcher_that_is_none_is_refused_with_the_accepted_form(desk_client: Client) -> None:
    answer = desk_client.post("/silences", json=asked(matchers=["nothing"])).json()

    assert "FIELD=VALUE" in answer["error"]["details"][0]["message"]


def test_matchers_that_are_none_and_an_end_that_has_passed_are_told_at_once(desk_client: Client) -> None:
    wrong = ["matchers.0", "matchers.2"]
    matchers = ["hue=red", "source=x", "nothing"]

    late = desk_client.post("/silences", json=asked(matchers=matchers, ends=1))
    in_time = desk_client.post("/silences", json=asked(matchers=matchers))

    assert error(late) == (422, "value_refused", [*wrong, "ends"])
    assert error(in_time) == (422, "value_refused", wrong)


def test_what_goes_wrong_with_silences_is_told(desk_client: Client) -> None:
    made = create(desk_client)
    at = f"/silences/{made['id']}"
    nobody = at[:-1] + ("0" if at[-1] != "0" else "1")
    desk_client.delete(at)

    assert error(desk_client.put(at, {"comment": "Again"})) == (409, "conflict", ["ends"])
    assert error(desk_client.put(at, {"comment": "Again", "revision": 7})) == (409, "version_conflict", ["version"])
    assert desk_client.delete(at).json()["revision"] == 2
    assert desk_client.delete(f"{at}?revision=1").status_code == 409
    for answer in (desk_client.get(nobody), desk_client.put(nobody, {"comment": "x"}), desk_client.delete(nobody)):
        assert answer.status_code == 404
    assert desk_client.get("/silences/none").status_code == 422
    assert desk_client.get(f"{at}?at_least=9").status_code == 503


def test_the_same_silence_asked_for_again_is_made_once(desk_client: Client) -> None:
    key = {"Idempotency-Key": "k1"}
    first = desk_client.post("/silences", json=asked(), headers=key)
    again = desk_client.post("/silences", json=asked(), headers=key)

    assert (first.json(), first.status_code) == (again.json(), again.status_code)
    assert listed(desk_client) == ["We know"]


def test_there_are_so_many_silences_at_most_that_have_not_ended(desk_client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("consumers.api.silencing.MOST_LIVE", 2)
    create(desk_client)
    made = create(desk_client)

    assert desk_client.post("/silences", json=asked()).status_code == 409
    desk_client.delete(f"/silences/{made['id']}")
    assert create(desk_client)["revision"] == 1


def test_every_user_may_silence_and_end_silences_of_others(desk_client: Client) -> None:
    made = create(desk_client.as_(BOB))
    desk_client.as_(EVE)

    assert desk_client.get("/silences").json()["items"][0]["by"] == BY_BOB
    assert desk_client.delete(f"/silences/{made['id']}").status_code == 200


def firing(number: int, severity: int, **fields: str) -> Member:
    cause = Cause(f"17-{number}", Position("shard-0", number), severity)
    return Member(f"alarm/{number}", cause, NOW_US - number * SECOND_US, fields)


def test_what_a_silence_would_match_is_shown_before_it_is_made(desk_client: Client) -> None:
    hours = [NOW_US - n * HOUR_US for n in range(4)]
    desk_client.world.log.append([finding(n, time_us=at, source=f"aws.{'xy'[n % 2]}", severity=n) for n, at in enumerate(hours)])
    desk_client.world.ledger.firing = [firing(n, n, source="aws.x" if n < 3 else "aws.y") for n in range(1, 5)]

    found = desk_client.post("/silences/preview", json={"matchers": ["source=aws.x"], "hours": 3}).json()
    none = desk_client.post("/silences/preview", json={"matchers": ["source=aws.z"]}).json()

    assert (found["since"], found["looked_at"], found["complete"], found["matched"]) == (NOW - 3 * HOUR, 4, True, 2)
    assert [event["time"] for event in found["events"]] == [NOW, NOW - 2 * HOUR]
    assert found["firing_matched"] == 2
    assert found["firing"][0] == {
        "subject": "alarm/2",
        "event_id": "17-2",
        "severity": 2,
        "severity_name": "MEDIUM",
        "since": NOW - 2,
    }
    assert (none["looked_at"], none["matched"], none["events"], none["firing"]) == (4, 0, [], [])
    assert error(desk_client.post("/silences/preview", json={"matchers": ["x"]})) == (422, "value_refused", ["matchers.0"])


def test_a_preview_looks_at_the_newest_findings_only_and_shows_a_few(
    desk_client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("consumers.api.silencing._AT_ONCE", 4)
    monkeypatch.setattr("consumers.api.silencing.MOST_LOOKED_AT", 8)
    monkeypatch.setattr("consumers.api.silencing.SHOWN", 3)
    desk_client.world.log.append([finding(n, time_us=NOW_US - n * SECOND_US) for n in range(12)])
    desk_client.world.ledger.firing = [firing(n, 1, source="aws.guardduty") for n in range(5)]

    found = desk_client.post("/silences/preview", json={"matchers": ["source=aws.guardduty"]}).json()

    assert (found["looked_at"], found["complete"], found["matched"], len(found["events"])) == (8, False, 8, 3)
    assert (found["firing_matched"], len(found["firing"])) == (5, 3)
