"""The supervisor: real processes are started, started again, stopped, and never left behind."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty, Queue
from threading import Thread
from typing import Any

import orjson
import pytest

from consumers.errors import PortTaken
from consumers.home import alive
from consumers.local import check_port

DEADLINE_SECONDS = 20.0
WAITS = "import os, signal, sys; signal.signal(signal.SIGTERM, lambda *_: sys.exit(0)); os.read(LIFELINE, 1)"
WAITS_FOR_ITS_LIFELINE = "import os; os.read(LIFELINE, 1)"
FAILS = "import sys; sys.exit(3)"
DEAF = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


class Supervised:
    """A supervisor in a process of its own, and what it told."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self._lines: Queue[dict[str, Any]] = Queue()
        self._reader = Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(orjson.loads(line))

    def end(self) -> None:
        """Kill it, and read what it said to the end."""
        self.process.kill()
        self._reader.join(DEADLINE_SECONDS)

    def until(self, wanted: Callable[[dict[str, Any]], bool]) -> dict[str, Any]:
        """The next line that is wanted; fails at a deadline."""
        deadline = time.monotonic() + DEADLINE_SECONDS
        while True:
            try:
                line = self._lines.get(timeout=max(0.0, deadline - time.monotonic()))
            except Empty:
                pytest.fail("the supervisor did not tell what was waited for")
            if wanted(line):
                return line

    def until_running(self, *roles: str) -> dict[str, int]:
        """The process ids of these roles, once all run."""
        line = self.until(lambda told: all(told.get("states", {}).get(role, {}).get("state") == "running" for role in roles))
        return {role: line["states"][role]["pid"] for role in roles}


@contextmanager
def supervised(grace: float = 10.0, healthy: float = 60.0, **codes: str) -> Iterator[Supervised]:
    command = [sys.executable, str(Path(__file__).with_name("supervised.py")), orjson.dumps(codes).decode()]
    command += [str(grace), str(healthy)]
    environment = os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=environment) as process:
        told = Supervised(process)
        try:
            yield told
        finally:
            told.end()


def wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_SECONDS
    while not condition():
        assert time.monotonic() < deadline, "the condition did not come true in time"
        time.sleep(0.01)


def test_every_role_gets_a_process_of_its_own() -> None:
    with supervised(one=WAITS, two=WAITS) as told:
        pids = told.until_running("one", "two")

    assert len(set(pids.values())) == 2


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_stops_all_roles_and_then_the_supervisor(number: signal.Signals) -> None:
    with supervised(one=WAITS, two=WAITS) as told:
        pids = told.until_running("one", "two")

        told.process.send_signal(number)

        told.until(lambda line: line.get("said") == "over")
        assert told.process.wait(DEADLINE_SECONDS) == 0
        assert not [pid for pid in pids.values() if alive(pid)]


def test_a_role_that_ends_is_started_again() -> None:
    with supervised(one=WAITS) as told:
        first = told.until_running("one")["one"]

        os.kill(first, signal.SIGKILL)

        said = told.until(lambda line: line.get("level") == "warning")
        assert said["said"].startswith("was killed by SIGKILL after ")
        assert "starting it again in 0.05 s" in said["said"]
        again = told.until(lambda line: line.get("states", {}).get("one", {}).get("state") == "running")
        assert again["states"]["one"]["restarts"] == 1
        assert again["states"]["one"]["pid"] != first


def test_the_pause_before_a_restart_doubles_up_to_its_limit() -> None:
    with supervised(one=FAILS) as told:
        pauses = [told.until(lambda line: line.get("level") == "warning")["said"].rpartition("again in ")[2] for _ in range(5)]

    assert pauses == ["0.05 s", "0.1 s", "0.2 s", "0.2 s", "0.2 s"]


def test_a_healthy_life_resets_the_pause() -> None:
    lives_when_told = "import os, sys, time; time.sleep(0.7 if os.path.exists(PATH) else 0); sys.exit(1)"
    with supervised(healthy=0.5, one=lives_when_told.replace("PATH", repr(__file__))) as told:
        pauses = [told.until(lambda line: line.get("level") == "warning")["said"].rpartition("again in ")[2] for _ in range(3)]

    assert pauses == ["0.05 s", "0.05 s", "0.05 s"]


def test_one_role_that_fails_does_not_disturb_the_others() -> None:
    with supervised(bad=FAILS, good=WAITS) as told:
        before = told.until_running("good")["good"]
        for _ in range(4):
            told.until(lambda line: line.get("level") == "warning" and line["role"] == "bad")
        after = told.until(lambda line: "states" in line)["states"]["good"]

    assert (after["pid"], after["restarts"]) == (before, 0)


def test_a_role_that_does_not_stop_is_killed_after_the_grace() -> None:
    with supervised(grace=0.3, deaf=DEAF) as told:
        pid = told.until_running("deaf")["deaf"]
        wait_until(lambda: _ignores_sigterm(pid))

        told.process.send_signal(signal.SIGTERM)

        told.until(lambda line: line.get("said") == "did not stop in time and was killed")
        assert told.process.wait(DEADLINE_SECONDS) == 0
        assert not alive(pid)


def _ignores_sigterm(pid: int) -> bool:
    status = Path(f"/proc/{pid}/status").read_text()
    ignored = next(line.split()[1] for line in status.splitlines() if line.startswith("SigIgn"))
    return bool(int(ignored, 16) >> (signal.SIGTERM - 1) & 1)


def test_children_end_by_themselves_if_the_supervisor_is_killed() -> None:
    with supervised(one=WAITS_FOR_ITS_LIFELINE) as told:
        pid = told.until_running("one")["one"]

        told.process.kill()

        wait_until(lambda: not alive(pid))


def test_a_port_in_use_is_named_with_what_to_do() -> None:
    with socket.socket() as busy:
        busy.bind(("127.0.0.1", 0))
        busy.listen()
        port = busy.getsockname()[1]

        with pytest.raises(PortTaken, match=f"port {port} on 127.0.0.1 is taken .*FINDSTREAM_PORT"):
            check_port(port)


def test_a_free_port_passes() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]

    check_port(port)
