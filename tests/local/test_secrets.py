"""No password, token, key or hash is in anything that findstream says or keeps in the open, however a whole story goes."""

import io
import os
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from unittest import mock

import httpx
import orjson
import pytest

from consumers.cli import call
from tests.local.running import Run, environment, running

EMAIL = "ada@example.org"
FIRST, SECOND, WRONG = "first password to look for", "second password to look for", "wrong password to look for"
TOKEN = re.compile(rb"eyJ[\w-]{8,}\.[\w-]{8,}\.[\w-]{8,}")
BCRYPT = re.compile(rb"\$2[aby]\$\d\d\$")


class Story:
    """Everything that was said, and every secret that there was."""

    def __init__(self, run: Run, capture: pytest.CaptureFixture[bytes], config: Path) -> None:
        self.said: list[bytes] = []
        self.secrets = {FIRST.encode(), SECOND.encode(), WRONG.encode()}
        self._run = run
        self._capture = capture
        self._environment = environment(run.home, run.port) | {"XDG_CONFIG_HOME": str(config)}
        self.api = httpx.Client(base_url=f"http://127.0.0.1:{run.port}", timeout=30)

    def type(self, *arguments: str, lines: tuple[str, ...] = ()) -> int:
        """Call the command line."""
        with (
            mock.patch.dict(os.environ, self._environment, clear=True),
            mock.patch("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines))),
        ):
            self._capture.readouterr()
            code = call(arguments)
            told = self._capture.readouterr()
        self.said += [told.out, told.err]
        return code

    def ask(self, method: str, path: str, token: str = "", **options: object) -> httpx.Response:
        """Ask the API; what hands secrets out is learnt from, not held against it."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        answer = self.api.request(method, path, headers=headers, **options)  # type: ignore[arg-type]
        whole = answer.content + repr(sorted(answer.headers.items())).encode()
        handed_out = path in ("/auth/login", "/auth/refresh") or (method, path) == ("POST", "/keys")
        if handed_out and answer.is_success:
            told = answer.json()
            self.secrets |= {told[name].encode() for name in ("access_token", "refresh_token", "secret") if name in told}
        else:
            self.said.append(whole)
        return answer


def test_a_whole_story_tells_no_secret(tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]) -> None:
    home = tmp_path / "var"
    with mock.patch.dict(os.environ, {"FINDSTREAM_LOG_LEVEL": "DEBUG"}), running(home) as run:
        run.until_serving()
        story = Story(run, capsysbinary, tmp_path / "config")
        with story.api:
            tell(story)
        story.secrets |= kept_hashes(home)
        assert run.stop() == 0
        story.said.append(run.err)
    story.said += [path.read_bytes() for path in home.rglob("*") if path.is_file() and path.name not in secret_files(home)]

    everything = b"\n".join(story.said)
    assert len(story.secrets) >= 12
    assert [secret for secret in story.secrets if secret in everything] == []
    assert TOKEN.findall(everything) == []
    assert BCRYPT.findall(everything) == []
    assert EMAIL.encode() not in (home / "log.db").read_bytes()


def tell(story: Story) -> None:
    """What people do, rightly and wrongly."""
    assert story.type("users", "bootstrap", EMAIL, lines=(FIRST,)) == 0
    assert story.type("login", EMAIL, lines=(WRONG,)) == 3
    assert story.type("login", EMAIL, lines=(FIRST,)) == 0
    assert story.type("users", "create", "grace@example.org", "--name", "Grace Hopper", lines=(SECOND,)) == 0
    assert story.type("whoami", "--json") == 0
    assert story.type("users", "list", "--json") == 0
    assert story.type("keys", "rotate-signing", "--json") == 0
    assert story.type("doctor", "--json") in (0, 1)
    assert story.type("status") == 0

    story.ask("POST", "/auth/login", json={"email": EMAIL, "password": WRONG})
    story.ask("POST", "/auth/login", json={"email": EMAIL, "password": FIRST, "more": WRONG})
    story.ask("POST", "/auth/login", content=f'{{"email": 7, "password": "{WRONG}"'.encode())
    story.ask("GET", f"/auth/login?password={WRONG}")
    pair = story.ask("POST", "/auth/login", json={"email": EMAIL, "password": FIRST}).json()
    token, refresh = pair["access_token"], pair["refresh_token"]
    fresh = story.ask("POST", "/auth/refresh", json={"refresh_token": refresh}).json()
    key = story.ask("POST", "/keys", token, json={"name": "producer"}).json()["secret"]
    event: dict[str, object] = {
        "version": "0",
        "id": "e1",
        "source": "monitoring.probe",
        "detail-type": "Probe",
        "account": "111122223333",
    }
    event |= {"time": "2026-11-21T00:00:00Z", "region": "eu-central-1", "resources": [], "detail": {"title": "t"}}
    assert story.ask("POST", "/events", key, json=event).status_code == 202
    for method, path in (("GET", "/users"), ("GET", "/users/me"), ("GET", "/keys"), ("GET", "/events"), ("GET", "/metrics")):
        for shown in (token, key, refresh, fresh["refresh_token"], "", f"{token}x"):
            story.ask(method, path, shown)
    me = pair["user"]["id"]
    story.ask("PUT", f"/users/{me}/password", token, json={"password": "short", "current_password": FIRST})
    story.ask("PUT", f"/users/{me}/password", token, json={"password": SECOND, "current_password": WRONG})
    assert (
        story.ask("PUT", f"/users/{me}/password", token, json={"password": SECOND, "current_password": FIRST}).status_code == 204
    )
    page = story.api.post("/sign-in", data={"email": EMAIL, "password": SECOND, "next": "/"})
    story.secrets.add(page.cookies["findstream_session"].encode())
    story.said.append(page.content)
    for path in ("/", "/quarantine", "/agents", "/events", "/nowhere"):
        story.said.append(story.api.get(path, headers={"Accept": "text/html"}).content)
    story.said.append(story.api.post("/sign-in", data={"email": EMAIL, "password": WRONG}).content)
    story.ask("POST", "/auth/refresh", json={"refresh_token": refresh})
    story.ask("GET", "/users/me", fresh["access_token"])
    assert story.type("logout") in (0, 3)


def secret_files(home: Path) -> set[str]:
    """Those that hold secrets, for their owner only."""
    names = {path.name for path in home.glob("people.db*")} | {"keys.json"}
    assert all((home / name).stat().st_mode & 0o077 == 0 for name in names)
    return names


def kept_hashes(home: Path) -> set[bytes]:
    """The hashes in the store, and what tokens are signed with."""
    with closing(sqlite3.connect(home / "people.db")) as db:
        found = [
            *db.execute("SELECT hash FROM user"),
            *db.execute("SELECT token_hash FROM session"),
            *db.execute("SELECT hash FROM ingest_key"),
        ]
    signing = orjson.loads((home / "keys.json").read_bytes())["keys"]
    return {str(row[0]).encode() for row in found} | {key["secret"].encode() for key in signing}
