"""People by the command line: the first admin in the store, everything else by a real server."""

import io
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from consumers.cli.kept_tokens import KeptTokens
from consumers.composition import now_us, open_keys, open_people
from consumers.people.keyring import LEAD_US
from pipeline.settings import Settings
from tests.api.served import Served
from tests.api.world import ADMIN, OTHER, PASSWORD, USER, World, close_stores
from tests.cli.shell import Findstream

NEW = "a brand new password"


@pytest.fixture
def typed(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lines that come from stdin."""

    def give(*lines: str) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))

    return give


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    """A server that the command line talks to, and an empty configuration folder."""
    world = World()
    world.clock.now_us = now_us()
    with Served(world.application()) as served:
        monkeypatch.setenv("FINDSTREAM_API_URL", served.url)
        monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
        yield served
    close_stores()


@pytest.fixture
def signed_in(server: Served, findstream: Findstream, typed: Callable[..., None]) -> Findstream:
    """The command line of an admin."""
    assert server
    typed(PASSWORD)
    assert findstream("login", ADMIN.email).code == 0
    return findstream


def test_who_signs_in_is_known_until_they_sign_out(server: Served, findstream: Findstream, typed: Callable[..., None]) -> None:
    typed(PASSWORD)
    assert f"{USER.full_name} <{USER.email}>, user, on {server.url}" in findstream("login", USER.email.upper()).out

    kept = KeptTokens(server.url).path
    assert kept.stat().st_mode & 0o777 == 0o600
    assert PASSWORD not in kept.read_text()
    assert findstream("whoami", "--json").json["id"] == USER.id
    assert findstream("users", "list").code == 3

    assert findstream("logout").code == 0
    assert not kept.exists()
    assert "findstream login EMAIL" in findstream("whoami").err


def test_a_wrong_password_is_refused_and_nothing_is_kept(
    server: Served, findstream: Findstream, typed: Callable[..., None]
) -> None:
    typed("a wrong password")
    answer = findstream("login", USER.email)

    assert (answer.code, answer.out) == (3, "")
    assert "do not belong together" in answer.err
    assert "a wrong password" not in answer.err
    assert KeptTokens(server.url).read() is None


def test_without_a_password_nothing_is_asked_of_the_server(findstream: Findstream, typed: Callable[..., None]) -> None:
    typed()

    assert findstream("login", USER.email).code == 2


def test_whose_session_has_ended_signs_out_all_the_same(signed_in: Findstream, server: Served) -> None:
    tokens = KeptTokens(server.url)
    assert signed_in("logout", "--everywhere", "--json").json == {"server": server.url, "signed_in": False}
    assert tokens.read() is None
    assert signed_in("logout").code == 0


def test_an_admin_keeps_users(signed_in: Findstream, typed: Callable[..., None]) -> None:
    typed(NEW)
    made = signed_in("users", "create", "New@Example.org", "--name", "New User", "--json").json
    assert (made["email"], made["role"]) == ("new@example.org", "user")

    assert "admin" in signed_in("users", "edit", "new@example.org", "--role", "admin", "--name", "Newer Name").out
    assert "inactive" in signed_in("users", "edit", made["id"], "--inactive").out
    assert signed_in("users", "edit", made["id"], "--active", "--email", "newest@example.org", "--json").json["active"] is True
    listed = signed_in("users", "list", "--role", "admin", "--active", "--json").json["users"]
    assert [user["email"] for user in listed] == [ADMIN.email, "newest@example.org"]
    assert "Newer Name" in signed_in("users", "list").out

    assert signed_in("users", "remove", made["id"], "--json").json == {"removed": made["id"]}
    assert signed_in("users", "remove", "newest@example.org").code == 3
    assert signed_in("users", "remove", OTHER.email).out == f"{OTHER.email} is removed\n"


def test_a_user_edits_themselves(server: Served, findstream: Findstream, typed: Callable[..., None]) -> None:
    assert server
    typed(PASSWORD)
    assert findstream("login", USER.email).code == 0

    assert "My Name" in findstream("users", "edit", USER.email, "--name", "My Name").out
    typed(PASSWORD)
    assert findstream("users", "edit", USER.id, "--email", "mine@example.org", "--json").json["email"] == "mine@example.org"
    assert findstream("users", "edit", OTHER.email, "--name", "My Name").code == 3


def test_mistakes_are_told(signed_in: Findstream, typed: Callable[..., None]) -> None:
    assert "say what is to be another" in signed_in("users", "edit", USER.email).err
    assert signed_in("users", "create", "nonsense", "--name", "New User").code == 2
    assert signed_in("users", "create", "x@x.org", "--name", "x").code == 2
    typed("short")
    refused = signed_in("users", "create", "x@x.org", "--name", "New User")
    assert refused.code == 2
    assert "12 characters" in refused.err
    typed(NEW)
    assert signed_in("users", "create", USER.email, "--name", "New User").code == 3
    assert signed_in("users", "edit", ADMIN.email, "--inactive").code == 3


def test_passwords_are_set(signed_in: Findstream, typed: Callable[..., None]) -> None:
    typed("wrong", NEW)
    assert signed_in("users", "password").code == 2
    typed(PASSWORD, NEW)
    assert signed_in("users", "password").out == f"the password of {ADMIN.email} is set\n"
    typed(NEW)
    assert signed_in("users", "password", USER.email, "--json").json == {"id": USER.id}
    typed(NEW)
    assert signed_in("login", USER.email).code == 0


def test_keys_are_made_listed_and_revoked(signed_in: Findstream) -> None:
    made = signed_in("keys", "create", "an agent")
    assert made.out.startswith("fsk_")
    assert "not shown again" in made.err
    other = signed_in("keys", "create", "another", "--json").json

    listed = signed_in("keys", "list", "--json").json["keys"]
    assert [key["name"] for key in listed] == ["an agent", "another"]
    assert made.out.strip() not in signed_in("keys", "list").out
    assert signed_in("keys", "revoke", other["id"]).out == "another is revoked\n"
    assert signed_in("keys", "revoke", other["id"], "--json").json["revoked"] is not None
    assert signed_in("keys", "revoke", "nonsense").code == 2


# in the store itself


def test_the_first_admin_is_made_once(home: Path, findstream: Findstream, typed: Callable[..., None]) -> None:
    typed(NEW)
    made = findstream("users", "bootstrap", "Ada@Example.org", "--name", "Ada Lovelace")
    assert made.out == "ada@example.org is an admin; sign in: findstream login ada@example.org, or on the page\n"

    typed(NEW)
    again = findstream("users", "bootstrap", "grace@example.org")
    assert again.code == 3
    assert "there is an admin already" in again.err
    with open_people(Settings.load()) as people:
        assert people.users.verify("ada@example.org", NEW) is not None
        assert people.users.find("grace@example.org") is None
    assert (home / "people.db").stat().st_mode & 0o777 == 0o600


def test_a_forgotten_password_is_set_anew_for_an_admin_only(findstream: Findstream, typed: Callable[..., None]) -> None:
    typed(PASSWORD)
    findstream("users", "bootstrap", "ada@example.org")

    typed(NEW)
    assert findstream("users", "bootstrap", "ada@example.org", "--reset-password", "--json").json["role"] == "admin"
    with open_people(Settings.load()) as people:
        assert people.users.verify("ada@example.org", PASSWORD) is None
        assert people.users.verify("ada@example.org", NEW) is not None
    assert findstream("users", "bootstrap", "grace@example.org", "--reset-password").code == 3


def test_a_password_that_is_too_short_makes_nobody(findstream: Findstream, typed: Callable[..., None]) -> None:
    typed("short")
    answer = findstream("users", "bootstrap", "ada@example.org")

    assert answer.code == 2
    assert "12 characters at least" in answer.err
    with open_people(Settings.load()) as people:
        assert people.users.admins() == 0


def test_a_person_types_a_password_twice(findstream: Findstream, monkeypatch: pytest.MonkeyPatch) -> None:
    given = iter([NEW, "another", NEW, NEW])
    monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
    monkeypatch.setattr("getpass.getpass", lambda _: next(given))

    assert "these are two passwords" in findstream("users", "bootstrap", "ada@example.org").err
    assert findstream("users", "bootstrap", "ada@example.org").code == 0


def test_signing_keys_are_rotated_in_the_folder(home: Path, findstream: Findstream) -> None:
    first = open_keys(Settings.load()).read()

    told = findstream("keys", "rotate-signing").out
    assert f"in {LEAD_US // 1_000_000} s; 1 former keys go on being believed" in told
    assert len(findstream("keys", "rotate-signing", "--json").json["keys"]) == 3
    assert open_keys(Settings.load()).read().keys[0] == first.keys[0]
    assert "everybody signs in again" in findstream("keys", "rotate-signing", "--sign-everybody-out").out
    assert len(open_keys(Settings.load()).read().keys) == 1
    assert (home / "keys.json").stat().st_mode & 0o777 == 0o600


def test_who_owns_the_store_makes_and_removes_users_in_it(findstream: Findstream, typed: Callable[..., None]) -> None:
    typed(NEW)
    made = findstream("users", "create", "guest@example.org", "--name", "A Guest", "--in-store", "--json").json
    assert (made["email"], made["role"]) == ("guest@example.org", "user")

    assert findstream("users", "remove", "nobody@example.org", "--in-store").code == 3
    assert findstream("users", "remove", made["id"], "--in-store", "--json").json == {"removed": made["id"]}
    typed(NEW)
    admin = findstream(
        "users", "create", "admin@example.org", "--name", "An Admin", "--role", "admin", "--in-store", "--json"
    ).json
    assert findstream("users", "remove", admin["email"], "--in-store").code == 3
