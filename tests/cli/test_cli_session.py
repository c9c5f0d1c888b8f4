"""How commands stay signed in, and what a server's refusals become."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from consumers.cli import session
from consumers.cli.exits import FAILED, REFUSED, USAGE, guarded
from consumers.cli.kept_tokens import Kept, KeptTokens
from consumers.composition import now_us
from consumers.errors import NotSignedIn

SERVER = "http://127.0.0.1:8321"
HOUR_US = 3_600_000_000


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The user's configuration folder."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.delenv("FINDSTREAM_API_URL", raising=False)
    return tmp_path / "findstream"


def keep(access: str = "old", refresh: str = "r1", expires_us: int | None = None) -> KeptTokens:
    tokens = KeptTokens(SERVER)
    with tokens.held():
        tokens.write(Kept(SERVER, "ada@x.org", access, refresh, now_us() + HOUR_US if expires_us is None else expires_us))
    return tokens


class Server:
    """Exchanges refresh tokens once each, and answers who shows the newest access token."""

    def __init__(self, *, access: str = "old", refresh: str = "r1") -> None:
        self.access, self.refresh = access, refresh
        self.exchanges = 0
        self.lock = threading.Lock()

    def __call__(self, request: httpx.Request) -> httpx.Response:
        with self.lock:
            if request.url.path == "/auth/refresh":
                if self.refresh.encode() not in request.content:
                    return error(401, "this refresh token was used before")
                self.exchanges += 1
                self.access, self.refresh = f"a{self.exchanges}", f"fresh{self.exchanges}"
                answer = {"access_token": self.access, "refresh_token": self.refresh, "expires_in": 900}
                return httpx.Response(200, json={**answer, "user": {"email": "ada@x.org"}})
            if request.headers["Authorization"] != f"Bearer {self.access}":
                return error(401, "this token has expired")
            return httpx.Response(200, json={"path": request.url.path})


def error(status: int, message: str, *details: tuple[str, str], **headers: str) -> httpx.Response:
    told = [{"field": field, "message": why} for field, why in details]
    body = {"error": {"code": "x", "message": message, "details": told}}
    return httpx.Response(status, json=body, headers={name.replace("_", "-"): value for name, value in headers.items()})


def ask(answering: Callable[[httpx.Request], httpx.Response], path: str = "/events") -> Any:
    with session.client(transport=httpx.MockTransport(answering)) as api:
        return api.get(path).json()


def test_the_kept_token_goes_with_each_request() -> None:
    keep()

    assert ask(Server()) == {"path": "/events"}


def test_a_token_that_is_about_to_expire_is_exchanged_first() -> None:
    tokens, server = keep(expires_us=now_us()), Server()

    assert ask(server) == {"path": "/events"}

    kept = tokens.read()
    assert kept is not None
    assert (kept.access, kept.refresh, server.exchanges) == ("a1", "fresh1", 1)


def test_a_token_that_is_refused_is_exchanged_once() -> None:
    keep()
    server = Server(access="another")

    assert ask(server) == {"path": "/events"}
    assert server.exchanges == 1


def test_commands_that_run_at_once_exchange_once() -> None:
    keep(expires_us=now_us())
    server = Server()
    together = threading.Barrier(4)
    told: list[Any] = []

    def run() -> None:
        together.wait(10)
        told.append(ask(server))

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)

    assert told == [{"path": "/events"}] * 4
    assert server.exchanges == 1


def test_what_is_kept_is_for_the_user_only_and_names_no_token(folder: Path) -> None:
    tokens = keep()

    assert tokens.path.stat().st_mode & 0o777 == 0o600
    assert folder.stat().st_mode & 0o777 == 0o700
    assert "old" not in repr(tokens.read())


def test_each_server_has_a_file_of_its_own() -> None:
    keep()

    assert KeptTokens("https://elsewhere.example").read() is None


def test_who_never_signed_in_is_told_how() -> None:
    with pytest.raises(NotSignedIn, match=r"findstream login EMAIL"):
        ask(Server())


def test_a_sign_in_that_has_ended_is_forgotten_and_told() -> None:
    tokens = keep(refresh="stolen", expires_us=now_us())

    with pytest.raises(NotSignedIn, match=r"has ended; findstream login ada@x.org"):
        ask(Server())
    assert tokens.read() is None


def test_who_signed_out_meanwhile_is_told() -> None:
    tokens = keep()

    def answering(request: httpx.Request) -> httpx.Response:
        tokens.forget()
        return error(401, "expired") if request.url.path != "/auth/refresh" else httpx.Response(500)

    with pytest.raises(NotSignedIn, match="meanwhile"):
        ask(answering)


def test_a_kept_file_that_cannot_be_read_counts_as_none() -> None:
    tokens = keep()
    tokens.path.write_text("{")

    assert tokens.read() is None


@pytest.mark.parametrize(
    ("answer", "code", "told"),
    [
        (error(422, "wrong values", ("limit", "is too large")), USAGE, "wrong values: limit: is too large"),
        (error(400, "the cursor", ("cursor", "the cursor")), USAGE, "the cursor"),
        (error(403, "admins only"), REFUSED, "admins only"),
        (error(404, "no such task"), REFUSED, "no such task"),
        (error(409, "changed meanwhile"), REFUSED, "changed meanwhile"),
        (error(429, "too often", Retry_After="7"), REFUSED, "too often (again after 7 s)"),
        (error(503, "lagging"), FAILED, "lagging"),
        (httpx.Response(502, text="<html>"), FAILED, "the server answered 502"),
    ],
    ids=lambda value: str(value) if isinstance(value, int) else "",
)
def test_a_refusal_ends_the_command(answer: httpx.Response, code: int, told: str, capsys: pytest.CaptureFixture[str]) -> None:
    keep()

    assert guarded(lambda: ask(lambda _: answer)) == code
    assert capsys.readouterr().err == f"findstream: {told}\n"


def test_an_exchange_that_fails_for_now_keeps_what_is_kept() -> None:
    tokens = keep(expires_us=now_us())

    assert guarded(lambda: ask(lambda _: error(503, "not now"))) == FAILED
    assert tokens.read() is not None


def test_a_server_that_is_not_there_is_told_with_its_address(capsys: pytest.CaptureFixture[str]) -> None:
    keep()

    def gone(request: httpx.Request) -> httpx.Response:
        why = "refused"
        raise httpx.ConnectError(why, request=request)

    assert guarded(lambda: ask(gone)) == FAILED
    told = f"findstream: {SERVER} cannot be reached: refused; does findstream run there?"
    assert capsys.readouterr().err == f"{told} FINDSTREAM_PORT or FINDSTREAM_API_URL name another\n"


def test_a_request_without_sign_in_carries_nothing() -> None:
    seen: list[httpx.Request] = []

    def answering(request: httpx.Request) -> httpx.Response:
        seen.append(request)
        return httpx.Response(200, json={})

    with session.client(signed_in=False, transport=httpx.MockTransport(answering)) as api:
        api.get("/health")
    assert "Authorization" not in seen[0].headers
