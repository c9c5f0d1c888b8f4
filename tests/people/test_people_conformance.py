"""The store of people keeps its promises, whatever it is made of."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier

import pytest

from consumers.people.directory import REMOVED
from consumers.people.errors import (
    EmailTaken,
    KeyUnknown,
    LastAdmin,
    NobodyThere,
    PasswordRefused,
    PeopleError,
    TokenRefused,
    TokenReused,
    UserChanged,
)
from consumers.people.port import People, Wanted
from consumers.people.principal import Role
from consumers.people.session import Failures, digest
from tests.people.conftest import Open
from tests.people.stores import DAY_US, NOW_US, PASSWORD, SECOND_US, admin, key, session, user

OTHER = "another long password"
LATER_US = NOW_US + SECOND_US


def together(*calls: Callable[[], object]) -> list[object]:
    """What each call answered, or raised, all begun at once."""
    barrier = Barrier(len(calls))

    def call(one: Callable[[], object]) -> object:
        barrier.wait(10)
        try:
            return one()
        except PeopleError as refused:
            return type(refused)

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(call, calls))


# users


def test_a_user_is_read_back_by_id_and_by_email(people: People) -> None:
    ada = user(preferences={"theme": "dark", "Größe": [1, None]})
    people.users.add(ada, PASSWORD)

    assert people.users.get(ada.id) == ada
    assert people.users.find(ada.email) == ada
    assert people.users.get("") is people.users.get("nobody") is None
    assert people.users.find("") is people.users.find("nobody@example.org") is None


def test_two_handles_on_one_store_see_each_other(people: People, another: Open) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)

    assert another().users.get(ada.id) == ada


def test_an_email_address_belongs_to_one_user(people: People) -> None:
    people.users.add(user("ada@example.org"), PASSWORD)

    with pytest.raises(EmailTaken):
        people.users.add(user("ada@example.org"), PASSWORD)
    assert people.users.list(Wanted()).total == 1


def test_of_users_that_are_added_at_once_with_one_email_address_one_is_kept(people: People) -> None:
    users = [user("ada@example.org") for _ in range(6)]

    told = together(*(lambda one=one: people.users.add(one, PASSWORD) for one in users))

    assert sorted(map(str, told)) == ["<class 'consumers.people.errors.EmailTaken'>"] * 5 + ["None"]
    assert people.users.list(Wanted()).total == 1


def test_a_password_that_is_not_accepted_makes_no_user(people: People) -> None:
    with pytest.raises(PasswordRefused):
        people.users.add(user(), "short")

    assert people.users.list(Wanted()).total == 0


def test_users_are_listed_as_they_were_made_by_role_and_activity_and_paged(people: People) -> None:
    made = [admin("a@x.org"), user("b@x.org"), user("c@x.org", active=False), admin("d@x.org", active=False)]
    for one in made:
        people.users.add(one, PASSWORD)

    def emails(wanted: Wanted) -> str:
        page = people.users.list(wanted)
        return f"{' '.join(one.email[0] for one in page.users)} of {page.total}"

    assert emails(Wanted()) == "a b c d of 4"
    assert emails(Wanted(limit=2, offset=1)) == "b c of 4"
    assert emails(Wanted(role=Role.ADMIN)) == "a d of 2"
    assert emails(Wanted(active=False)) == "c d of 2"
    assert emails(Wanted(role=Role.USER, active=True)) == "b of 1"
    assert emails(Wanted(offset=9)) == " of 4"


def test_names_resolve_and_who_is_nobody_is_a_removed_user(people: People) -> None:
    ada, grace = user(), admin()
    for one in (ada, grace):
        people.users.add(one, PASSWORD)

    names = people.users.names([grace.id, "nobody", ada.id, ada.id, ""])

    assert names == {grace.id: "Grace Hopper", ada.id: "Ada Lovelace", "nobody": REMOVED, "": REMOVED}
    assert people.users.names([]) == {}


def test_only_the_right_password_of_an_active_user_is_verified(people: People) -> None:
    ada, gone = user(), user("gone@example.org", active=False)
    people.users.add(ada, PASSWORD)
    people.users.add(gone, PASSWORD)

    assert people.users.verify(ada.email, PASSWORD) == ada
    assert people.users.verify(ada.email, OTHER) is None
    assert people.users.verify(gone.email, PASSWORD) is None
    assert people.users.verify("nobody@example.org", PASSWORD) is None


def test_a_change_is_kept_with_a_new_version(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)

    changed = people.users.change(
        ada, replace(ada, full_name="Countess", email="countess@x.org", preferences={"a": 1}, updated_us=LATER_US)
    )

    assert (changed.version, changed.epoch) == (2, 1)
    assert people.users.get(ada.id) == people.users.find("countess@x.org") == changed
    assert people.users.find(ada.email) is None
    assert people.users.verify("countess@x.org", PASSWORD) == changed
    people.users.add(user(ada.email), PASSWORD)


def test_who_read_an_older_version_changes_nothing(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    changed = people.users.change(ada, replace(ada, full_name="First"))

    with pytest.raises(UserChanged):
        people.users.change(ada, replace(ada, full_name="Second"))
    with pytest.raises(NobodyThere):
        people.users.change(user("x@x.org"), user("y@x.org"))

    assert people.users.get(ada.id) == changed


def test_of_changes_at_once_one_is_kept(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)

    told = together(*(lambda n=n: people.users.change(ada, replace(ada, full_name=f"Ada {n}")) for n in range(4)))

    assert told.count(UserChanged) == 3
    assert people.users.get(ada.id) in told


def test_an_email_address_of_another_is_not_taken_over(people: People) -> None:
    ada, grace = user(), admin()
    people.users.add(ada, PASSWORD)
    people.users.add(grace, PASSWORD)

    with pytest.raises(EmailTaken):
        people.users.change(ada, replace(ada, email=grace.email))

    assert people.users.find(grace.email) == grace
    assert people.users.get(ada.id) == ada


def test_the_last_active_admin_stays_one(people: People) -> None:
    grace = admin()
    people.users.add(grace, PASSWORD)
    people.users.add(user(), PASSWORD)
    people.users.add(admin("idle@x.org", active=False), PASSWORD)

    for after in (replace(grace, role=Role.USER), replace(grace, active=False)):
        with pytest.raises(LastAdmin):
            people.users.change(grace, after)
    with pytest.raises(LastAdmin):
        people.users.erase(grace.id)

    assert people.users.admins() == 1
    assert people.users.get(grace.id) == grace


def test_one_of_two_admins_may_go_and_not_the_other(people: People) -> None:
    admins = [admin("a@x.org"), admin("b@x.org")]
    for one in admins:
        people.users.add(one, PASSWORD)

    told = together(*(lambda one=one: people.users.erase(one.id) for one in admins))

    assert sorted(map(str, told)) == ["<class 'consumers.people.errors.LastAdmin'>", "None"]
    assert people.users.admins() == 1


def test_admins_are_counted_through_promotion_and_demotion(people: People) -> None:
    ada, grace = user(), admin()
    people.users.add(ada, PASSWORD)
    people.users.add(grace, PASSWORD)

    ada = people.users.change(ada, replace(ada, role=Role.ADMIN))
    assert people.users.admins() == 2
    people.users.change(ada, replace(ada, role=Role.USER))
    assert people.users.admins() == 1


def test_erasing_a_user_leaves_nothing_and_frees_the_email_address(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    signed_in = session(ada)
    people.sessions.open(signed_in)

    people.users.erase(ada.id)

    assert people.users.get(ada.id) is None
    assert people.users.verify(ada.email, PASSWORD) is None
    assert people.users.names([ada.id]) == {ada.id: REMOVED}
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) is None
    people.users.add(user(ada.email), PASSWORD)
    with pytest.raises(NobodyThere):
        people.users.erase(ada.id)


# passwords and sessions


def test_a_session_is_open_until_it_ends(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    signed_in = session(ada)
    people.sessions.open(signed_in)
    seen = people.users.get(ada.id)

    assert seen == replace(ada, last_login_us=NOW_US)
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) == seen
    assert people.sessions.user(ada.id, signed_in.id, now_us=signed_in.expires_us) is None
    assert people.sessions.user("other", signed_in.id, now_us=NOW_US) is None
    assert people.sessions.user(ada.id, "other", now_us=NOW_US) is None
    assert people.sessions.user("", "", now_us=NOW_US) is None
    people.sessions.end("other", signed_in.id)
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) == seen
    people.sessions.end(ada.id, signed_in.id)
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) is None
    people.sessions.end(ada.id, signed_in.id)


def test_nobody_signs_in_who_is_gone_inactive_or_of_another_epoch(people: People) -> None:
    ada, idle = user(), user("idle@x.org", active=False)
    people.users.add(ada, PASSWORD)
    people.users.add(idle, PASSWORD)

    for one in (user("nobody@x.org"), idle, replace(ada, epoch=2)):
        with pytest.raises(NobodyThere):
            people.sessions.open(session(one))


def test_a_refresh_token_is_exchanged_once_and_its_reuse_ends_the_session(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    kept, stolen = session(ada, "kept"), session(ada, "first")
    people.sessions.open(kept)
    people.sessions.open(stolen)

    def renew(presented: str, fresh: str) -> str:
        until_us = NOW_US + 9 * DAY_US
        return people.sessions.renew(ada.id, stolen.id, digest(presented), digest(fresh), now_us=LATER_US, expires_us=until_us).id

    assert renew("first", "second") == ada.id
    assert people.sessions.user(ada.id, stolen.id, now_us=NOW_US + 8 * DAY_US) is not None
    assert renew("second", "third") == ada.id
    with pytest.raises(TokenReused):
        renew("first", "mine")
    with pytest.raises(TokenRefused):
        renew("third", "fourth")
    assert people.sessions.user(ada.id, stolen.id, now_us=LATER_US) is None
    assert people.sessions.user(ada.id, kept.id, now_us=LATER_US) is not None


def test_of_exchanges_at_once_one_at_most_succeeds_and_the_session_ends(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    signed_in = session(ada)
    people.sessions.open(signed_in)

    def renew(number: int) -> str:
        fresh = digest(str(number))
        return people.sessions.renew(ada.id, signed_in.id, digest("first"), fresh, now_us=NOW_US, expires_us=LATER_US).id

    told = together(*(lambda n=n: renew(n) for n in range(5)))

    assert told.count(ada.id) == 1
    assert {one for one in told if one != ada.id} <= {TokenReused, TokenRefused}
    assert TokenReused in told
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) is None


def test_a_new_password_ends_all_sessions_but_the_one_that_is_kept(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    sessions = [session(ada), session(ada)]
    for one in sessions:
        people.sessions.open(one)

    people.users.set_password(ada.id, OTHER, now_us=LATER_US, keep=sessions[0].id)

    assert people.users.verify(ada.email, PASSWORD) is None
    assert people.users.verify(ada.email, OTHER) is not None
    assert people.sessions.user(ada.id, sessions[0].id, now_us=NOW_US) is not None
    assert people.sessions.user(ada.id, sessions[1].id, now_us=NOW_US) is None
    people.users.set_password(ada.id, PASSWORD, now_us=LATER_US)
    assert people.sessions.user(ada.id, sessions[0].id, now_us=NOW_US) is None
    people.users.set_password(ada.id, PASSWORD, now_us=LATER_US, keep="no session")
    with pytest.raises(NobodyThere):
        people.users.set_password("nobody", OTHER, now_us=LATER_US)


def test_who_is_made_inactive_is_signed_out_for_good(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    signed_in = session(ada)
    people.sessions.open(signed_in)

    idle = people.users.change(ada, replace(ada, active=False))
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) is None
    people.users.change(idle, replace(idle, active=True))
    assert people.sessions.user(ada.id, signed_in.id, now_us=NOW_US) is None


def test_all_sessions_of_a_user_end_at_once(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    sessions = [session(ada), session(ada)]
    for one in sessions:
        people.sessions.open(one)

    people.sessions.end_all(ada.id)

    assert [people.sessions.user(ada.id, one.id, now_us=NOW_US) for one in sessions] == [None, None]
    with pytest.raises(NobodyThere):
        people.sessions.end_all("nobody")


def test_a_change_by_who_read_the_user_before_all_was_ended_opens_nothing_again(people: People) -> None:
    ada = user()
    people.users.add(ada, PASSWORD)
    before = session(ada)
    people.sessions.open(before)
    people.sessions.end_all(ada.id)
    now = people.users.get(ada.id)
    assert now is not None
    after = session(now)
    people.sessions.open(after)

    with pytest.raises(UserChanged):
        people.users.change(ada, replace(ada, full_name="Ada King"))

    assert people.sessions.user(ada.id, before.id, now_us=NOW_US) is None
    assert people.sessions.user(ada.id, after.id, now_us=NOW_US) is not None


# attempts


def test_failures_are_counted_by_who_read_them_last(people: People) -> None:
    first, second = Failures(1, NOW_US), Failures(2, LATER_US)
    assert people.attempts.get("key") is None

    assert people.attempts.swap("key", None, first, expires_us=NOW_US + DAY_US)
    assert not people.attempts.swap("key", None, first, expires_us=NOW_US + DAY_US)
    assert people.attempts.swap("key", first, second, expires_us=NOW_US + DAY_US)
    assert not people.attempts.swap("key", first, second, expires_us=NOW_US + DAY_US)

    assert people.attempts.get("key") == second
    people.attempts.forget("key")
    assert people.attempts.get("key") is None


# ingest keys


def test_a_key_is_found_by_its_secret_until_it_is_revoked(people: People) -> None:
    first, second = key("first"), key("second")
    people.keys.add(first, digest("secret"))
    people.keys.add(second, digest("other"))

    assert people.keys.find(digest("secret")) == first
    assert people.keys.find(digest("nonsense")) is None
    people.keys.used(first.id, LATER_US)
    people.keys.used("nobody's", LATER_US)
    revoked = people.keys.revoke(first.id, LATER_US)

    assert revoked == replace(first, last_used_us=LATER_US, revoked_us=LATER_US)
    assert people.keys.revoke(first.id, LATER_US + 1) == revoked
    assert people.keys.find(digest("secret")) is None
    assert people.keys.list() == [revoked, second]
    with pytest.raises(KeyUnknown):
        people.keys.revoke("nobody's", LATER_US)
    with pytest.raises(KeyUnknown):
        people.keys.revoke("", LATER_US)
