"""Signing in and out, users and keys, by the API."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from consumers.people.throttle import ACCOUNT
from tests.api.contract import Checked
from tests.api.world import ADMIN, DAY_US, OTHER, PASSWORD, SECOND_US, USER, World, signed_in

NEW = {"email": "New@Example.org", "full_name": " New  User ", "password": "a long enough password"}


@pytest.fixture
def user(world: World) -> Iterator[Checked]:
    """The client of a user who is no admin."""
    with Checked(world.application(), signed_in(USER)) as client:
        yield client


@pytest.fixture
def anybody(world: World) -> Iterator[Checked]:
    """A client that did not sign in."""
    with Checked(world.application(), {}) as client:
        yield client


def log_in(client: Checked, email: str = USER.email, password: str = PASSWORD) -> httpx.Response:
    return client.post("/auth/login", json={"email": email, "password": password})


def shown(answer: httpx.Response) -> dict[str, str]:
    return {"Authorization": f"Bearer {answer.json()['access_token']}"}


def put(client: Checked, path: str, body: Any, **options: Any) -> httpx.Response:
    return client.request("PUT", path, json=body, **options)


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


# signing in


def test_a_client_signs_in_asks_goes_on_and_signs_out(anybody: Checked, world: World) -> None:
    first = log_in(anybody)
    assert first.status_code == 200
    assert (first.json()["token_type"], first.json()["expires_in"], first.json()["refresh_expires_in"]) == ("Bearer", 900, 604800)
    assert first.headers["cache-control"] == "no-store"
    assert anybody.get("/users/me", headers=shown(first)).json()["email"] == USER.email

    world.clock.now_us += 900 * SECOND_US
    assert code(anybody.get("/users/me", headers=shown(first))) == (401, "sign_in_needed")
    second = anybody.post("/auth/refresh", json={"refresh_token": first.json()["refresh_token"]})
    assert anybody.get("/users/me", headers=shown(second)).status_code == 200

    assert anybody.post("/auth/logout", json={}, headers=shown(second)).status_code == 204
    assert anybody.get("/users/me", headers=shown(second)).status_code == 401
    assert code(anybody.post("/auth/refresh", json={"refresh_token": second.json()["refresh_token"]})) == (401, "sign_in_needed")


def test_a_refresh_token_that_comes_twice_ends_the_session(anybody: Checked) -> None:
    first = log_in(anybody).json()["refresh_token"]
    second = anybody.post("/auth/refresh", json={"refresh_token": first})

    again = anybody.post("/auth/refresh", json={"refresh_token": first})

    assert again.status_code == 401
    assert 'error="invalid_token"' in again.headers["www-authenticate"]
    assert anybody.get("/users/me", headers=shown(second)).status_code == 401


def test_signing_out_everywhere_ends_all_sessions(anybody: Checked) -> None:
    answers = [log_in(anybody) for _ in range(2)]

    anybody.post("/auth/logout", json={"everywhere": True}, headers=shown(answers[0]))

    assert [anybody.get("/users/me", headers=shown(each)).status_code for each in answers] == [401, 401]


def test_a_refusal_is_the_same_for_those_who_exist_and_those_who_do_not(anybody: Checked) -> None:
    answers = [log_in(anybody, USER.email, "wrong"), log_in(anybody, "nobody@example.org", "wrong"), log_in(anybody, "", "")]

    assert {each.text for each in answers} == {answers[0].text}
    assert {code(each) for each in answers} == {(401, "sign_in_failed")}
    assert {tuple(sorted(each.headers)) for each in answers} == {tuple(sorted(answers[0].headers))}


def test_too_many_attempts_are_told_to_wait(anybody: Checked, world: World) -> None:
    for _ in range(ACCOUNT.free):
        assert log_in(anybody, password="wrong").status_code == 401
    answer = log_in(anybody)

    assert code(answer) == (429, "too_many_attempts")
    assert answer.headers["retry-after"] == "1"
    world.clock.now_us += SECOND_US
    assert log_in(anybody).status_code == 200


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{", b'{"email": 7}', b"\xff", b'{"email": "\\ud800", "password": "x"}', b"null", b"[" * 9999]
)
@pytest.mark.parametrize("path", ["/auth/login", "/auth/refresh"])
def test_a_body_that_is_none_is_refused(anybody: Checked, path: str, body: bytes) -> None:
    answer = anybody.post(path, content=body, headers={"Content-Type": "application/json"})

    assert code(answer) == (422, "value_refused")


def test_another_content_type_is_refused(anybody: Checked) -> None:
    answer = anybody.post("/auth/login", content=b"<xml/>", headers={"Content-Type": "application/xml"})

    assert answer.status_code in (415, 422)


def test_the_store_being_away_is_told_as_such(anybody: Checked, world: World) -> None:
    world.people.close()

    answer = anybody.get("/users/me", headers=signed_in(USER))

    assert code(answer) == (503, "unavailable")
    assert "people.db" not in answer.text
    assert anybody.get("/health").status_code == 200
    assert anybody.get("/", headers=signed_in(USER) | {"Accept": "text/html"}).status_code == 503


# users


def test_an_admin_makes_a_user_who_can_sign_in(client: Checked) -> None:
    made = client.post("/users", json=NEW)

    assert made.status_code == 201
    told = made.json()
    assert made.headers["location"] == f"/users/{told['id']}"
    assert (told["email"], told["full_name"], told["role"], told["active"]) == ("new@example.org", "New User", "user", True)
    assert log_in(client, "NEW@example.org", NEW["password"]).json()["user"]["id"] == told["id"]
    assert NEW["password"] not in made.text


def test_an_email_address_that_is_taken_is_a_conflict(client: Checked) -> None:
    answer = client.post("/users", json={**NEW, "email": USER.email.upper()})

    assert code(answer) == (409, "conflict")
    assert answer.json()["error"]["details"] == [{"field": "email", "message": "is taken"}]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"email": "nonsense"}, "email"),
        ({"full_name": "x"}, "full_name"),
        ({"full_name": " x "}, "full_name"),
        ({"role": "root"}, "role"),
        ({"password": "short"}, "password"),
        ({"password": "x" * 73}, "password"),
        ({"id": "mine"}, "id"),
    ],
)
def test_what_is_not_accepted_of_a_user_is_named(client: Checked, change: dict[str, str], field: str) -> None:
    answer = client.post("/users", json={**NEW, **change})

    assert code(answer) == (422, "value_refused")
    assert [detail["field"] for detail in answer.json()["error"]["details"]] == [field]
    assert change.get("password", "no such") not in answer.text


def test_users_are_listed_filtered_and_paged(client: Checked) -> None:
    def emails(query: str) -> tuple[list[str], int]:
        told = client.get(f"/users{query}").json()
        return [item["email"] for item in told["items"]], told["total"]

    assert emails("") == ([ADMIN.email, USER.email, OTHER.email], 3)
    assert emails("?role=user&limit=1&offset=1") == ([OTHER.email], 2)
    assert emails("?active=false") == ([], 0)


RENAMED = {"full_name": "Changed Name", "email": "changed@example.org", "version": 1}


@pytest.mark.parametrize("given", [{}, {"current_password": "wrong"}])
def test_an_open_session_is_not_enough_for_another_address(user: Checked, given: dict[str, str]) -> None:
    answer = put(user, f"/users/{USER.id}", RENAMED | given)

    assert answer.status_code == 422
    assert answer.json()["error"]["details"] == [{"field": "current_password", "message": "is not the present one"}]
    assert user.get("/users/me").json()["email"] == USER.email


def test_an_admin_changes_the_address_of_another_without_their_password(client: Checked) -> None:
    assert put(client, f"/users/{USER.id}", RENAMED).json()["email"] == "changed@example.org"


def test_a_user_keeps_their_own_profile(user: Checked) -> None:
    changed = put(user, f"/users/{USER.id}", {**RENAMED, "current_password": PASSWORD})

    assert (changed.json()["full_name"], changed.json()["email"], changed.json()["version"]) == (
        "Changed Name", "changed@example.org", 2,
    )  # fmt: skip
    assert user.get("/users/me").json() == user.get(f"/users/{USER.id}").json() == changed.json()


@pytest.mark.parametrize("change", [{"role": "admin"}, {"active": False}, {"full_name": "Fine Name", "role": "user"}])
def test_a_user_does_not_make_themselves_more(user: Checked, change: dict[str, Any]) -> None:
    assert code(put(user, f"/users/{USER.id}", change)) == (403, "not_allowed")
    assert user.get("/users/me").json()["version"] == 1


def test_another_user_is_not_there_for_a_user(user: Checked) -> None:
    for answer in (
        user.get(f"/users/{OTHER.id}"),
        put(user, f"/users/{OTHER.id}", {"full_name": "Mine Now"}),
        put(user, f"/users/{OTHER.id}/password", {"password": "a long enough password"}),
    ):
        assert code(answer) == (404, "not_found")


def test_a_stale_edit_is_a_conflict(client: Checked) -> None:
    put(client, f"/users/{USER.id}", {"full_name": "First Edit", "version": 1})

    assert code(put(client, f"/users/{USER.id}", {"full_name": "Second Edit", "version": 1})) == (409, "conflict")
    assert client.get(f"/users/{USER.id}").json()["full_name"] == "First Edit"


def test_the_last_admin_stays(client: Checked) -> None:
    for answer in (
        put(client, f"/users/{ADMIN.id}", {"role": "user"}),
        put(client, f"/users/{ADMIN.id}", {"active": False}),
        client.request("DELETE", f"/users/{ADMIN.id}"),
    ):
        assert code(answer) == (409, "conflict")


def test_who_is_made_inactive_or_demoted_is_so_from_the_next_request_on(client: Checked, user: Checked) -> None:
    put(client, f"/users/{USER.id}", {"role": "admin"})
    assert user.get("/users").status_code == 200
    put(client, f"/users/{USER.id}", {"role": "user"})
    assert user.get("/users").status_code == 403
    put(client, f"/users/{USER.id}", {"active": False})
    assert user.get("/users/me").status_code == 401
    assert log_in(client).status_code == 401


def test_a_removed_user_is_gone_with_everything(client: Checked, user: Checked) -> None:
    assert client.request("DELETE", f"/users/{USER.id}").status_code == 204

    assert user.get("/users/me").status_code == 401
    assert client.get(f"/users/{USER.id}").status_code == 404
    assert client.request("DELETE", f"/users/{USER.id}").status_code == 404
    assert client.post("/users", json={**NEW, "email": USER.email}).status_code == 201


def test_preferences_are_the_users_own(user: Checked) -> None:
    told = put(user, "/users/me/preferences", {"theme": "dark", "nested": {"a": [1]}})

    assert told.json()["preferences"] == {"theme": "dark", "nested": {"a": [1]}}
    assert user.get("/users/me").json() == told.json()
    assert code(put(user, "/users/me/preferences", {"big": "x" * 9000})) == (422, "value_refused")
    assert code(put(user, "/users/me/preferences", [1])) == (422, "value_refused")


def test_a_user_changes_their_password_by_the_present_one(user: Checked, anybody: Checked) -> None:
    elsewhere = log_in(anybody)
    path = f"/users/{USER.id}/password"

    assert code(put(user, path, {"password": "another password"})) == (422, "value_refused")
    wrong = put(user, path, {"password": "another password", "current_password": "wrong"})
    assert wrong.json()["error"]["details"] == [{"field": "current_password", "message": "is not the present one"}]
    assert put(user, path, {"password": "another password", "current_password": PASSWORD}).status_code == 204

    assert user.get("/users/me").status_code == 200
    assert anybody.get("/users/me", headers=shown(elsewhere)).status_code == 401
    assert log_in(anybody).status_code == 401
    assert log_in(anybody, password="another password").status_code == 200


def test_an_open_session_does_not_let_anybody_guess_the_password(user: Checked) -> None:
    answers = [
        put(user, f"/users/{USER.id}/password", {"password": "another password", "current_password": str(n)}) for n in range(6)
    ]

    assert [each.status_code for each in answers] == [422] * 5 + [429]


def test_an_admin_sets_the_password_of_another(client: Checked, user: Checked) -> None:
    assert put(client, f"/users/{USER.id}/password", {"password": "another password"}).status_code == 204

    assert user.get("/users/me").status_code == 401
    assert log_in(client, password="another password").status_code == 200
    assert put(client, f"/users/{USER.id[:-1]}0/password", {"password": "another password"}).status_code == 404


def test_users_are_counted(client: Checked, world: World) -> None:
    client.post("/users", json=NEW)
    put(client, f"/users/{OTHER.id}", {"active": False})
    world.clock.now_us += 2 * DAY_US

    assert client.get("/dashboard/users-stats").json() == {
        "total": 4,
        "by_role": {"admin": 1, "user": 3},
        "active": 3,
        "inactive": 1,
        "signed_in_24_hours": 0,
        "signed_in_30_days": 3,
        "never_signed_in": 1,
    }


# keys


def test_a_key_appends_findings_and_nothing_else_until_it_is_revoked(client: Checked, anybody: Checked) -> None:
    made = client.post("/keys", json={"name": "agent in 111122223333"})
    assert made.status_code == 201
    key = {"Authorization": f"Bearer {made.json()['secret']}"}

    assert anybody.post("/events", json={"number": 1, "time": 1}, headers=key).status_code == 202
    refused = anybody.get("/events", headers=key)
    assert code(refused) == (403, "not_allowed")
    assert "POST /events" in refused.json()["error"]["message"]

    (listed,) = client.get("/keys").json()["items"]
    assert listed == {name: value for name, value in made.json().items() if name != "secret"} | {"last_used": listed["last_used"]}
    assert (listed["created_by"], listed["revoked"]) == (ADMIN.id, None)
    assert listed["last_used"] is not None

    assert client.request("DELETE", f"/keys/{listed['id']}").json()["revoked"] is not None
    assert code(anybody.post("/events", json={"number": 2, "time": 1}, headers=key)) == (401, "sign_in_needed")
    assert client.request("DELETE", f"/keys/{ADMIN.id}").status_code == 404


# cookies on the API


def test_where_cookies_are_not_believed_none_helps(world: World) -> None:
    from tests.api.test_api_resolver import lambda_event  # noqa: PLC0415

    cookie = world.sign_in.page_in_with(USER.email, PASSWORD, address="")
    event = lambda_event("GET", "/users/me")
    event["headers"] = {"cookie": f"findstream_session={cookie}"}

    answer = world.resolver().resolve(event, None)

    assert answer["statusCode"] == 401
    assert answer["headers"]["Content-Security-Policy"].startswith("default-src 'none'")


def test_outside_of_a_request_nobody_asks(world: World) -> None:
    from consumers.api.authentication import Authentication  # noqa: PLC0415

    authentication = Authentication(world.sign_in, local=True, cookies=True)

    for ask in (authentication.principal, authentication.signed_in):
        with pytest.raises(LookupError):
            ask()
