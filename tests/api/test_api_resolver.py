"""One resolver for a laptop and for Lambda: the same event, the same answer, from many threads at once."""

import threading
from base64 import b64encode
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest
from starlette.requests import Request

from consumers.api.gateway import encoded_path, event_of
from consumers.api.resolver import Resolver
from tests.api.world import World, finding, signed_in


@pytest.fixture
def resolver(world: World) -> Resolver:
    return world.resolver()


def lambda_event(method: str, path: str, query: Mapping[str, str] | None = None, body: str | None = None) -> dict[str, Any]:
    """As API Gateway's HTTP API sends it, payload format 2.0."""
    return {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in (query or {}).items()),
        "headers": {"accept": "application/json", "content-type": "application/json", **signed_in()},
        "queryStringParameters": dict(query or {}),
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path}},
        "body": body,
        "isBase64Encoded": False,
    }


def test_lambda_events_are_answered(resolver: Resolver, world: World) -> None:
    world.log.append([finding(1, severity=4)])

    answer = resolver.resolve(lambda_event("GET", "/events", {"severity": "high", "limit": "5"}), None)

    assert answer["statusCode"] == 200
    assert [item["severity"] for item in orjson.loads(answer["body"])["items"]] == [4]


def test_lambda_bodies_arrive_as_text_or_in_base64(resolver: Resolver) -> None:
    text = orjson.dumps({"number": 1, "time": 1}).decode()
    coded = lambda_event("POST", "/events") | {"body": b64encode(text.encode()).decode(), "isBase64Encoded": True}

    assert resolver.resolve(lambda_event("POST", "/events", body=text), None)["statusCode"] == 202
    assert resolver.resolve(coded, None)["statusCode"] == 200


def test_lambda_errors_have_our_shape(resolver: Resolver) -> None:
    missing = resolver.resolve(lambda_event("GET", "/nope"), None)
    method = resolver.resolve(lambda_event("PATCH", "/events"), None)

    assert (missing["statusCode"], method["statusCode"]) == (404, 405)
    assert orjson.loads(method["body"])["error"]["code"] == "method_not_allowed"
    assert method["headers"]["Allow"] == "GET, POST"


def test_requests_in_many_threads_do_not_mix(resolver: Resolver, world: World) -> None:
    """Powertools keeps the request under way in a class attribute, which this resolver must not."""
    together = threading.Barrier(8)
    events = [finding(n, source_id=f"s{n}") for n in range(8)]
    world.log.append(events)

    def ask(number: int) -> list[bool]:
        together.wait(10)
        right = []
        for _ in range(20):
            answer = resolver.resolve(lambda_event("GET", f"/events/s{number}"), None)
            right.append(orjson.loads(answer["body"])["source_id"] == f"s{number}")
        return right

    with ThreadPoolExecutor(8) as pool:
        assert all(all(right) for right in pool.map(ask, range(8)))


def test_outside_of_a_request_there_is_none(resolver: Resolver) -> None:
    with pytest.raises(LookupError):
        _ = resolver.current_event


def test_templates_name_the_route_that_serves_a_path(resolver: Resolver) -> None:
    assert resolver.template("GET", "/events/abc") == "/events/{event_id}"
    assert resolver.template("GET", "/events") == "/events"
    assert resolver.template("PUT", "/events") is None


@pytest.mark.parametrize(
    ("written", "expected"),
    [("/events/a", "/events/a"), ("/events/a%2Fb", "/events/a%2Fb"), ("/events/%7Ea%20", "/events/~a%20"), ("/e/ü", "/e/%C3%BC")],
)
def test_paths_are_encoded_in_one_way(written: str, expected: str) -> None:
    assert encoded_path(written) == expected


def test_repeated_parameters_and_headers_are_told_as_api_gateway_does() -> None:
    scope = {
        "type": "http",
        "method": "HEAD",
        "path": "/events",
        "query_string": b"a=1&a=2&b=",
        "headers": [(b"x-a", b"1"), (b"x-a", b"2")],
    }

    event = event_of(Request(scope))

    assert event["queryStringParameters"] == {"a": "1,2", "b": ""}
    assert event["headers"] == {"x-a": "1,2"}
    assert event["requestContext"]["http"]["method"] == "GET"
