"""Rules over HTTP, from command to what reads show."""

import pytest

from pipeline.desks.rule import LEAD_US
from schemas.envelope import Envelope
from tests.api.desk_world import ADA, BOB, Client
from tests.api.judged import text
from tests.api.test_api_tasks import error
from tests.api.world import NOW_US, SECOND_US
from tests.support.facts import rule

NOW = NOW_US / 1e6
LEAD = LEAD_US / 1e6
BY_ADA = {"id": ADA.user_id, "name": "Ada"}
STORM = "/rules/storm"


def append(client: Client, *events: Envelope) -> None:
    client.world.log.append(events)


def test_a_rule_is_published_changed_and_retired(desk_client: Client) -> None:
    made = desk_client.post("/rules", json={"text": text(), "comment": "To begin with"})
    desk_client.world.clock.now_us += SECOND_US
    changed = desk_client.put(STORM, {"text": text(title="A gale", severity="CRITICAL"), "revision": 1})
    shown = desk_client.get(f"{STORM}?at_least=2").json()
    desk_client.world.clock.now_us += SECOND_US
    retired = desk_client.delete(f"{STORM}?revision=2&comment=Too%20loud")
    gone = desk_client.get(f"{STORM}?at_least=3").json()

    assert made.status_code == 201
    assert made.json() == {
        "id": "storm",
        "title": "A storm",
        "severity": 3,
        "severity_name": "HIGH",
        "status": "in_force",
        "version": 1,
        "since": NOW,
        "by": BY_ADA,
        "revision": 1,
    }
    assert (changed.json()["version"], changed.json()["title"], changed.json()["revision"]) == (2, "A gale", 2)
    assert {name: shown[name] for name in changed.json()} == changed.json()
    assert (shown["text"], shown["comment"], shown["runs"]) == (text(title="A gale", severity="CRITICAL"), "", [])
    assert [(v["version"], v["since"], v["until"], v["ended"], v["by"]) for v in shown["versions"]] == [
        (1, NOW, NOW + 1 + LEAD, "replaced", BY_ADA),
        (2, NOW + 1 + LEAD, None, "", BY_ADA),
    ]
    assert retired.json() == {"id": "storm", "version": 3}
    assert (gone["status"], gone["versions"][1]["until"], gone["versions"][1]["ended"]) == ("retired", NOW + 2 + LEAD, "retired")
    again = desk_client.post("/rules", json={"text": text()}).json()
    assert (again["version"], again["since"]) == (3, NOW + 2 + LEAD)


def test_a_version_is_read_with_its_text(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": text(), "comment": "First"})
    desk_client.put(STORM, {"text": text(more="# 2"), "revision": 1})

    first = desk_client.get(f"{STORM}/versions/1").json()

    assert (first["rule_id"], first["version"], first["text"], first["comment"]) == ("storm", 1, text(), "First")
    assert first["ended"] == "replaced"
    assert desk_client.get(f"{STORM}/versions/3").status_code == 404
    assert desk_client.get("/rules/none/versions/1").status_code == 404


def test_rules_are_listed_by_id_and_filtered(desk_client: Client) -> None:
    for name in ("zephyr", "breeze", "storm"):
        desk_client.post("/rules", json={"text": text(name)})
    desk_client.delete("/rules/zephyr")

    def listed(query: str = "") -> list[str]:
        return [one["id"] for one in desk_client.get(f"/rules{query}").json()["items"]]

    assert listed() == ["breeze", "storm", "zephyr"]
    assert listed("?status=retired") == ["zephyr"]
    assert listed("?status=switched_off") == []
    assert desk_client.get("/rules?status=off").status_code == 422


@pytest.mark.parametrize(
    ("told", "field", "message"),
    [
        (text(severity="bad"), "text.severity", "line 3: "),
        (text().replace("[aws.signin]", "[{suffixes: x}]"), "text.match.source.0", "line 5: "),
        ("storm", "text", "line 1: "),
        (text(more="\nx: y\n"), "text.x", "line 7: "),
    ],
)
def test_a_text_that_is_no_rule_is_refused_naming_line_and_field(
    desk_client: Client, told: str, field: str, message: str
) -> None:
    desk_client.post("/rules", json={"text": text()})

    for answer in (desk_client.post("/rules", json={"text": told}), desk_client.put(STORM, {"text": told, "revision": 1})):
        assert answer.status_code == 422
        (detail,) = answer.json()["error"]["details"]
        assert detail["field"] == field
        assert detail["message"].startswith(message)
    assert desk_client.get(STORM).json()["version"] == 1


def test_all_flaws_of_a_text_are_told(desk_client: Client) -> None:
    answer = desk_client.post("/rules", json={"text": text(severity="bad", title="x", more="x: y")})

    assert {detail["field"] for detail in answer.json()["error"]["details"]} == {"text.severity", "text.title", "text.x"}


def test_a_text_is_looked_at_without_being_kept(desk_client: Client) -> None:
    examples = "examples:\n  matching:\n  - name: other\n    event: {source: aws.other, detail: {}}\n"
    good = desk_client.post("/rules/lint", json={"text": text()}).json()
    wrong = desk_client.post("/rules/lint", json={"text": text(more=examples)}).json()
    bad = desk_client.post("/rules/lint", json={"text": text(severity="bad")}).json()

    assert {name: good[name] for name in ("sound", "id", "title", "severity", "flaws", "examples")} == {
        "sound": True,
        "id": "storm",
        "title": "A storm",
        "severity": 3,
        "flaws": [],
        "examples": [],
    }
    assert "there is no example that must match" in good["hints"]
    assert (wrong["sound"], wrong["examples"][0]["fault"]) == (True, "does not match, but should")
    assert (bad["sound"], [(flaw["line"], flaw["field"]) for flaw in bad["flaws"]]) == (False, [(3, "severity")])
    assert desk_client.get("/rules").json()["items"] == []


def test_a_rule_whose_examples_are_not_as_they_say_is_not_published(desk_client: Client) -> None:
    examples = "examples:\n  matching:\n  - name: other\n    event: {source: aws.other, detail: {}}\n"
    desk_client.post("/rules", json={"text": text()})
    untrue = text(more=examples)

    for answer in (
        desk_client.post("/rules", json={"text": untrue.replace("id: storm", "id: gale")}),
        desk_client.put(STORM, {"text": untrue, "revision": 1}),
    ):
        assert error(answer) == (422, "value_refused", ["text.examples.matching"])
        assert answer.json()["error"]["details"][0]["message"] == "other: does not match, but should"
    assert [(one["id"], one["version"]) for one in desk_client.get("/rules").json()["items"]] == [("storm", 1)]


def test_what_goes_wrong_with_rules_is_told(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": text()})
    other = {"text": text("gale"), "revision": 1}

    assert error(desk_client.post("/rules", json={"text": text()})) == (409, "already_there", ["version"])
    assert error(desk_client.put(STORM, {"text": text(more="#"), "revision": 7})) == (409, "version_conflict", ["version"])
    assert error(desk_client.put(STORM, other)) == (422, "value_refused", ["text.id"])
    assert error(desk_client.post("/rules", json={"text": text("gale"), "comment": "x" * 1001})) == (
        422,
        "value_refused",
        ["comment"],
    )
    assert desk_client.put("/rules/gale", {**other, "revision": 0}).status_code == 404
    assert desk_client.delete("/rules/gale").status_code == 404
    assert desk_client.get("/rules/gale").status_code == 404
    (detail,) = desk_client.get("/rules/Gale!").json()["error"]["details"]
    assert detail == {"field": "rule_id", "message": "is no rule's id: 3 to 64 lower-case letters, digits and hyphens"}
    assert desk_client.get(f"{STORM}?at_least=9").status_code == 503


def test_publishing_what_is_in_force_changes_nothing_unless_the_engine_switched_it_off(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": text()})
    same = desk_client.put(STORM, {"text": text(), "revision": 1})
    append(desk_client, rule("switched_off", NOW_US + 1, detail="ValueError", event_id="1-x"))
    off = desk_client.get(STORM).json()
    back = desk_client.put(STORM, {"text": text(), "revision": 1})

    assert (same.status_code, same.json()["version"]) == (200, 1)
    assert (off["status"], off["versions"][0]["reason"], off["versions"][0]["cause"]) == ("switched_off", "threw", "1-x")
    assert (back.json()["version"], desk_client.get(STORM).json()["status"]) == (2, "in_force")


def test_runs_over_history_are_shown(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": text()})
    desk_client.get(STORM)
    append(desk_client, rule("reprocessed", NOW_US + 1, by=ADA.user_id))

    (run,) = desk_client.get(STORM).json()["runs"]

    assert (run["version"], run["judged"], run["raised"], run["standing"], run["withdrawn"]) == (1, 9, 1, 2, 3)
    assert (run["by"], run["time"]) == (BY_ADA, (NOW_US + 1) / 1e6)


def test_the_same_command_sent_again_is_done_once(desk_client: Client) -> None:
    key = {"Idempotency-Key": "k1"}
    first = desk_client.post("/rules", json={"text": text()}, headers=key)
    again = desk_client.post("/rules", json={"text": text()}, headers=key)

    assert (first.json(), first.status_code) == (again.json(), again.status_code)


def test_users_read_rules_and_admins_write_them(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": text()})
    desk_client.as_(BOB)

    assert desk_client.get("/rules").json()["items"][0]["by"] == BY_ADA
    assert desk_client.get(STORM).status_code == desk_client.get(f"{STORM}/versions/1").status_code == 200
    assert desk_client.post("/rules", json={"text": text("gale")}).status_code == 403
    assert desk_client.put(STORM, {"text": text(), "revision": 1}).status_code == 403
    assert desk_client.delete(STORM).status_code == 403
    assert desk_client.post("/rules/lint", json={"text": text()}).status_code == 403
