"""Each line of ``docs/tasks.md`` works as it stands there, one after the other, against a real server."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from consumers.assuming import Attempt
from tests.api.desk_world import ADA, BOB, NAMES, DeskWorld, token
from tests.api.served import Served
from tests.api.test_api_embedded import alarm
from tests.people.stores import PASSWORD

ROOT = Path(__file__).parents[2]
LINES = re.findall(r"^\$ (.+)$", (ROOT / "docs" / "tasks.md").read_text(), re.MULTILINE)
ACCOUNT = {"name": "Payroll", "account": "222233334444", "role_arn": "arn:aws:iam::222233334444:role/findstream-reader"}


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Somebody who follows the document: the variables that it names, and a server with what they name."""
    command = tmp_path / "bin" / "findstream"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m consumers.cli "$@"\n')
    command.chmod(0o755)
    world = DeskWorld(tmp_path / "served")
    world.attempt = Attempt("assumed", "fine", ACCOUNT["account"], "arn:x")
    look = {"title": "Look at it", "description": "Somebody ought to look."}
    with world.open() as app, Served(app) as server, httpx.Client(base_url=server.url, headers=world.headers()) as admin:
        known = {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FINDSTREAM_HOME": str(tmp_path / "var"),
            "FINDSTREAM_PORT": str(server.port),
            "URL": server.url,
            "EVENT": admin.post("/events", json=alarm("a")).json()["ids"][0],
            "TASK": admin.post("/tasks", json=look).json()["id"],
            "OTHER": admin.post("/tasks", json=look).json()["id"],
            "CONFIG": admin.post("/config/aws", json=ACCOUNT).json()["id"],
            "USER": BOB.user_id,
            "KEY": "drawn-for-this",
            "EMAIL": f"{NAMES[ADA.user_id].lower()}@example.org",
            "PASSWORD": PASSWORD,
            "TOKEN": token(ADA),
            "XDG_CONFIG_HOME": str(tmp_path / "config"),
        }
        login = f'printf %s "$PASSWORD" | "{command}" login "$EMAIL"'
        subprocess.run(["bash", "-euo", "pipefail", "-c", login], env=os.environ | known, check=True, timeout=60)
        yield known


@pytest.mark.long
@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not installed")
def test_the_lines_of_the_document_work_one_after_the_other(reader: dict[str, str]) -> None:
    gone = False
    for line in LINES:
        if gone and "$TASK" in line:
            continue
        command = line.replace("http://127.0.0.1:8321", reader["URL"]).replace("curl ", "curl --fail-with-body ")
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", command],
            env=os.environ | reader,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
        gone = gone or "-X DELETE" in line


def test_the_document_shows_http_and_commands() -> None:
    assert sum("curl" in line for line in LINES) > 15
    assert sum(line.startswith("findstream") for line in LINES) > 10
