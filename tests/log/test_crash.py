"""Kills at random moments: what was acknowledged is there, once, in order, and the file has no flaw.

Eight kills by default; a hundred with ``--hypothesis-profile=thorough``.
"""

from contextlib import closing
from pathlib import Path
from random import Random
from signal import SIGKILL
from subprocess import Popen, TimeoutExpired

import pytest
from hypothesis import settings

from pipeline.log.sqlite import SqliteLog
from tests.log.made_up import Clock
from tests.log.running import acknowledged, appender, assert_held

pytestmark = pytest.mark.long

LONGEST_RUN_SECONDS = 0.08
KILLS_A_FILE = 8


@pytest.mark.timeout(1800)
def test_what_was_acknowledged_survives_any_kill(tmp_path: Path) -> None:
    random = Random(20)

    for kill in range(max(KILLS_A_FILE, settings().max_examples // 20)):
        number, before = divmod(kill, KILLS_A_FILE)
        path = tmp_path / f"{number}.db"
        if not before:
            counts = [0, 0]
        options = ["--repack-every", "3"] if kill % 2 else []
        children = [appender(path, name, counts[name], *options) for name in (0, 1)]
        for name, child in enumerate(children):
            counts[name] = acknowledged_until_killed(child, random.uniform(0, LONGEST_RUN_SECONDS))

        with closing(SqliteLog(path, clock=Clock())) as log:
            assert log.check() == []
            for name, count in enumerate(counts):
                assert_held(log, name, count)

    assert min(counts) > 0


def acknowledged_until_killed(child: Popen[bytes], run_seconds: float) -> int:
    """How many events an appender acknowledged before it was killed, some time after its first acknowledgement."""
    with child:
        assert child.stdout
        told = child.stdout.readline()
        with pytest.raises(TimeoutExpired):
            child.wait(run_seconds)
        child.kill()
        told += child.stdout.read()
    assert child.returncode == -SIGKILL
    return acknowledged(told)
