"""Agents and configuration over HTTP, from command to what reads show."""

from typing import Any

import pytest

from consumers.assuming import Attempt
from tests.api.desk_world import ADA, Client
from tests.api.test_api_tasks import UNKNOWN, error
from tests.api.world import NOW_US

NOW = NOW_US / 1e6
ACCOUNT = "111122223333"
PAYMENTS = {"account": ACCOUNT, "name": "Payments", "contact": "ops@example.com"}
ROLE = {"name": "Payments", "account": ACCOUNT, "role_arn": f"arn:aws:iam::{ACCOUNT}:role/reader", "regions": ["eu-central-1"]}
BY_ADA = {"id": ADA.user_id, "name": "Ada"}


def test_an_agent_is_registered_changed_and_removed(desk_client: Client) -> None:
    url = f"/agents/{ACCOUNT}"
    made = desk_client.post("/agents", json=PAYMENTS)
    shown = desk_client.get(f"{url}?at_least=1").json()
    edited = desk_client.patch(url, {"revision": 1, "enabled": False})
    disabled = desk_client.get(f"{url}?at_least=2").json()
    removed = desk_client.delete(f"{url}?revision=2")

    assert made.status_code == 201
    assert made.json() == {**PAYMENTS, "description": "", "enabled": True, "revision": 1}
    assert (shown["status"], shown["registered"], shown["name"], shown["revision"]) == ("pending", True, "Payments", 1)
    assert (edited.json()["enabled"], disabled["status"]) == (False, "disabled")
    assert removed.json() == {"id": ACCOUNT, "version": 3}
    assert desk_client.get(url).status_code == 404
    assert desk_client.get("/agents").json()["items"] == []


def test_agents_are_filtered(desk_client: Client) -> None:
    desk_client.post("/agents", json=PAYMENTS)

    assert len(desk_client.get("/agents?status=pending&registered=true").json()["items"]) == 1
    assert desk_client.get("/agents?registered=false").json()["items"] == []
    assert desk_client.get("/agents?status=active").json()["items"] == []


def test_what_goes_wrong_with_agents_is_told(desk_client: Client) -> None:
    desk_client.post("/agents", json=PAYMENTS)
    url = f"/agents/{ACCOUNT}"

    assert error(desk_client.post("/agents", json=PAYMENTS)) == (409, "already_there", ["version"])
    assert error(desk_client.patch(url, {"revision": 4, "name": "Other"})) == (409, "version_conflict", ["version"])
    assert error(desk_client.patch(url, {"revision": 1, "name": "x"})) == (422, "value_refused", ["name"])
    assert error(desk_client.post("/agents", json={**PAYMENTS, "account": "12"})) == (422, "value_refused", ["account"])
    assert desk_client.patch("/agents/999922223333", {"revision": 0, "name": "Other"}).status_code == 404
    assert desk_client.delete("/agents/999922223333").status_code == 404
    assert desk_client.get(f"{url}?at_least=9").status_code == 503


def test_an_account_s_configuration_is_made_replaced_and_listed(desk_client: Client) -> None:
    made = desk_client.post("/config/aws", json={**ROLE, "external_id": "hush-hush"})
    url = f"/config/aws/{made.json()['id']}"
    shown = desk_client.get(f"{url}?at_least=1")
    replaced = desk_client.put(url, {**ROLE, "name": "Payroll", "version": 1})
    listed = desk_client.get("/config/aws").json()["items"]

    assert made.status_code == 201
    assert shown.json() == made.json()
    assert made.json() == {
        **ROLE,
        "enabled": True,
        "id": made.json()["id"],
        "has_external_id": True,
        "version": 1,
        "updated": NOW,
        "updated_by": BY_ADA,
    }
    assert listed == [replaced.json()]
    assert (listed[0]["name"], listed[0]["has_external_id"], listed[0]["version"]) == ("Payroll", True, 2)
    assert "hush" not in made.text + shown.text + replaced.text


def test_what_goes_wrong_with_an_account_s_configuration_is_told(desk_client: Client) -> None:
    made = desk_client.post("/config/aws", json=ROLE).json()
    url = f"/config/aws/{made['id']}"

    assert error(desk_client.post("/config/aws", json={**ROLE, "role_arn": "reader"})) == (422, "value_refused", ["role_arn"])
    assert error(desk_client.post("/config/aws", json={**ROLE, "account": "999922223333"})) == (
        422,
        "value_refused",
        ["role_arn"],
    )
    assert error(desk_client.put(url, {**ROLE, "version": 9})) == (409, "version_conflict", ["version"])
    assert desk_client.put(f"/config/aws/{UNKNOWN}", {**ROLE, "version": 0}).status_code == 404
    assert desk_client.get(f"/config/aws/{UNKNOWN}").status_code == 404
    assert desk_client.post(f"/config/aws/{UNKNOWN}/test").status_code == 404


def test_a_role_is_tried_with_its_external_id(desk_client: Client) -> None:
    made = desk_client.post("/config/aws", json={**ROLE, "external_id": "hush-hush"}).json()

    tried = desk_client.post(f"/config/aws/{made['id']}/test").json()

    assert desk_client.world.attempts == [(ROLE["role_arn"], "hush-hush")]
    assert (tried["assumed"], tried["outcome"], tried["account"]) == (True, "assumed", ACCOUNT)


@pytest.mark.parametrize(
    ("attempt", "outcome"),
    [
        (Attempt("assumed", "fine", "999922223333", "arn:x"), "wrong_account"),
        (Attempt("refused", "AccessDenied: no"), "refused"),
        (Attempt("no_credentials", "none here"), "no_credentials"),
        (Attempt("unreachable", "no answer"), "unreachable"),
    ],
)
def test_a_role_that_cannot_be_assumed_is_told_with_the_reason(desk_client: Client, attempt: Attempt, outcome: str) -> None:
    made = desk_client.post("/config/aws", json=ROLE).json()
    desk_client.world.attempt = attempt

    tried = desk_client.post(f"/config/aws/{made['id']}/test").json()

    assert (tried["assumed"], tried["outcome"]) == (False, outcome)
    assert tried["message"]


def test_monitoring_has_defaults_until_somebody_says_something_else(desk_client: Client) -> None:
    before = desk_client.get("/config/monitoring").json()
    body: dict[str, Any] = {"version": 0, "services": {"lambda": {"polling_seconds": 60, "thresholds": {"errors": 5}}}}

    first = desk_client.put("/config/monitoring", body)
    after = desk_client.get("/config/monitoring?at_least=1")

    assert (before["version"], before["services"], before["updated_by"]) == (0, {}, None)
    assert before["global_settings"] == {"paused": False, "polling_seconds": 300, "minimum_severity": "UNKNOWN"}
    assert first.status_code == 200
    assert after.json() == first.json()
    assert (after.json()["version"], after.json()["updated_by"], after.json()["updated"]) == (1, BY_ADA, NOW)
    assert after.json()["services"]["lambda"]["thresholds"] == {"errors": 5.0}
    assert error(desk_client.put("/config/monitoring", body)) == (409, "version_conflict", ["version"])


@pytest.mark.parametrize(("seconds", "status"), [(29, 422), (30, 200), (3600, 200), (3601, 422)])
def test_a_polling_interval_has_bounds(desk_client: Client, seconds: int, status: int) -> None:
    answer = desk_client.put("/config/monitoring", {"version": 0, "services": {"s3": {"polling_seconds": seconds}}})

    assert answer.status_code == status
    if status == 422:
        assert error(answer)[2] == ["services.s3.polling_seconds"]
