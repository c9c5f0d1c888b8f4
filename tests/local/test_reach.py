"""From where the server is reached, and that nobody else gets in before somebody can sign in."""

import errno
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from consumers.address import url_at
from consumers.api.server import listen, names_of
from consumers.errors import PortTaken
from consumers.local import check_port
from consumers.people.reach import NobodySignsIn, expect_sign_in
from consumers.people.sqlite import SqlitePeople
from pipeline.errors import SettingRejected
from pipeline.settings import Settings
from tests.api.contract import Checked
from tests.api.world import World, close_stores
from tests.local import running as module
from tests.local.running import running
from tests.people.stores import PASSWORD, QUICK, admin, user


@pytest.fixture(autouse=True)
def stores_closed() -> Iterator[None]:
    yield
    close_stores()


@pytest.fixture
def people(tmp_path: Path) -> Iterator[SqlitePeople]:
    with closing(SqlitePeople(tmp_path / "people.db", passwords=QUICK)) as people:
        yield people


def test_beyond_loopback_nothing_is_served_before_an_admin_can_sign_in(people: SqlitePeople) -> None:
    expect_sign_in(Settings(bind="127.0.0.1"), people)
    expect_sign_in(Settings(bind="::1"), people)
    people.users.add(user(), PASSWORD)
    for bind in ("0.0.0.0", "::", "192.0.2.1"):
        with pytest.raises(NobodySignsIn, match=f"FINDSTREAM_BIND={bind} would let .* findstream users bootstrap EMAIL"):
            expect_sign_in(Settings(bind=bind), people)

    people.users.add(admin(), PASSWORD)
    expect_sign_in(Settings(bind="0.0.0.0"), people)


@pytest.mark.parametrize("bind", ["localhost", "300.1.1.1", "nonsense", "127.0.0.1:8321"])
def test_what_is_no_address_is_refused_by_the_setting(monkeypatch: pytest.MonkeyPatch, bind: str) -> None:
    monkeypatch.setenv("FINDSTREAM_BIND", bind)

    with pytest.raises(SettingRejected, match=r"FINDSTREAM_BIND: .* is no IP address: expected 127\.0\.0\.1, ::1"):
        Settings.load()


@pytest.mark.parametrize(
    ("address", "url"),
    [
        ("127.0.0.1", "http://127.0.0.1:80"),
        ("0.0.0.0", "http://127.0.0.1:80"),
        ("::", "http://[::1]:80"),
        ("192.0.2.1", "http://192.0.2.1:80"),
        ("2001:db8::1", "http://[2001:db8::1]:80"),
    ],
)
def test_a_server_is_found_where_it_listens(address: str, url: str) -> None:
    assert url_at(address, 80) == url


def test_the_names_of_a_server_that_others_reach_are_its_own_and_the_consoles() -> None:
    assert names_of(Settings(bind="127.0.0.1", console_url="https://ops.example")) == []

    names = names_of(Settings(bind="192.0.2.1", console_url="https://ops.example:8443/x"))
    assert {"192.0.2.1", "ops.example"} <= set(names)
    assert "[2001:db8::1]" in names_of(Settings(bind="2001:db8::1"))


def test_beyond_loopback_addresses_are_answered_and_foreign_names_are_not() -> None:
    with Checked(World().application(local=False, hosts=["ops.example"])) as client:
        for host, status in (
            ("192.0.2.1:8321", 200),
            ("[2001:db8::1]", 200),
            ("ops.example", 200),
            ("evil.example", 421),
            ("", 421),
        ):
            assert client.get("/health", headers={"Host": host}).status_code == status


def test_metrics_are_public_on_this_machine_only() -> None:
    for local, status in ((True, 200), (False, 401)):
        with Checked(World().application(local=local), {}) as client:
            assert client.get("/metrics").status_code == status


def test_a_server_listens_on_the_address_that_it_is_given() -> None:
    with closing(listen(0, "127.0.0.2")) as listening:
        assert listening.getsockname()[0] == "127.0.0.2"
        check_port(listening.getsockname()[1], "127.0.0.3")
        with pytest.raises(PortTaken, match=r"on 127\.0\.0\.2 is taken"):
            check_port(listening.getsockname()[1], "127.0.0.2")
        with pytest.raises(OSError, match=str(errno.EADDRINUSE)):
            listen(listening.getsockname()[1], "127.0.0.2")


def test_an_address_of_another_machine_is_told_as_such() -> None:
    with pytest.raises(PortTaken, match=r"FINDSTREAM_BIND=192\.0\.2\.1 is no address of this machine"):
        check_port(0, "192.0.2.1")


def test_a_run_tells_how_to_sign_in_and_refuses_to_let_others_in_before(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with running(tmp_path / "var") as run:
        run.until_serving()
        run.stop()
        assert b"sign in    nobody can yet; make the first admin: findstream users bootstrap EMAIL" in run.err
        assert b"reachable  from this machine only" in run.err

    plain = module.environment
    monkeypatch.setattr(module, "environment", lambda *given: plain(*given) | {"FINDSTREAM_BIND": "0.0.0.0"})
    with running(tmp_path / "var") as run:
        assert run.process.wait(60) == 3
        run.read_out()
        assert b"while nobody can sign in" in run.err
