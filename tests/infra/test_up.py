"""``make up-aws-local``, with packages that stand in for ours, and with ours."""

import json
import signal
import socket
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from infra.package import tree
from infra.package.recipe import RECIPES
from tests.aws.servers import MINISTACK, _free_ports, refuse
from tests.infra import stand_in
from tests.infra.conftest import ROOT


@pytest.fixture
def emulator() -> None:
    if not MINISTACK.there():
        refuse("ministack is absent: make emulators")


def up(*words: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "localstack.up", *words]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)


@pytest.mark.usefixtures("emulator")
def test_the_aws_shape_comes_up_without_containers_and_is_checked_from_end_to_end(transformed: Path, tmp_path: Path) -> None:
    [port] = _free_ports(1)
    packages = stand_in.packages(tmp_path)

    done = up("--port", str(port), "--templates", str(transformed), "--packages", str(packages), "--smoke")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[0].startswith("BusArn")
    assert done.stdout.splitlines()[-1].startswith("in by the bus, out by the API, in ")


@pytest.mark.usefixtures("emulator")
def test_an_event_put_on_the_bus_is_answered_by_the_api_of_the_deployed_stack(transformed: Path) -> None:
    told = ROOT / "build/local/manifest.json"
    if not told.exists() or any(
        tree.inputs(RECIPES[name]) != each["inputs"] for name, each in json.loads(told.read_bytes()).items()
    ):
        refuse("the packages for this machine are not built, or from other code: make package-local")
    [port] = _free_ports(1)

    done = up("--port", str(port), "--templates", str(transformed), "--smoke")

    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1].startswith("in by the bus, out by the API, in ")


@pytest.mark.usefixtures("emulator")
@pytest.mark.parametrize("asked", [signal.SIGINT, signal.SIGTERM])
def test_it_tells_how_to_use_it_and_runs_until_it_is_ended(transformed: Path, tmp_path: Path, asked: signal.Signals) -> None:
    [port] = _free_ports(1)
    packages = stand_in.packages(tmp_path)
    words = ["--port", str(port), "--templates", str(transformed), "--packages", str(packages)]
    command = [sys.executable, "-m", "localstack.up", *words]

    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as running:
        assert running.stdout is not None
        told = list(takewhile(lambda line: not line.startswith("Check it:"), running.stdout))
        running.send_signal(asked)
        code = running.wait(30)

    assert told[-1].startswith(f"Use it so:  export AWS_ENDPOINT_URL=http://127.0.0.1:{port} ")
    assert code == 0
    socket.create_server(("127.0.0.1", port)).close()  # nobody listens there any more


@pytest.mark.usefixtures("emulator")
def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        done = up("--port", str(taken.getsockname()[1]), "--packages", str(tmp_path))

    assert done.returncode == 1
    assert "is the port taken?" in done.stderr
