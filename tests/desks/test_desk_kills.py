"""Whoever is killed between command and board: each acknowledged command is on the board, once."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.desks.recorder.sqlite import open_sqlite
from pipeline.desks.relay import Relay
from projections.projector import named
from tests.desks.editor import log_at
from tests.support.spine import Spine

pytestmark = pytest.mark.long

KILLS = 50 if os.environ.get("FINDSTREAM_TORTURE") == "1" else 12
ROLES = ("make", "relay", "project")


def start(role: str, home: Path) -> subprocess.Popen[str]:
    """A role in a process of its own, once it has begun."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.desks.editor", role, str(home), "maker"], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    if role != "make" and process.stdout.readline() != "ready\n":
        killed(process)
        pytest.fail(f"{role} did not begin")
    return process


def killed(process: subprocess.Popen[str]) -> list[str]:
    """Kill it at once; returns the whole lines that it had told."""
    process.kill()
    out, _ = process.communicate()
    return [line for line in out.splitlines(keepends=True) if line.endswith("\n")]


def test_each_acknowledged_command_is_on_the_board_once_whoever_is_killed(tmp_path: Path) -> None:
    dice = random.Random(20261121)
    acknowledged: list[str] = []
    running = {role: start(role, tmp_path) for role in ROLES}
    for _ in range(KILLS):
        time.sleep(dice.uniform(0.02, 0.5))
        role = dice.choice(ROLES)
        told = killed(running[role])
        acknowledged += told if role == "make" else []
        running[role] = start(role, tmp_path)
    for role in ROLES:
        told = killed(running[role])
        acknowledged += told if role == "make" else []

    recorders = open_sqlite(tmp_path / "desks.db")
    log = log_at(tmp_path)
    with Spine(tmp_path / "projections", log, projections=[named("task_board")], token="last") as spine:
        relay = Relay(recorders, log)
        while relay.step():
            pass
        spine.fold()
        shown = spine.catalog.tasks(now_us=0)
        parked = spine.catalog.parked("task_board")
        histories = [spine.catalog.task_history(task.id) for task in shown]
    log.close()
    stored = recorders.events.select_notifications(None, 1_000_000, topics=["task.created"])
    recorders.close()

    wanted = {line.strip() for line in acknowledged}
    assert len(wanted) == len(acknowledged) > KILLS
    assert wanted <= {task.id for task in shown}
    assert len(shown) == len({task.id for task in shown}) == len(stored)
    assert {len(history) for history in histories} == {1}
    assert {task.version for task in shown} == {1}
    assert parked == []
