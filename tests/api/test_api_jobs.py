"""Long work over HTTP: asked for, done, looked at, ended."""

from dataclasses import replace
from typing import Any

import pytest

from schemas.identity import MICROSECONDS
from tests.api.desk_world import ADA, Client
from tests.api.judged import text
from tests.api.world import HOUR_US, NOW_US, finding

SPAN = {"since": (NOW_US - HOUR_US) / MICROSECONDS, "until": NOW_US / MICROSECONDS}
NOBODY = "018f3000-0000-7000-8000-000000000001"


def storm(severity: str = "HIGH", source: str = "aws.guardduty") -> str:
    return f"id: storm\ntitle: A storm\nseverity: {severity}\nmatch:\n  source: [{source}]\n"


def with_findings(client: Client, number: int = 3) -> None:
    raw = {"detail-type": "x", "detail": {}, "source": "aws.guardduty", "account": "1" * 12, "region": "r", "resources": []}
    data = {"kind": "generic", "form": "eventbridge", "detail_type": "x", "facts": {"title": "x"}, "raw": raw}
    client.world.log.append([finding(n, data=data) for n in range(number)])


def asked(client: Client, path: str, **body: Any) -> dict[str, Any]:
    answer = client.post(path, json=SPAN | body)
    assert answer.status_code == 202, answer.text
    assert answer.headers["location"] == f"/jobs/{answer.json()['id']}"
    found: dict[str, Any] = answer.json()
    return found


def settled(client: Client, job: dict[str, Any]) -> dict[str, Any]:
    client.world.work()
    found: dict[str, Any] = client.get(f"/jobs/{job['id']}").json()
    return found


def test_a_rule_that_was_only_written_is_backtested(desk_client: Client) -> None:
    with_findings(desk_client)

    job = asked(desk_client, "/rules/backtest", rule={"text": storm()})
    assert (job["state"], job["kind"], job["rule_id"], job["by"]["id"]) == ("waiting", "rules.backtest", None, ADA.user_id)

    found = settled(desk_client, job)
    assert (found["state"], found["result"]["findings"], found["result"]["alerts"]) == ("done", 3, 3)
    assert (found["done"], found["total"], found["error"]) == (3, 3, "")
    assert found["parameters"]["rule"] == {"text": storm()}


def test_a_published_rule_is_backtested_by_a_version(desk_client: Client) -> None:
    with_findings(desk_client)
    desk_client.post("/rules", json={"text": storm()})

    found = settled(desk_client, asked(desk_client, "/rules/backtest", rule={"rule_id": "storm"}))

    assert (found["rule_id"], found["result"]["rules"][0]["version"]) == ("storm", 1)


def test_two_versions_are_compared(desk_client: Client) -> None:
    with_findings(desk_client)
    desk_client.post("/rules", json={"text": storm()})

    found = settled(
        desk_client,
        asked(desk_client, "/rules/diff", former={"rule_id": "storm"}, new={"text": storm(source="aws.health")}),
    )

    assert (found["result"]["removed"]["matched"], found["result"]["added"]["matched"]) == (3, 0)


def test_history_is_judged_again_by_a_published_rule(desk_client: Client) -> None:
    with_findings(desk_client)
    desk_client.post("/rules", json={"text": storm()})

    job = asked(desk_client, "/rules/storm/reprocess")
    found = settled(desk_client, job)

    assert (found["result"]["raised"], found["result"]["run_id"]) == (3, job["id"])
    alerts = desk_client.get("/alerts").json()["items"]
    assert {alert["backfilled"] for alert in alerts} == {True}
    (run,) = desk_client.get("/rules/storm").json()["runs"]
    assert (run["run_id"], run["raised"], run["by"]["id"]) == (job["id"], 3, ADA.user_id)


def test_jobs_are_listed_newest_first_and_page_by_page(desk_client: Client) -> None:
    jobs = [asked(desk_client, "/rules/backtest", rule={"text": storm()})["id"] for _ in range(3)]

    first = desk_client.get("/jobs?limit=2").json()
    second = desk_client.get(f"/jobs?limit=2&before={first['next']}").json()

    assert [job["id"] for job in first["items"]] == [jobs[2], jobs[1]]
    assert ([job["id"] for job in second["items"]], second["next"]) == ([jobs[0]], None)


def test_a_job_that_waits_ends_at_once(desk_client: Client) -> None:
    job = asked(desk_client, "/rules/backtest", rule={"text": storm()})

    ended = desk_client.delete(f"/jobs/{job['id']}")

    assert (ended.status_code, ended.json()["state"]) == (200, "cancelled")
    assert desk_client.world.work() == 0


@pytest.mark.parametrize("method", ["GET", "DELETE"])
def test_a_job_that_is_not_there_is_not_found(desk_client: Client, method: str) -> None:
    assert desk_client.request(method, f"/jobs/{NOBODY}").status_code == 404


def test_a_rule_that_is_not_there_is_not_found(desk_client: Client) -> None:
    desk_client.post("/rules", json={"text": storm()})

    assert desk_client.post("/rules/nowhere/reprocess", json=SPAN).status_code == 404
    assert desk_client.post("/rules/backtest", json=SPAN | {"rule": {"rule_id": "nowhere"}}).status_code == 404
    assert desk_client.post("/rules/storm/reprocess", json=SPAN | {"version": 2}).status_code == 404


def test_a_text_that_is_no_rule_is_refused_with_its_flaws(desk_client: Client) -> None:
    answer = desk_client.post("/rules/backtest", json=SPAN | {"rule": {"text": "id: x\n"}})

    assert answer.status_code == 422
    assert "text.id" in {detail["field"] for detail in answer.json()["error"]["details"]}


@pytest.mark.parametrize(
    "body",
    [
        {"rule": {"text": text()}, "since": 5, "until": 5},
        {"rule": {}, **SPAN},
        {"rule": {"text": text(), "rule_id": "storm"}, **SPAN},
        {"rule": {"text": text()}},
    ],
)
def test_what_cannot_be_asked_is_refused(desk_client: Client, body: dict[str, Any]) -> None:
    assert desk_client.post("/rules/backtest", json=body).status_code == 422


@pytest.mark.parametrize("path", ["/rules/backtest", "/rules/diff", "/rules/storm/reprocess"])
def test_a_stretch_that_lies_ahead_is_refused(desk_client: Client, path: str) -> None:
    desk_client.post("/rules", json={"text": storm()})
    which = {"rule_id": "storm"}
    bodies = {"/rules/backtest": {"rule": which}, "/rules/diff": {"former": which, "new": which}}
    ahead = NOW_US / MICROSECONDS

    answer = desk_client.post(path, json={"since": ahead, "until": ahead + 60} | bodies.get(path, {}))

    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "since", "message": "lies ahead: nothing has happened since"}]


def test_what_breaks_a_job_is_told(desk_client: Client) -> None:
    with_findings(desk_client)
    desk_client.post("/rules", json={"text": storm()})
    job = asked(desk_client, "/rules/backtest", rule={"rule_id": "storm"})
    kept = desk_client.world.jobs.kept[job["id"]]
    broken = {**kept.parameters, "rule": {"rule_id": "nowhere"}}
    desk_client.world.jobs.kept[job["id"]] = replace(kept, parameters=broken)

    found = settled(desk_client, job)

    assert found["state"] == "failed"
    assert "nowhere" in found["error"]
