"""The door: built from the environment, light, and honest about what it did."""

import importlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from pipeline.errors import BusUnavailable
from tests.collectors.fake_aws import BUS_ARN, FUNCTION_ARN, line, refused
from tests.collectors.world import World

ROOT = Path(__file__).parents[2]
ENVIRONMENT = {
    "FINDSTREAM_BUS_ARN": BUS_ARN,
    "AWS_DEFAULT_REGION": "eu-west-1",
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
}
HEAVY = ("pydantic", "jinja2", "starlette", "orjson", "zstandard", "aws_xray_sdk", "schemas", "projections")


@dataclass
class Context:
    function_name: str = "findstream-agent"
    memory_limit_in_mb: int = 256
    invoked_function_arn: str = FUNCTION_ARN
    aws_request_id: str = "r-1"

    def get_remaining_time_in_millis(self) -> int:
        return 240_000


@pytest.fixture
def door(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    sys.modules.pop("pipeline.collectors.handler", None)
    yield importlib.import_module("pipeline.collectors.handler")
    sys.modules.pop("pipeline.collectors.handler", None)


def test_a_run_is_reported_counted_and_logged(
    door: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.logs.add(line(-60))
    monkeypatch.setattr(door, "_agent", world.agent)

    report = door.handler({"time": "2026-03-04T12:00:00Z"}, Context())

    assert (report["lines"], report["published"], report["groups"]) == (1, 1, 1)
    metrics = next(json.loads(line) for line in capsys.readouterr().out.splitlines() if "_aws" in line)
    counted = {name: metrics[name] for name in ("lines", "published", "beyond", "timed_out", "unfinished")}
    assert counted == {"lines": [1.0], "published": [1.0], "beyond": [0.0], "timed_out": [0.0], "unfinished": [0.0]}
    assert metrics["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "findstream"


def test_a_failed_run_is_counted_and_fails_the_invocation(
    door: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    world = World()
    world.bus.scripted.append(refused("AccessDeniedException"))
    monkeypatch.setattr(door, "_agent", world.agent)

    with pytest.raises(BusUnavailable):
        door.handler({}, Context())

    assert '"runs":[1.0]' in capsys.readouterr().out


def test_events_are_put_where_the_bus_stands(door: Any) -> None:
    assert door._agent._events.meta.region_name == "eu-central-1"
    assert door._agent._logs.meta.region_name == "eu-west-1"


def test_nothing_heavy_is_imported() -> None:
    code = f"import sys, pipeline.collectors.handler; print([name for name in {HEAVY} if name in sys.modules])"

    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | ENVIRONMENT, cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert done.stdout.strip() == "[]"


def test_a_wrong_setting_stops_the_start_with_its_name() -> None:
    environment = os.environ | ENVIRONMENT | {"FINDSTREAM_BUS_ARN": "findstream"}

    done = subprocess.run(
        [sys.executable, "-c", "import pipeline.collectors.handler"],
        env=environment,
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )

    assert "SettingRejected: FINDSTREAM_BUS_ARN: expected the ARN of an event bus" in done.stderr
