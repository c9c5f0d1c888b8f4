"""Whatever goes wrong, the answer has one shape and tells nothing of the inside."""

import pytest

from consumers.api.errors import Broken, refusal_for
from pipeline.errors import LogFull, LogUnavailable
from projections.errors import GenesisLost
from tests.api.contract import Checked
from tests.api.world import World, finding


def test_an_unknown_path_is_not_found(client: Checked) -> None:
    answer = client.get("/nothing/here")

    assert answer.status_code == 404
    assert answer.json() == {"error": {"code": "not_found", "message": "there is nothing at this path", "details": []}}


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("DELETE", "/events", "GET, POST"), ("PUT", "/agents/111122223333", "DELETE, GET, PATCH"), ("POST", "/", "GET, HEAD")],
)
def test_an_unknown_method_names_those_that_there_are(client: Checked, method: str, path: str, allowed: str) -> None:
    answer = client.request(method, path)

    assert answer.status_code == 405
    assert sorted(answer.headers["allow"].split(", ")) == allowed.split(", ")
    assert answer.json()["error"]["code"] == "method_not_allowed"


def test_a_log_that_is_away_is_told_with_when_to_retry(client: Checked, world: World) -> None:
    world.log.down = True

    answer = client.post("/events", json={"number": 1, "time": 1})

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert "secret" not in answer.text


def test_a_defect_is_told_without_its_trace_and_logged_with_it(
    client: Checked, world: World, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(**_: object) -> None:
        message = "the secret inside"
        raise RuntimeError(message)

    monkeypatch.setattr(world.reading, "agents", broken)

    answer = client.get("/agents")

    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "internal"
    assert "secret" not in answer.text
    assert "the secret inside" in caplog.text


def test_a_defect_of_a_page_is_told_in_the_same_shape(client: Checked, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(world.reading, "states", lambda: 1 / 0)

    data = client.get("/")
    page = client.get("/", headers={"Accept": "text/html"})

    assert (data.status_code, page.status_code) == (500, 500)
    assert data.json()["error"]["code"] == "internal"
    assert "ZeroDivision" not in data.text + page.text
    assert page.headers["content-security-policy"]


def test_an_answer_that_breaks_its_own_model_is_our_defect_not_the_clients(
    client: Checked, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    world.log.append([finding(1)])
    monkeypatch.setattr("consumers.api.views.event", lambda _: {"id": 7})

    assert client.get("/events").status_code == 500


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (LogFull("disk"), 503, "log_full"),
        (LogUnavailable("locked"), 503, "unavailable"),
        (GenesisLost("x"), 503, "unavailable"),
        (Broken("x"), 500, "internal"),
        (KeyError("x"), 500, "internal"),
    ],
)
def test_errors_of_other_packages_have_their_answer(error: Exception, status: int, code: str) -> None:
    refusal = refusal_for(error)

    assert (status, code) == (refusal.status, refusal.code)


def test_every_operation_documents_the_one_error_shape(client: Checked) -> None:
    shape = {"$ref": "#/components/schemas/ErrorAnswer"}
    for path, operations in client.document["paths"].items():
        for operation in operations.values():
            statuses = {int(status): response for status, response in operation["responses"].items()}
            assert path in ("/feed", "/metrics") or {422, 500, 503} <= statuses.keys()
            for status, response in statuses.items():
                assert status < 400 or response["content"]["application/json"]["schema"] == shape, (path, status)


def test_every_reference_of_the_document_leads_somewhere(client: Checked) -> None:
    schemas = client.document["components"]["schemas"]

    def walk(node: object) -> None:
        if isinstance(node, dict):
            if "$ref" in node:
                assert str(node["$ref"]).removeprefix("#/components/schemas/") in schemas
            for child in node.values():
                walk(child)
        elif isinstance(node, list):
            for child in node:
                walk(child)

    walk(client.document)
    assert not {"HTTPValidationError", "ValidationError", "ResponseValidationError"} & schemas.keys()
    assert client.document["openapi"].startswith("3.1")
