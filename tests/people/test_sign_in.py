"""Signing in, staying so, and being kept from trying too often."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from threading import Barrier

import pytest

from consumers.people.errors import SignInRefused, SignInThrottled, TokenRefused, TokenReused
from consumers.people.sign_in import KEY_PREFIX, new_key
from consumers.people.sqlite import SqlitePeople
from consumers.people.throttle import ACCOUNT, ADDRESS, LONGEST_SECONDS, _network
from consumers.people.tokens import Use
from consumers.people.user import User
from tests.people.signing import Door
from tests.people.stores import NOW_US, PASSWORD, QUICK, entropy, user

HERE = "203.0.113.7"
STRANGER = "198.51.100.1"


@pytest.fixture
def door(tmp_path: Path) -> Iterator[Door]:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        yield Door(people)


@pytest.fixture
def ada(door: Door) -> User:
    made = user()
    door.people.users.add(made, PASSWORD)
    return made


def fail(door: Door, times: int = 1, *, email: str = "ada@example.org", address: str = HERE) -> None:
    for _ in range(times):
        with pytest.raises(SignInRefused):
            door.sign_in.in_with(email, "wrong password", address=address)


def waits(door: Door, *, email: str = "ada@example.org", address: str = HERE, password: str = "wrong password") -> int:
    """The seconds that an attempt is told to wait; 0 if it was made."""
    try:
        door.sign_in.in_with(email, password, address=address)
    except SignInThrottled as throttled:
        return throttled.retry_seconds
    except SignInRefused:
        return 0
    return 0


def test_who_signs_in_is_known_by_the_access_token(door: Door, ada: User) -> None:
    pair = door.sign_in.in_with(" ADA@example.org ", PASSWORD, address=HERE)

    assert door.sign_in.user_of(pair.access).user == replace(ada, last_login_us=NOW_US)
    for token, use in ((pair.refresh, Use.ACCESS), (pair.access, Use.PAGE)):
        with pytest.raises(TokenRefused):
            door.sign_in.user_of(token, use)
    with pytest.raises(TokenRefused):
        door.sign_in.renewed(pair.access)
    assert pair.access not in repr(pair)


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("ada@example.org", "wrong password"),
        ("nobody@example.org", PASSWORD),
        ("no address", PASSWORD),
        ("", ""),
        ("x" * 9999, "y" * 9999),
    ],
)
def test_who_is_refused_learns_nothing(door: Door, ada: User, email: str, password: str) -> None:
    assert ada
    with pytest.raises(SignInRefused) as refused:
        door.sign_in.in_with(email, password, address=HERE)

    assert str(refused.value) == "e-mail address and password do not belong together, or this user may not sign in"


def test_an_inactive_user_is_refused_like_everybody(door: Door, ada: User) -> None:
    door.people.users.change(ada, replace(ada, active=False))

    fail(door)
    with pytest.raises(SignInRefused):
        door.sign_in.in_with(ada.email, PASSWORD, address=HERE)


def test_a_user_who_is_removed_while_signing_in_is_refused(door: Door, ada: User, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(door.people.users, "verify", lambda *_: replace(ada, epoch=9))

    with pytest.raises(SignInRefused):
        door.sign_in.in_with(ada.email, PASSWORD, address=HERE)


def test_refreshing_goes_on_for_as_long_as_it_is_done_within_a_week(door: Door, ada: User) -> None:
    pair = door.sign_in.in_with(ada.email, PASSWORD, address=HERE)
    for _ in range(5):
        door.clock.pass_by(days=6, hours=23)
        with pytest.raises(TokenRefused):
            door.sign_in.user_of(pair.access)
        pair = door.sign_in.renewed(pair.refresh)
        assert door.sign_in.user_of(pair.access).user.id == ada.id

    door.clock.pass_by(days=7)
    with pytest.raises(TokenRefused):
        door.sign_in.renewed(pair.refresh)


def test_a_stolen_refresh_token_ends_the_session_of_thief_and_owner(door: Door, ada: User) -> None:
    stolen = door.sign_in.in_with(ada.email, PASSWORD, address=HERE)
    thief = door.sign_in.renewed(stolen.refresh)

    with pytest.raises(TokenReused):
        door.sign_in.renewed(stolen.refresh)

    for attempt in (lambda: door.sign_in.renewed(thief.refresh), lambda: door.sign_in.user_of(thief.access)):
        with pytest.raises(TokenRefused):
            attempt()


def test_signing_out_ends_one_session_or_all(door: Door, ada: User) -> None:
    pairs = [door.sign_in.in_with(ada.email, PASSWORD, address=HERE) for _ in range(3)]

    door.sign_in.out(door.sign_in.user_of(pairs[0].access))
    with pytest.raises(TokenRefused):
        door.sign_in.user_of(pairs[0].access)
    door.sign_in.out(door.sign_in.user_of(pairs[1].access), everywhere=True)
    for pair in pairs[1:]:
        with pytest.raises(TokenRefused):
            door.sign_in.renewed(pair.refresh)


def test_a_browser_is_signed_in_by_a_cookie_that_is_nothing_else(door: Door, ada: User) -> None:
    cookie = door.sign_in.page_in_with(ada.email, PASSWORD, address=HERE)

    assert door.sign_in.user_of(cookie, Use.PAGE).user.id == ada.id
    with pytest.raises(TokenRefused):
        door.sign_in.user_of(cookie)
    with pytest.raises(TokenRefused):
        door.sign_in.renewed(cookie)


def test_a_key_lets_a_producer_in_until_it_is_revoked(door: Door) -> None:
    key, secret = new_key(door.people, "agent", by="", now_us=NOW_US, entropy=entropy)

    assert secret.startswith(KEY_PREFIX)
    assert door.sign_in.key_of(secret) == key
    (noted,) = door.people.keys.list()
    assert noted.last_used_us == NOW_US
    door.clock.pass_by(seconds=59)
    assert door.sign_in.key_of(secret).last_used_us == NOW_US
    door.people.keys.revoke(key.id, NOW_US)
    with pytest.raises(TokenRefused):
        door.sign_in.key_of(secret)


# throttling


def test_after_some_failures_an_account_waits_twice_as_long_each_time(door: Door, ada: User) -> None:
    assert ada
    fail(door, ACCOUNT.free)
    waited = []
    for _ in range(9):
        seconds = waits(door)
        waited.append(seconds)
        door.clock.pass_by(seconds=seconds)
        fail(door)

    assert waited == [1, 2, 4, 8, 16, 32, LONGEST_SECONDS, LONGEST_SECONDS, LONGEST_SECONDS]


def test_attempts_that_come_too_early_do_not_make_the_wait_longer(door: Door, ada: User) -> None:
    fail(door, ACCOUNT.free)
    assert {waits(door) for _ in range(20)} == {1}

    door.clock.pass_by(seconds=1)
    assert door.sign_in.in_with(ada.email, PASSWORD, address=HERE)


def test_the_right_password_waits_too(door: Door, ada: User) -> None:
    fail(door, ACCOUNT.free)

    assert waits(door, email=ada.email, password=PASSWORD) == 1


def test_success_forgets_what_failed_before(door: Door, ada: User) -> None:
    fail(door, ACCOUNT.free - 1)
    door.sign_in.in_with(ada.email, PASSWORD, address=HERE)

    fail(door, ACCOUNT.free)
    assert waits(door) == 1


def test_a_quarter_of_an_hour_forgets_too(door: Door, ada: User) -> None:
    assert ada
    fail(door, ACCOUNT.free)
    door.clock.pass_by(minutes=15)

    fail(door, ACCOUNT.free)
    assert waits(door) == 1


def test_strangers_cannot_keep_the_owner_out(door: Door, ada: User) -> None:
    door.sign_in.in_with(ada.email, PASSWORD, address=HERE)
    told = []
    for _ in range(40):
        told.append(waits(door, address=STRANGER))
        door.clock.pass_by(seconds=told[-1])
    assert max(told) == LONGEST_SECONDS

    assert door.sign_in.in_with(ada.email, PASSWORD, address=HERE).user.id == ada.id


def test_accounts_that_do_not_exist_are_throttled_alike(door: Door) -> None:
    fail(door, ACCOUNT.free, email="nobody@example.org")

    assert waits(door, email="nobody@example.org") == 1


def test_an_address_that_tries_many_accounts_waits(door: Door, ada: User) -> None:
    for number in range(ADDRESS.free):
        fail(door, email=f"user{number}@example.org")

    assert waits(door, email="fresh@example.org") == 1
    assert door.sign_in.in_with(ada.email, PASSWORD, address=STRANGER)


def test_an_address_from_which_many_sign_in_rightly_does_not_wait(door: Door, ada: User) -> None:
    for _ in range(ADDRESS.free * 2):
        door.sign_in.in_with(ada.email, PASSWORD, address=HERE)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ("2001:db8::1", "2001:db8::ffff:1", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("", "nonsense", True),
    ],
)
def test_an_address_is_what_one_client_hardly_has_many_of(one: str, other: str, alike: bool) -> None:  # noqa: FBT001
    assert (_network(one) == _network(other)) is alike


def test_attempts_that_come_at_once_are_counted_each(door: Door, ada: User) -> None:
    """Guessing in parallel gains nothing: the attempts are counted before a password is compared."""
    together = Barrier(16)

    def attempt(number: int) -> str:
        together.wait(10)
        try:
            door.sign_in.in_with(ada.email, "wrong password", address=f"198.51.100.{number}")
        except (SignInRefused, SignInThrottled) as refused:
            return type(refused).__name__
        return "signed in"

    with ThreadPoolExecutor(16) as pool:
        told = Counter(pool.map(attempt, range(16)))

    assert told == {"SignInRefused": ACCOUNT.free, "SignInThrottled": 16 - ACCOUNT.free}
