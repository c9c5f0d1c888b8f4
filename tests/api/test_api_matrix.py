"""Who gets what: every route, asked by everybody, generated from the table of permissions and the list of routes."""

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import jwt
import pytest

from consumers.people.keyring import first
from consumers.people.permissions import PERMISSIONS, Access, access_to
from consumers.people.sign_in import new_key
from consumers.people.tokens import Use
from pipeline.desks.desk import Asked, Desk
from pipeline.desks.task import CreateTask, Task
from tests.api.contract import Checked
from tests.api.decided import TEXT, known_silence
from tests.api.judged import known_alert, known_rule, text
from tests.api.noted import Told
from tests.api.world import (
    ADMIN,
    KEYS,
    NOW_US,
    OTHER,
    USER,
    World,
    desk_in_memory,
    finding,
    kept_open,
    signed_in,
    task,
    token_of,
)
from tests.people.stores import entropy
from tests.support.facts import alert_id, silence_id

PAGES = [
    ("GET", path)
    for path in ("/", "/state", "/docs", "/feed", "/metrics", "/openapi.json", "/palette.css", "/sign-in", "/silences/new")
]
FORMS = [
    ("POST", "/sign-in"),
    ("POST", "/sign-out"),
    ("POST", "/silences/new"),
    ("POST", "/silences/{silence_id}/expire"),
    ("POST", "/notifications/dead"),
    ("POST", "/notifications/channels/retry"),
]
BODIES: Mapping[tuple[str, str], Any] = {
    ("POST", "/events"): {"number": 1, "time": 1},
    ("POST", "/auth/login"): {"email": "nobody@example.org", "password": "wrong"},
    ("POST", "/auth/refresh"): {"refresh_token": "none"},
    ("POST", "/auth/logout"): {},
    ("POST", "/users"): {"email": "new@example.org", "full_name": "New User", "password": "a long enough one"},
    ("POST", "/keys"): {"name": "agent"},
    ("PUT", "/users/{user_id}"): {"full_name": "Another Name"},
    ("PUT", "/users/{user_id}/password"): {"password": "a long enough one", "current_password": "correct horse battery"},
    ("PUT", "/users/me/preferences"): {"theme": "dark"},
    ("PUT", "/tasks/{task_id}"): {"version": 1, "title": "Look again"},
    ("PUT", "/tasks/{task_id}/status"): {"status": "closed"},
    ("POST", "/tasks/{task_id}/comments"): {"comment": "It was me."},
    ("POST", "/rules"): {"text": text("gale")},
    ("POST", "/rules/lint"): {"text": text("gale")},
    ("POST", "/rules/backtest"): {"rule": {"text": text()}, "since": 1, "until": 2},
    ("POST", "/rules/diff"): {"former": {"rule_id": "storm"}, "new": {"text": text()}, "since": 1, "until": 2},
    ("POST", "/rules/{rule_id}/reprocess"): {"since": 1, "until": 2},
    ("PUT", "/rules/{rule_id}"): {"text": text(), "revision": 0},
    ("PUT", "/alerts/{alert_id}/status"): {"status": "resolved"},
    ("PUT", "/routing"): {"text": TEXT, "version": 0},
    ("POST", "/routing/lint"): {"text": TEXT},
    ("POST", "/routing/test"): {"fields": {"source": "aws.guardduty"}},
    ("POST", "/notifications/redrive"): {"all": True},
    ("POST", "/notifications/test"): {"channel": "ops"},
    ("POST", "/silences"): {"matchers": ["source=aws.guardduty"], "ends": NOW_US / 1e6 + 3600, "comment": "We know"},
    ("POST", "/silences/preview"): {"matchers": ["source=aws.guardduty"]},
    ("PUT", "/silences/{silence_id}"): {"comment": "We know"},
}
"""What a route takes."""


def forged(**changes: Any) -> str:
    """A token as an attacker makes it who knows everything but the key."""
    claims = jwt.decode(token_of(ADMIN), options={"verify_signature": False})
    kid, secret = (KEYS.keyring.keys[0].kid, first(NOW_US, entropy).keys[0].secret)
    return jwt.encode(claims | changes, secret, "HS256", headers={"kid": kid})


def unsigned() -> str:
    claims = jwt.decode(token_of(ADMIN), options={"verify_signature": False})
    return jwt.encode(claims, "", "none", headers={"kid": KEYS.keyring.keys[0].kid})


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


@dataclass(frozen=True)
class Asking:
    """Somebody who asks: with which headers, and whose things they ask for."""

    headers: Callable[[World], Mapping[str, str]]
    owner: str = OTHER.id


WRONG: Mapping[str, Asking] = {
    "anonymous": Asking(lambda _: {}),
    "expired token": Asking(lambda _: bearer(token_of(ADMIN, seconds=-1))),
    "forged signature": Asking(lambda _: bearer(forged())),
    "algorithm none": Asking(lambda _: bearer(unsigned())),
    "refresh token": Asking(lambda _: bearer(token_of(ADMIN, Use.REFRESH))),
    "page token as bearer": Asking(lambda _: bearer(token_of(ADMIN, Use.PAGE))),
    "access token as cookie": Asking(lambda _: {"Cookie": f"findstream_session={token_of(ADMIN)}"}),
    "unknown key": Asking(lambda _: bearer("fsk_nonsense")),
    "revoked key": Asking(lambda world: bearer(_key(world, revoked=True))),
    "basic": Asking(lambda _: {"Authorization": "Basic YWRtaW46YWRtaW4="}),
}
GOOD: Mapping[str, Asking] = {
    "user on own": Asking(lambda _: signed_in(USER), USER.id),
    "user on other's": Asking(lambda _: signed_in(USER), OTHER.id),
    "admin": Asking(lambda _: signed_in(ADMIN), USER.id),
    "user by cookie": Asking(lambda _: {"Cookie": f"findstream_session={token_of(USER, Use.PAGE)}"}, USER.id),
    "ingest key": Asking(lambda world: bearer(_key(world))),
}
EVERYBODY = {**WRONG, **GOOD}


def _key(world: World, *, revoked: bool = False) -> str:
    key, secret = new_key(world.people, "agent", by="", now_us=NOW_US, entropy=entropy)
    if revoked:
        world.people.keys.revoke(key.id, NOW_US)
    return secret


def task_of(owner: str, world: World, desk: Desk) -> str:
    """The id of the one task that there is, which an admin made and ``owner`` is to do: at the desk and on the board."""
    command = CreateTask("Look into it", "What there is to do.", "high", assignee_id=owner)
    made = desk.make(Task, command, Asked(ADMIN.id))
    world.reading.task_list = [replace(task(1, assignee=owner), id=str(made.id), created_by=ADMIN.id)]
    return str(made.id)


def routes() -> list[tuple[str, str]]:
    """Every route of the API, and what is served beside it."""
    resolver = World().resolver()
    served = [(route.method, route.openapi_path) for route in (*resolver._static_routes, *resolver._dynamic_routes)]
    return [*served, *PAGES, *FORMS]


ROUTES = routes()


def expected(access: Access, who: str) -> set[int]:
    """The status that the table asks for; for who may, any that is no refusal of who asks."""
    done = {200, 201, 202, 204, 303, 404, 409, 422}
    if access is Access.ANYONE:
        return done | {401}  # of a wrong password, which is what was asked
    if who in WRONG:
        return {401}
    allowed = {
        "ingest key": access is Access.PRODUCERS,
        "admin": True,
        "user on own": access in {Access.USERS, Access.OWN, Access.LOCAL},
        "user by cookie": access in {Access.USERS, Access.OWN, Access.LOCAL},
        "user on other's": access in {Access.USERS, Access.OWN, Access.LOCAL},
    }[who]
    if not allowed:
        return {403}
    return {404} if access is Access.OWN and who == "user on other's" else done


def test_every_route_is_in_the_table() -> None:
    assert [route for route in ROUTES if access_to(*route) is Access.NOBODY] == []


def test_the_table_lists_no_route_that_is_not_there() -> None:
    there = {(method, re.sub(r"\{\w*\}", "{}", path)) for method, path in ROUTES}

    assert PERMISSIONS.keys() - there == {("GET", "/static")}  # a folder


def test_what_is_not_in_the_table_is_nobodys() -> None:
    assert access_to("GET", "/secret/{what}") is Access.NOBODY
    assert access_to("TRACE", "/events") is Access.NOBODY
    assert access_to("HEAD", "/users/{any_name}") is access_to("GET", "/users/{}") is Access.OWN


def test_no_route_is_listed_twice() -> None:
    from consumers.people import permissions  # noqa: PLC0415

    listed = sum(text.count(" /") for text in permissions._TABLE.values())
    assert listed == len(PERMISSIONS)


REFUSALS = {401, 403}
"""What leaves everything as it was."""


def refused(route: tuple[str, str]) -> list[str]:
    """Who gets nothing but a refusal of this route."""
    return [who for who in EVERYBODY if expected(access_to(*route), who) <= REFUSALS]


def answered() -> list[tuple[tuple[str, str], str]]:
    """Each route with those who get more."""
    return [(route, who) for route in ROUTES for who in EVERYBODY if who not in refused(route)]


@dataclass(frozen=True)
class Request:
    """A request as somebody makes it in a world, with what the path names standing in it."""

    method: str
    path: str
    options: Mapping[str, Any]

    @classmethod
    def of(cls, route: tuple[str, str], asking: Asking, world: World, desk: Desk) -> "Request":
        method, path = route
        event = finding(1)
        world.log.append([event])
        world.judged.rule_list, world.judged.alert_list = [known_rule()], [known_alert()]
        world.channels = {"ops": Told()}
        world.decided.silence_list = [known_silence()]
        named = {
            "user_id": asking.owner,
            "key_id": asking.owner,
            "event_id": event.id,
            "account": "1" * 12,
            "task_id": task_of(asking.owner, world, desk),
            "config_id": USER.id,
            "job_id": USER.id,
            "rule_id": "storm",
            "number": "1",
            "alert_id": alert_id(0),
            "silence_id": silence_id(0),
        }
        for name, value in named.items():
            path = path.replace(f"{{{name}}}", value)
        body = {"json": BODIES[route]} if route in BODIES else {}
        if path == "/feed":
            method = "HEAD"  # a stream would not end
        return cls(method, path, {"headers": asking.headers(world), **body})


@pytest.fixture(scope="module")
def untouched() -> Iterator[tuple[World, Desk, Checked]]:
    """A world for those who are refused, which therefore stays as it is."""
    world = World()
    desk = desk_in_memory(world.clock)
    with kept_open(world), Checked(world.application(local=False, desk=desk), {}) as client:
        yield world, desk, client


@pytest.mark.parametrize("route", [route for route in ROUTES if refused(route)], ids=str)
def test_who_may_not_is_refused(route: tuple[str, str], untouched: tuple[World, Desk, Checked]) -> None:
    world, desk, client = untouched
    answers = {}
    for who in refused(route):
        asked = Request.of(route, EVERYBODY[who], world, desk)
        answers[who] = client.request(asked.method, asked.path, **asked.options)

    assert {who: {answer.status_code} for who, answer in answers.items()} == {
        who: expected(access_to(*route), who) for who in answers
    }
    for answer in answers.values():
        if answer.status_code == 401 and route not in FORMS:
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


@pytest.mark.parametrize(("route", "who"), answered(), ids=str)
def test_everybody_else_gets_what_the_table_says(route: tuple[str, str], who: str) -> None:
    world = World()
    desk = desk_in_memory(world.clock)
    template = route[1]
    asked = Request.of(route, EVERYBODY[who], world, desk)
    with Checked(world.application(local=False, desk=desk), {}) as client:
        answer = client.request(asked.method, asked.path, **asked.options)

    if route == ("GET", "/tasks") and who == "user on other's":
        assert answer.json()["total"] == 0
    else:
        assert answer.status_code in expected(access_to(*route), who), answer.text[:300]
    if route in BODIES and "task_id" in template and who in {"user on own", "user by cookie", "admin"}:
        assert answer.status_code == 200 + (template.endswith("/comments"))
    if answer.status_code == 401 and route not in FORMS:
        assert answer.headers["WWW-Authenticate"].startswith("Bearer")
    if access_to(*route) is Access.ANYONE and not template.startswith(("/auth", "/sign")):
        assert answer.status_code == 200


@pytest.mark.parametrize(("route", "who"), list(product(["/", "/events", "/quarantine", "/feed"], WRONG)), ids=str)
def test_a_browser_that_has_to_sign_in_is_sent_there_and_comes_back(route: str, who: str) -> None:
    world = World()
    headers = {"Accept": "text/html", **EVERYBODY[who].headers(world)}
    with Checked(world.application(), headers) as client:
        answer = client.get(f"{route}?a=1")

    assert answer.status_code == 303
    assert answer.headers["location"] == f"/sign-in?next=%2F{route[1:]}%3Fa%3D1"


def test_a_wrong_request_of_somebody_unknown_learns_nothing_of_what_is_wrong() -> None:
    with Checked(World().application(), {}) as client:
        for method, path, body in (
            ("GET", "/events?nonsense=1", b""),
            ("POST", "/users", b"{"),
            ("PUT", "/users/nonsense", b"{}"),
        ):
            assert client.request(method, path, content=body, headers={"Content-Type": "application/json"}).status_code == 401
