"""A real ``findstream run`` in a process of its own, for the tests to watch, disturb and stop."""

import io
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any
from unittest import mock

import httpx
import orjson
import pytest

from consumers.cli import call

DEADLINE_SECONDS = 90.0
ROOT = Path(__file__).parents[2]
EMAIL, PASSWORD = "admin@example.org", "correct horse battery"
COMMAND = (sys.executable, "-m", "consumers.cli")


def wait_until(condition: Callable[[], bool], seconds: float = DEADLINE_SECONDS) -> None:
    """Return when ``condition`` holds; fail at the deadline."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.02)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def environment(home: Path, port: int) -> dict[str, str]:
    plain = {name: value for name, value in os.environ.items() if not name.startswith("FINDSTREAM_")}
    return plain | {
        "FINDSTREAM_HOME": str(home),
        "FINDSTREAM_PORT": str(port),
        "PYTHONPATH": str(ROOT),
        "XDG_CONFIG_HOME": str(home.with_name("config")),
    }


class Run:
    """``findstream run --json``, what it told of its roles, and its data folder."""

    def __init__(self, process: subprocess.Popen[bytes], home: Path, port: int) -> None:
        self.process = process
        self.home = home
        self.port = port
        self.err = b""
        self._signed_in: dict[str, str] = {}
        self._told: Queue[dict[str, Any]] = Queue()
        self._readers = [Thread(target=self._read, daemon=True), Thread(target=self._listen, daemon=True)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._told.put(orjson.loads(line))

    def _listen(self) -> None:
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.err += line

    def until(self, wanted: Callable[[Mapping[str, Any]], bool]) -> Mapping[str, Any]:
        """The roles, as soon as they are as wanted."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                roles: dict[str, Any] = self._told.get(timeout=max(0.0, deadline - time.monotonic()))["roles"]
            except Empty:
                pytest.fail(f"the run did not tell what was waited for; it said: {self.err.decode()}")
            if wanted(roles):
                return roles

    def until_running(self) -> Mapping[str, Any]:
        """The roles, when all run."""
        return self.until(lambda roles: all(role["state"] == "running" for role in roles.values()))

    def until_serving(self) -> None:
        """Return when the API answers."""
        wait_until(lambda: self.answers("/health"))

    def answers(self, path: str) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=5) as answer:
                return bool(answer.status == 200)
        except OSError:
            return False

    def asked(self, path: str) -> Any:
        """What the API answers an admin."""
        answer = httpx.get(f"http://127.0.0.1:{self.port}{path}", headers=self.signed_in(), timeout=5)
        return answer.raise_for_status().json()

    def log_in(self) -> None:
        """Sign the command line in, as an admin."""
        self.signed_in()
        with mock.patch("sys.stdin", io.StringIO(f"{PASSWORD}\n")):
            self.told("login", EMAIL)

    def signed_in(self) -> dict[str, str]:
        """The headers of an admin, who is made first."""
        if not self._signed_in:
            with mock.patch("sys.stdin", io.StringIO(f"{PASSWORD}\n")):
                self.told("users", "bootstrap", EMAIL)
            body = {"email": EMAIL, "password": PASSWORD}
            login = httpx.post(f"http://127.0.0.1:{self.port}/auth/login", json=body, timeout=30)
            self._signed_in = {"Authorization": f"Bearer {login.raise_for_status().json()['access_token']}"}
        return self._signed_in

    def call(self, *arguments: str) -> subprocess.CompletedProcess[bytes]:
        """Call the command line on the same data folder."""
        return subprocess.run([*COMMAND, *arguments], capture_output=True, check=False, env=environment(self.home, self.port))

    def told(self, *arguments: str) -> Any:
        """The JSON that a command answers; it runs in this process, which is quicker."""
        page = io.BytesIO()
        with (
            mock.patch.dict(os.environ, environment(self.home, self.port), clear=True),
            redirect_stdout(io.TextIOWrapper(page, write_through=True)),
            redirect_stderr(io.StringIO()),
        ):
            call([*arguments, "--json"])
            return orjson.loads(page.getvalue())

    def ingest(self, item: bytes) -> Any:
        """Take an item in."""
        path = self.home.with_name("item.json")
        path.write_bytes(item)
        return self.told("ingest", str(path))

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to stop; returns the exit code."""
        self.process.send_signal(number)
        code = self.process.wait(DEADLINE_SECONDS)
        self.read_out()
        return code

    def read_out(self) -> None:
        """Wait until all that an ended run said is read."""
        for reader in self._readers:
            reader.join(DEADLINE_SECONDS)


@contextmanager
def running(home: Path, *arguments: str, port: int = 0) -> Iterator[Run]:
    """``findstream run`` with these arguments, killed at the end if it still runs."""
    chosen = port or free_port()
    with subprocess.Popen(
        [*COMMAND, "run", "--json", *arguments],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=environment(home, chosen),
    ) as process:
        run = Run(process, home, chosen)
        try:
            yield run
        finally:
            process.kill()
            run.read_out()
