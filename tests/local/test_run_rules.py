"""Rules judge live in a run as people start it: published at the desk, told of as alerts on the log; kills change nothing."""

import os
import signal
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
import pytest

from consumers.embedded import open_desk
from consumers.home import Home
from pipeline.desks.desk import Asked
from pipeline.desks.rule import PublishRule, Rule, rule_uuid
from pipeline.log.port import Record
from pipeline.log.sqlite import SqliteLog
from pipeline.settings import Settings
from schemas.envelope import Envelope
from tests.local.running import Run, running, wait_until

_THRESHOLD = """\
id: probes-fail
title: "Probes of {{ detail.host }} fail"
severity: high
match: {source: [monitoring.probes], detail: {title: [{prefix: probe}]}}
group_by: [detail.host]
threshold: {count: 3, window: 10m}
late: 7d
"""
_MATCH = """\
id: disk-is-full
title: "The disk of {{ detail.host }} is full"
severity: critical
match: {source: [monitoring.probes], detail: {title: [disk full]}}
"""


def finding(number: int, host: str, *, title: str = "probe failed", time: str = "2126-01-01T00:00:00Z") -> bytes:
    """One that happens in a far future, when every rule is in force, so that the clock of this machine decides nothing."""
    return orjson.dumps(
        {
            "version": "0",
            "id": f"00000000-0000-4000-8000-{number:012}",
            "detail-type": "Probe Result",
            "source": "monitoring.probes",
            "account": "111122223333",
            "time": time,
            "region": "eu-west-1",
            "resources": [],
            "detail": {"title": title, "severity": "HIGH", "host": host, "number": number},
        }
    )


def publish(home: Path, *texts: str) -> None:
    with open_desk(Settings(home=home)) as desk:
        for text in texts:
            rule_id = text.split("\n")[0].removeprefix("id: ")
            desk.do(Rule, rule_uuid(rule_id), PublishRule(rule_id, "A rule", 3, text), Asked(by="u1"))


def records(home: Path) -> list[Record]:
    with closing(SqliteLog(Home(home).log, clock=lambda: 0)) as log:
        return [record for shard in log.shards() for record in log.read(shard.id, None, 1_000_000).records()]


def raised(home: Path) -> list[Envelope]:
    return [record.event for record in records(home) if record.event.type == "alert.raised"]


def groups(home: Path) -> Counter[tuple[str, str]]:
    told: list[dict[str, Any]] = [dict(event.data) for event in raised(home)]
    return Counter((alert["rule_id"], alert["group"].get("detail.host", alert["title"])) for alert in told)


def test_what_is_published_judges_what_comes_in_from_then_on(tmp_path: Path) -> None:
    home = tmp_path / "var"
    with running(home) as run:
        run.until_running()
        publish(home, _THRESHOLD, _MATCH)
        run.ingest(b"\n".join([*(finding(n, "a") for n in range(3)), finding(3, "b"), finding(4, "b", title="disk full")]))
        wait_until(lambda: len(raised(home)) == 2)
        status = run.told("status")
        examined = run.told("doctor")
        run.stop()
    assert groups(home) == {("probes-fail", "a"): 1, ("disk-is-full", "The disk of b is full"): 1}
    judging = next(state for state in status["projections"] if state["name"] == "judging")
    assert judging["parked"] == 0
    assert {check["verdict"] for check in examined["checks"] if check["check"] == "rules"} == {"OK"}


def kill_rules(run: Run) -> None:
    pid = run.told("status")["run"]["roles"]["rules"]["pid"]
    if pid:
        os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("kills", [20 if os.environ.get("FINDSTREAM_TORTURE") else 2])
def test_kills_neither_lose_nor_repeat_an_alert(tmp_path: Path, kills: int) -> None:
    home = tmp_path / "var"
    with running(home) as run:
        run.until_running()
        publish(home, _THRESHOLD, _MATCH)
        number = 0
        for kill in range(kills):
            lines = []
            for host in range(20):
                lines += [finding(number + i, f"h{kill}-{host}") for i in range(3 if host % 2 else 2)]
                lines.append(finding(number + 9, f"h{kill}-{host}", title="disk full"))
                number += 10
            run.ingest(b"\n".join(lines))
            kill_rules(run)
        expected = {("probes-fail", f"h{k}-{h}"): 1 for k in range(kills) for h in range(20) if h % 2}
        expected |= {("disk-is-full", f"The disk of h{k}-{h} is full"): 1 for k in range(kills) for h in range(20)}
        wait_until(lambda: len(raised(home)) >= len(expected), seconds=240)
        run.stop()
    assert groups(home) == expected
