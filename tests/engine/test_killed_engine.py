"""The role as a process of its own, killed again and again while findings come: no alert twice, none missing."""

import os
import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from random import Random
from threading import Event

import pytest

from consumers.composition import ingest_into, open_quarantine
from consumers.embedded import now_us, open_recorders
from consumers.home import Home
from pipeline.desks.relay import Relay
from pipeline.log.sqlite import SqliteLog
from pipeline.settings import Settings
from projections.projector import Projector
from projections.stores.sqlite import SqliteStore
from tests.local.running import environment, free_port, wait_until
from tests.local.test_run_rules import _MATCH, _THRESHOLD, finding, groups, publish, raised

pytestmark = pytest.mark.long

KILLS = 20 if os.environ.get("FINDSTREAM_TORTURE") else 3
HOSTS = 12


def rules_role(home: Path) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "consumers.role", "rules"]
    return subprocess.Popen(command, env=environment(home, free_port()), stderr=subprocess.DEVNULL)


def folded_rules(home: Path, settings: Settings, log: SqliteLog) -> None:
    """Bring what was published onto the log, and into the projection that the role reads."""
    with open_recorders(settings) as recorders:
        while Relay(recorders, log).step():
            pass
    store = SqliteStore(Home(home).projections, clock=now_us)
    with closing(store), closing(Projector(log, store, token="test")) as projector:
        while projector.step():
            pass


@pytest.mark.parametrize("seed", [7])
def test_a_role_that_is_killed_again_and_again_raises_each_alert_once(seed: int, tmp_path: Path) -> None:
    dice, pause = Random(seed), Event()
    home = tmp_path / "var"
    settings = Settings(home=home)
    publish(home, _THRESHOLD, _MATCH)
    with closing(SqliteLog(Home(home).log, clock=now_us)) as log, open_quarantine(settings) as quarantine:
        folded_rules(home, settings, log)
        ingest = ingest_into(settings, log, quarantine)
        number = 0
        for kill in range(KILLS):
            role = rules_role(home)
            begun = len(raised(home))
            for host in range(HOSTS):
                lines = [finding(number + i, f"h{kill}-{host}") for i in range(3 if host % 2 else 2)]
                lines.append(finding(number + 9, f"h{kill}-{host}", title="disk full"))
                number += 10
                ingest.take_lines(iter(lines), origin="test")
                if host == HOSTS // 2:
                    wait_until(lambda begun=begun: len(raised(home)) > begun)  # type: ignore[misc]
                pause.wait(dice.uniform(0, 0.01))
            role.send_signal(signal.SIGKILL)
            role.wait()
        role = rules_role(home)
        ingest.take_lines(iter([finding(number, "last", title="disk full")]), origin="test")
        wait_until(lambda: ("disk-is-full", "The disk of last is full") in groups(home))  # so it has set itself up
        expected = {("disk-is-full", "The disk of last is full"): 1}
        expected |= {("probes-fail", f"h{k}-{h}"): 1 for k in range(KILLS) for h in range(HOSTS) if h % 2}
        expected |= {("disk-is-full", f"The disk of h{k}-{h} is full"): 1 for k in range(KILLS) for h in range(HOSTS)}
        wait_until(lambda: len(raised(home)) >= len(expected))
        role.send_signal(signal.SIGTERM)
        assert role.wait() == 0
    assert groups(home) == expected
