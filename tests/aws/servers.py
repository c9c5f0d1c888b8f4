"""Real servers that speak AWS's protocols, started for tests and stopped by their handle.

Each is a process of its own on a free port, remembering nothing of an earlier one. It ends with its context; on Linux also with
the thread that started it, should that be killed. ``make emulators`` installs them all. One that is absent skips the test, but
fails it in CI.

What each is good for:
    kinesalite     volume: records go in at a steady rate. No UpdateShardCount, no enhanced fan-out.
    kinesis-local  resharding as AWS does it. Slow from a few thousand records a stream on.
    moto           quick tests. Not safe under concurrency; puts still land on its closed shards.
    ministack      DynamoDB with correct transactions, S3, SQS, Lambda, EventBridge. Its Kinesis event sources lose records.
None of them throttles: ``tests.aws.faults`` does.
"""

import os
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn, Self

import pytest

from tests.aws.clients import Server

ROOT = Path(__file__).parents[2]
EMULATORS = ROOT / "tests/aws/emulators"
NODE_MODULES = EMULATORS / "node_modules"
COMMANDS = ROOT / ".venv-emulators/bin"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
STARTS = 3
"""How often to try: another process may take the free port before the server does."""

_KINESIS_LOCAL_DURATIONS = ("CREATE_STREAM", "DELETE_STREAM", "SPLIT_SHARD", "MERGE_SHARDS", "UPDATE_SHARD_COUNT")


@dataclass(frozen=True, slots=True)
class Program:
    """What to run. In the values of ``command`` and ``environment``, ``{port}`` and ``{other_port}`` are free ports."""

    name: str
    command: tuple[str, ...]
    installed: Path
    """There if the program is."""
    environment: Mapping[str, str] = field(default_factory=dict)
    health: str = "/"
    """Any answer to a GET of this path says that the server is up."""

    def there(self) -> bool:
        """Whether it could be started."""
        return self.installed.exists() and shutil.which(self.command[0]) is not None

    def on(self, port: int, other_port: int) -> Self:
        """The program with these ports filled in."""
        fill = partial(str.format, port=port, other_port=other_port)
        command, environment = [fill(word) for word in self.command], {k: fill(v) for k, v in self.environment.items()}
        return replace(self, command=tuple(command), environment=environment)


KINESALITE = Program("kinesalite", ("node", str(EMULATORS / "kinesalite.js"), "{port}"), NODE_MODULES / "kinesalite")
KINESIS_LOCAL = Program(
    "kinesis-local",
    ("node", str(NODE_MODULES / "kinesis-local/main.js")),
    NODE_MODULES / "kinesis-local",
    {
        "KINESIS_MOCK_CERT_PATH": str(NODE_MODULES / "kinesis-local/server.json"),
        "KINESIS_MOCK_PLAIN_PORT": "{port}",
        "KINESIS_MOCK_TLS_PORT": "{other_port}",
        "SHARD_LIMIT": "1000",
        "LOG_LEVEL": "ERROR",
        **{f"{what}_DURATION": "5ms" for what in _KINESIS_LOCAL_DURATIONS},
    },
    health="/healthcheck",
)
MOTO = Program(
    "moto", (str(COMMANDS / "moto_server"), "-H", "127.0.0.1", "-p", "{port}"), COMMANDS / "moto_server", health="/moto-api/"
)
MINISTACK = Program(
    "ministack",
    (str(COMMANDS / "ministack"),),
    COMMANDS / "ministack",
    {"BIND_HOST": "127.0.0.1", "GATEWAY_PORT": "{port}", "SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0"},
    health="/_ministack/health",
)


def kinesalite() -> AbstractContextManager[Server]:
    """Kinesis, for volume."""
    return serving(KINESALITE)


def kinesis_local() -> AbstractContextManager[Server]:
    """Kinesis, for resharding."""
    return serving(KINESIS_LOCAL)


def moto() -> AbstractContextManager[Server]:
    """Many services, for quick tests."""
    return serving(MOTO)


def ministack() -> AbstractContextManager[Server]:
    """DynamoDB and the deployed stack."""
    return serving(MINISTACK)


@contextmanager
def serving(program: Program) -> Iterator[Server]:
    """The program, from its first answer until the context ends."""
    if not program.there():
        refuse(f"{program.name} is absent: make emulators")
    with TemporaryDirectory(prefix=f"{program.name}-") as folder:
        process, url = _started(program, Path(folder))
        try:
            yield Server(program.name, url)
        finally:
            _stop(process)


def refuse(message: str) -> NoReturn:
    """Skip the test; in CI, fail it."""
    if os.environ.get("CI"):
        pytest.fail(message)
    pytest.skip(message)


def _started(program: Program, folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A process that answers, and its address."""
    said = folder / "said.log"
    for _ in range(STARTS):
        port, other_port = _free_ports(2)
        process = _start(program.on(port, other_port), folder, said)
        if _answers(process, port, program.health):
            return process, f"http://127.0.0.1:{port}"
        _stop(process)
    pytest.fail(f"{program.name} does not start; it said: {said.read_text()[-2000:]}")


def _start(program: Program, folder: Path, said: Path) -> subprocess.Popen[bytes]:
    """A process in a group of its own, which Linux kills when its starter dies."""
    leash = ("setpriv", "--pdeathsig", "KILL", "--") if shutil.which("setpriv") else ()
    with said.open("ab") as log:
        return subprocess.Popen(
            [*leash, *program.command],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=folder,
            env={**os.environ, "TMPDIR": str(folder), **program.environment},
            start_new_session=True,
        )


def _answers(process: subprocess.Popen[bytes], port: int, path: str) -> bool:
    """Whether the process answers before it ends or the deadline passes."""
    deadline = time.monotonic() + START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=START_SECONDS).close()
        except urllib.error.HTTPError as answer:
            answer.close()
        except OSError:
            time.sleep(0.02)
            continue
        return process.poll() is None
    return False


def _stop(process: subprocess.Popen[bytes]) -> None:
    """End the process, and what it started."""
    process.terminate()
    with suppress(subprocess.TimeoutExpired):
        process.wait(STOP_SECONDS)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _free_ports(number: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(number)]
    try:
        return [int(probe.getsockname()[1]) for probe in probes]
    finally:
        for probe in probes:
            probe.close()
