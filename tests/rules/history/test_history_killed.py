"""A real process that reprocesses is killed again and again: no alert twice, none missing."""

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from contextlib import closing, suppress
from pathlib import Path
from random import Random

import orjson
import pytest

from pipeline.log.sqlite import SqliteLog
from projections.projector import Projector
from projections.stores.sqlite import SqliteStore
from schemas.envelope import Envelope
from tests.support.facts import MORNING_US, finding, rule

pytestmark = pytest.mark.long

RUN = "018f3000-0000-7000-8000-000000000001"
FINDINGS = 4000
KILLS = 20 if os.environ.get("FINDSTREAM_TORTURE") else 3
TEXT = "id: probes\ntitle: A probe failed\nseverity: high\nmatch: {source: [monitoring.test]}\n"
SINCE, UNTIL = "2024-05-01", "2024-05-08"


def told(number: int) -> Envelope:
    raw = {"id": f"s-{number}", "detail-type": "Test", "source": "monitoring.test", "detail": {}, "resources": []}
    body = orjson.dumps({"kind": "generic", "form": "eventbridge", "detail_type": "Test", "facts": {}, "raw": raw})
    return finding(number, MORNING_US + number * 60_000_000, subject=f"thing/{number}", body=body)


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with findings, and one published rule that matches them all."""
    clock = [MORNING_US]
    with (
        closing(SqliteLog(tmp_path / "log.db", clock=lambda: clock[0])) as log,
        closing(SqliteStore(tmp_path / "projections", clock=lambda: clock[0])) as store,
    ):
        log.append([rule("published", MORNING_US, "probes", text=TEXT)])
        for first in range(0, FINDINGS, 500):
            clock[0] = MORNING_US + (first + 500) * 60_000_000
            log.append([told(number) for number in range(first, first + 500)])
        with closing(Projector(log, store, token="test")) as projector:
            while projector.step():
                pass
    return tmp_path


def start(home: Path) -> "subprocess.Popen[bytes]":
    arguments = ["rules", "reprocess", "probes", "--since", SINCE, "--until", UNTIL, "--run", RUN, "--json"]
    return subprocess.Popen(
        [sys.executable, "-m", "consumers.cli", *arguments],
        env=os.environ | {"FINDSTREAM_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


def alerts(home: Path) -> Counter[str]:
    with closing(SqliteLog(home / "log.db", clock=lambda: 0)) as log:
        batches = [log.read(shard.id, None, 100_000) for shard in log.shards()]
    told = (pair for batch in batches for pair in zip(batch.columns.type, batch.columns.subject, strict=True))
    return Counter(subject for kind, subject in told if kind == "alert.raised")


def test_a_run_that_is_killed_again_and_again_raises_each_alert_once(home: Path) -> None:
    dice = Random(7)
    died = 0
    while died < KILLS:
        before = alerts(home).total()
        with start(home) as process:
            deadline = time.monotonic() + 60
            while process.poll() is None and alerts(home).total() == before and time.monotonic() < deadline:
                pass
            with suppress(subprocess.TimeoutExpired):
                process.wait(dice.uniform(0, 0.05))
            process.send_signal(signal.SIGKILL)
            died += 1
        if alerts(home).total() == FINDINGS:
            break

    with start(home) as process:
        out, _ = process.communicate(timeout=120)

    assert orjson.loads(out)["raised"] == FINDINGS
    assert set(alerts(home).values()) == {1}
    assert len(alerts(home)) == FINDINGS
