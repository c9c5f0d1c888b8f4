"""Signing in and out in a browser."""

from collections.abc import Iterator
from urllib.parse import urlencode

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from consumers.console.sign_in import local
from consumers.people.throttle import ACCOUNT
from tests.api.contract import BASE, Checked
from tests.api.world import ADMIN, PASSWORD, USER, World

PAGE = {"Accept": "text/html"}


@pytest.fixture
def browser(world: World) -> Iterator[Checked]:
    with Checked(world.application(), PAGE) as client:
        yield client


def enter(browser: Checked, email: str = USER.email, password: str = PASSWORD, back: str = "/", **headers: str) -> httpx.Response:
    form = urlencode({"email": email, "password": password, "next": back})
    sent = {"Content-Type": "application/x-www-form-urlencoded", "Origin": BASE, **headers}
    return browser.post("/sign-in", content=form, headers=sent)


def test_who_is_sent_to_sign_in_comes_back_to_the_page_they_wanted(browser: Checked) -> None:
    sent = browser.get("/events?hours=24")
    form = browser.get(sent.headers["location"])
    assert 'name="next" value="/events?hours=24"' in form.text
    assert 'autocomplete="current-password"' in form.text

    entered = enter(browser, back="/events?hours=24")

    assert (entered.status_code, entered.headers["location"]) == (303, "/events?hours=24")
    shown = browser.get(entered.headers["location"])
    assert shown.status_code == 200
    assert USER.full_name in shown.text


def test_the_cookie_is_kept_from_scripts_and_other_sites(world: World) -> None:
    for base, secure in ((BASE, False), ("https://127.0.0.1:8321", True)):
        with Checked(world.application(), PAGE, base=base) as browser:
            cookie = enter(browser, Origin=base).headers["set-cookie"].lower()
        assert {"httponly", "samesite=strict", "path=/", "max-age=604800"} <= set(cookie.split("; "))
        assert ("secure" in cookie.split("; ")) is secure


def test_a_wrong_password_shows_the_form_again_without_it(browser: Checked) -> None:
    answer = enter(browser, email="<b>@x", password="hunter2 is wrong", back="/agents")

    assert answer.status_code == 401
    assert "E-mail address or password is wrong" in answer.text
    assert 'role="alert"' in answer.text
    assert "hunter2" not in answer.text
    assert "<b>" not in answer.text
    assert 'value="/agents"' in answer.text
    assert "set-cookie" not in answer.headers


def test_too_many_attempts_are_told_to_wait(browser: Checked) -> None:
    for _ in range(ACCOUNT.free):
        enter(browser, password="wrong")
    answer = enter(browser)

    assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
    assert "Try again in 1 s" in answer.text


def test_a_page_of_another_origin_signs_nobody_in_or_out(browser: Checked) -> None:
    assert enter(browser, Origin="https://evil.example").status_code == 403
    enter(browser)

    assert browser.post("/sign-out", headers={"Origin": "https://evil.example"}).status_code == 403
    assert browser.get("/events").status_code == 200


def test_who_signs_out_is_out(browser: Checked, world: World) -> None:
    cookie = enter(browser).cookies["findstream_session"]

    left = browser.post("/sign-out")

    assert (left.status_code, left.headers["location"]) == (303, "/sign-in")
    assert browser.get("/events").status_code == 303
    with Checked(world.application(), {**PAGE, "Cookie": f"findstream_session={cookie}"}) as thief:
        assert thief.get("/events").status_code == 303
    assert browser.post("/sign-out").status_code == 303


def test_who_is_signed_in_needs_no_form(browser: Checked) -> None:
    enter(browser)

    answer = browser.get("/sign-in?next=/agents")

    assert (answer.status_code, answer.headers["location"]) == (303, "/agents")


def test_a_browser_that_signed_in_may_use_the_api_and_the_feed(browser: Checked) -> None:
    enter(browser)

    assert browser.get("/users/me", headers={"Accept": "application/json"}).json()["email"] == USER.email
    assert browser.request("HEAD", "/feed", headers={"Accept": "text/event-stream"}).status_code == 200


def test_a_link_from_elsewhere_is_asked_for_once_more_by_our_own_page(browser: Checked) -> None:
    answer = browser.get("/events/some-id", headers={"Sec-Fetch-Site": "cross-site"})

    assert answer.status_code == 200
    assert 'http-equiv="refresh"' in answer.text
    assert browser.get("/events/some-id", headers={"Sec-Fetch-Site": "same-origin"}).status_code == 303


def test_what_only_admins_may_is_shown_to_admins_only(browser: Checked) -> None:
    enter(browser)
    assert "/quarantine" not in browser.get("/").text
    refused = browser.get("/quarantine")
    assert refused.status_code == 403
    assert "This is for admins" in refused.text
    browser.post("/sign-out")

    enter(browser, email=ADMIN.email)
    assert 'href="/quarantine"' in browser.get("/").text
    assert browser.get("/quarantine").status_code == 200


def test_a_form_that_is_too_large_or_nonsense_is_refused(browser: Checked) -> None:
    assert browser.post("/sign-in", content=b"x" * 20_000).status_code == 413
    assert browser.post("/sign-in", content=b"\xff&&&=").status_code == 401
    assert browser.post("/sign-in", content=b"&".join(b"a=b" for _ in range(4000))).status_code == 401


@pytest.mark.parametrize(
    "path", ["//evil.example", "/\\evil.example", "https://evil.example", "evil", "", "/a\nb", "javascript:x"]
)
def test_nobody_is_sent_elsewhere(path: str) -> None:
    assert local(path) == "/"


@given(st.text(max_size=30))
def test_whatever_comes_back_is_a_path_of_this_server(path: str) -> None:
    assert local(path).startswith("/")
    assert not local(path).startswith("//")
