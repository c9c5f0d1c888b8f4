"""Each line of ``docs/alerts.md``, and the jobs of ``docs/judging-history.md``, work as they stand there, one after the other,

against a real server.
"""

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from tests.api.desk_world import ADA, NAMES, DeskWorld, token
from tests.api.judged import text
from tests.api.served import Served
from tests.api.world import NOW_US
from tests.people.stores import PASSWORD
from tests.support.facts import alert, alert_id

ROOT = Path(__file__).parents[2]
LINES = re.findall(r"^\$ (.+)$", (ROOT / "docs" / "alerts.md").read_text(), re.MULTILINE)
JOBS = re.findall(r"^\$ (curl .+)$", (ROOT / "docs" / "judging-history.md").read_text(), re.MULTILINE)


@pytest.fixture
def reader(tmp_path: Path) -> Iterator[dict[str, str]]:
    """Somebody who follows the document: a folder with a rule, the variables that it names, a server with an alert."""
    command = tmp_path / "bin" / "findstream"
    command.parent.mkdir()
    command.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m consumers.cli "$@"\n')
    command.chmod(0o755)
    (tmp_path / "sign-ins.yaml").write_text(text("failed-sign-ins"))
    world = DeskWorld(tmp_path / "served")
    with world.open() as app, Served(app) as server:
        world.log.append([alert("raised", NOW_US, severity=3, rule_id="failed-sign-ins")])
        known = {
            "PATH": f"{command.parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "FINDSTREAM_HOME": str(tmp_path / "var"),
            "FINDSTREAM_PORT": str(server.port),
            "URL": server.url,
            "ALERT": alert_id(0),
            "RULE": orjson.dumps({"text": text("root-sign-in")}).decode(),
            "CHANGE": orjson.dumps({"text": text("root-sign-in", severity="CRITICAL"), "revision": 1}).decode(),
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
def test_the_lines_of_the_document_work_one_after_the_other(reader: dict[str, str], tmp_path: Path) -> None:
    for line in LINES + JOBS:
        command = line.replace("http://127.0.0.1:8321", reader["URL"]).replace("curl ", "curl --fail-with-body ")
        done = subprocess.run(
            ["bash", "-uo", "pipefail", "-c", command],
            cwd=tmp_path,
            env=os.environ | reader,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

        assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"


def test_the_document_shows_http_and_commands() -> None:
    assert sum("curl" in line for line in LINES) > 8
    assert sum(line.startswith("findstream") for line in LINES) > 8
