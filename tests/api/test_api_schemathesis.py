"""The whole API keeps what its OpenAPI document says, whatever it is asked: no defect, no undocumented status, no other shape.

Requests are made up from the document: right ones and wrong ones, as nobody, as a user and as an admin. Few by default, many with
``--hypothesis-profile=thorough``.
"""

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import orjson
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, reject, settings
from hypothesis import strategies as st
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from schemathesis.config import SchemathesisConfig
from schemathesis.core.result import Ok

from pipeline.ingest import Ingest
from tests.api.contract import Checked
from tests.api.world import ADMIN, USER, World, finding, signed_in

EXAMPLES = 12 if settings().max_examples <= 50 else 300
STREAMS = {"/feed"}
CHECKS = [
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    response_headers_conformance,
]
"""What is held against the document. Whether wrong requests are refused is each route's own tests' to say."""

WHO: dict[str, Callable[[], dict[str, str]]] = {
    "anonymous": dict,
    "user": lambda: signed_in(USER),
    "admin": lambda: signed_in(ADMIN),
}


def document() -> dict[str, Any]:
    """The document as it is served."""
    with Checked(World().application()) as client:
        told: dict[str, Any] = orjson.loads(client.get("/openapi.json").content)
    return told


SCHEMA = schemathesis.openapi.from_dict(document(), config=SchemathesisConfig())
OPERATIONS: dict[str, Any] = {
    found.ok().label: found.ok()
    for found in SCHEMA.get_all_operations()
    if isinstance(found, Ok) and found.ok().path not in STREAMS
}


@pytest.fixture
def client() -> Iterator[Checked]:
    """A world for all examples of one operation, in which there is something to find."""
    world = World()
    world.log.append([finding(number) for number in range(3)])
    ingest = Ingest(world.log, world.quarantine, clock=world.clock)
    with Checked(world.application(ingest=ingest, fresh_seconds=0.01), {}) as checked:
        yield checked


def sent(client: Checked, case: Any, headers: dict[str, str]) -> httpx.Response:
    """The answer to a request that was made up."""
    told = case.as_transport_kwargs(base_url="http://127.0.0.1:8321")
    whole = {**told.get("headers", {}), **headers}
    given = {name: told[name] for name in ("params", "json", "data") if told.get(name) is not None}
    if "data" in given:
        given["content"] = given.pop("data")
    try:
        return client.request(told["method"], told["url"], headers=whole, **given)
    except httpx.InvalidURL:
        reject()  # longer than a client sends


@pytest.mark.parametrize("who", WHO)
@pytest.mark.parametrize("label", OPERATIONS)
def test_an_operation_keeps_what_the_document_says(client: Checked, label: str, who: str) -> None:
    operation = OPERATIONS[label]

    @settings(
        max_examples=EXAMPLES, deadline=None, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None
    )
    @given(case=st.one_of(operation.as_strategy(GenerationMode.POSITIVE), operation.as_strategy(GenerationMode.NEGATIVE)))
    def ask(case: Any) -> None:
        answer = sent(client, case, WHO[who]())
        assert answer.status_code != 500, answer.text
        case.validate_response(answer, checks=CHECKS)

    ask()
