"""The table of people while others write, too: what was overtaken is decided anew, and what is never settled is told."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from botocore.exceptions import ClientError, ReadTimeoutError

from consumers.people.dynamodb import DynamoPeople
from consumers.people.errors import EmailTaken, NobodyThere, PeopleUnavailable, TokenReused, UserChanged
from consumers.people.principal import Role
from consumers.people.session import digest
from tests.aws.clients import Server
from tests.people.stores import DAY_US, NOW_US, PASSWORD, QUICK, admin, session, user
from tests.support.dynamo import table_at


class Overtaken:
    """A client before whose next transactions something else happens; with nothing left to happen, as it is.

    The first answer to a call named ``lost`` does not arrive.
    """

    def __init__(self, client: Any, *happens: Callable[[], object], lost: str = "") -> None:
        self._client = client
        self._waiting = list(happens)
        self._lost = lost

    def __getattr__(self, name: str) -> Any:
        if name == self._lost:
            return self._lose
        if name == "transact_write_items" and self._waiting:
            self._waiting.pop(0)()
        return getattr(self._client, name)

    def _lose(self, **request: Any) -> Any:
        call, self._lost = getattr(self._client, self._lost), ""
        call(**request)
        raise ReadTimeoutError(endpoint_url="there")


def refused() -> None:
    """As if a condition had not held, though it does by now."""
    told: Any = {"Error": {"Code": "TransactionCanceledException", "Message": "no"}}
    told["CancellationReasons"] = [{"Code": "ConditionalCheckFailed"}]
    raise ClientError(told, "TransactWriteItems")


@pytest.fixture
def table(ministack: Server, tmp_path: Path) -> Callable[..., DynamoPeople]:
    """The store, before whose transactions something happens."""

    def opened(*happens: Callable[[], object], lost: str = "") -> DynamoPeople:
        client = Overtaken(ministack.client("dynamodb"), *happens, lost=lost)
        return DynamoPeople(client, table_at(ministack, tmp_path), dice=Random(), passwords=QUICK, pause=lambda _: None)

    return opened


def test_a_password_is_set_though_the_user_changes_meanwhile(table: Callable[..., DynamoPeople]) -> None:
    ada, plain = user(), table()
    plain.users.add(ada, PASSWORD)
    kept = session(ada)
    plain.sessions.open(kept)

    overtaken = table(lambda: plain.users.change(ada, replace(ada, full_name="Another Name")))
    overtaken.users.set_password(ada.id, "a new password", now_us=NOW_US, keep=kept.id)

    assert plain.users.verify(ada.email, "a new password") is not None
    assert plain.sessions.user(ada.id, kept.id, now_us=NOW_US) is not None
    found = plain.users.get(ada.id)
    assert found is not None
    assert (found.full_name, found.version, found.epoch) == ("Another Name", 3, 2)


def test_a_user_is_erased_though_they_change_meanwhile(table: Callable[..., DynamoPeople]) -> None:
    ada, plain = user(), table()
    plain.users.add(ada, PASSWORD)

    table(lambda: plain.users.change(ada, replace(ada, email="moved@example.org"))).users.erase(ada.id)

    assert plain.users.find("moved@example.org") is plain.users.find(ada.email) is None
    plain.users.add(user("moved@example.org"), PASSWORD)


def test_a_user_who_is_erased_meanwhile_is_nobody(table: Callable[..., DynamoPeople]) -> None:
    acts: list[Callable[[DynamoPeople, Any], object]] = [
        lambda people, ada: people.users.erase(ada.id),
        lambda people, ada: people.users.change(ada, replace(ada, full_name="Too Late")),
        lambda people, ada: people.users.set_password(ada.id, "a new password", now_us=NOW_US),
        lambda people, ada: people.sessions.open(session(ada)),
    ]
    for act in acts:
        ada, plain = user(), table()
        plain.users.add(ada, PASSWORD)

        with pytest.raises(NobodyThere):
            act(table(partial(plain.users.erase, ada.id)), ada)
    assert plain.sessions.user(ada.id, "any", now_us=NOW_US) is None


def test_an_exchange_whose_answer_was_lost_is_no_second_one(table: Callable[..., DynamoPeople]) -> None:
    ada, plain = user(), table()
    plain.users.add(ada, PASSWORD)
    open_session = session(ada, "first")
    plain.sessions.open(open_session)

    people = table(lost="update_item")
    people.sessions.renew(
        ada.id, open_session.id, digest("first"), digest("second"), now_us=NOW_US, expires_us=NOW_US + 7 * DAY_US
    )

    plain.sessions.renew(ada.id, open_session.id, digest("second"), digest("third"), now_us=NOW_US, expires_us=NOW_US + DAY_US)
    with pytest.raises(TokenReused):
        plain.sessions.renew(ada.id, open_session.id, digest("second"), digest("x"), now_us=NOW_US, expires_us=NOW_US + DAY_US)
    assert plain.sessions.user(ada.id, open_session.id, now_us=NOW_US) is None


def test_why_a_change_was_refused_is_told(table: Callable[..., DynamoPeople]) -> None:
    ada, plain = user(), table()
    plain.users.add(ada, PASSWORD)

    with pytest.raises(EmailTaken):
        table(lambda: plain.users.add(user("new@example.org"), PASSWORD)).users.change(ada, replace(ada, email="new@example.org"))
    with pytest.raises(UserChanged):
        table(lambda: plain.users.change(ada, replace(ada, full_name="First Name"))).users.change(
            ada, replace(ada, email="a@x.org")
        )


def test_what_was_refused_for_a_cause_that_has_passed_is_done(table: Callable[..., DynamoPeople]) -> None:
    ada, grace, plain = user(), admin(), table()
    plain.users.add(ada, PASSWORD)
    plain.users.add(grace, PASSWORD)

    changed = table(refused).users.change(ada, replace(ada, role=Role.ADMIN))
    assert plain.users.admins() == 2
    table(refused).users.change(changed, replace(changed, email="moved@example.org", role=Role.USER))
    assert plain.users.admins() == 1
    table(refused).users.erase(ada.id)
    assert plain.users.get(ada.id) is None


def test_what_others_never_let_settle_is_told(table: Callable[..., DynamoPeople]) -> None:
    ada, plain = user(), table()
    plain.users.add(ada, PASSWORD)
    always = [refused] * 100

    for act in (
        lambda: table(*always).users.change(ada, replace(ada, full_name="Never Kept")),
        lambda: table(*always).users.set_password(ada.id, "a new password", now_us=NOW_US),
        lambda: table(*always).users.erase(ada.id),
    ):
        with pytest.raises(PeopleUnavailable, match="others changed this user all the time"):
            act()
    assert plain.users.get(ada.id) == ada


def test_a_table_that_is_absent_is_unavailable(ministack: Server) -> None:
    people = DynamoPeople(ministack.client("dynamodb"), "absent", dice=Random(), passwords=QUICK, pause=lambda _: None)

    with pytest.raises(PeopleUnavailable, match="absent"):
        people.users.admins()
    people.close()
