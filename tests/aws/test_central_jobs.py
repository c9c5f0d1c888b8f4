"""Long work on AWS: asked for over HTTP, done by the function that looks for it, its result shown by the API."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.aws.clients import Server
from tests.aws.doors import Central, central
from tests.aws.invocation import Context
from tests.aws.test_central import asked, queued
from tests.cli.shell import finding

JOBS = "consumers.jobs.handler"
TEXT = """\
id: probes-fail
title: "{{ finding.summary }}"
severity: high
match: {source: [monitoring.probes]}
"""
SPAN = {"since": 0, "until": 4_000_000_000}


@pytest.fixture
def stack(ministack: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Central]:
    with central(ministack, ministack, monkeypatch) as stack:
        yield stack


def told(stack: Central, number: int) -> None:
    time = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # noqa: TID251 -- the doors' own clock
    answer = stack.invoke("pipeline.intake.handler", queued(*(finding(each, time=time) for each in range(number))))
    assert answer["accepted"] == number


def job(stack: Central, job_id: str) -> dict[str, Any]:
    found: dict[str, Any] = asked(stack, f"/jobs/{job_id}")
    return found


def test_a_rule_is_backtested_and_history_judged_by_it(stack: Central) -> None:
    told(stack, 3)
    asked(stack, "/rules", "POST", {"text": TEXT})
    stack.invoke("pipeline.desks.handler", {"Records": []})
    stack.source("projections.handler").drain()
    backtest = asked(stack, "/rules/backtest", "POST", SPAN | {"rule": {"text": TEXT}})
    reprocessing = asked(stack, "/rules/probes-fail/reprocess", "POST", SPAN)

    assert stack.invoke(JOBS, {}) == {"settled": 2}

    found, run = job(stack, backtest["id"]), job(stack, reprocessing["id"])
    assert (found["state"], found["result"]["findings"], found["result"]["alerts"]) == ("done", 3, 3)
    assert (run["state"], run["result"]["raised"]) == ("done", 3)
    stack.source("projections.handler").drain()
    assert len(asked(stack, "/alerts")["items"]) == 3
    assert stack.invoke(JOBS, {}) == {"settled": 0}


def test_a_job_that_does_not_fit_into_a_function_fails_and_says_what_to_do(stack: Central) -> None:
    told(stack, 3)
    waiting = asked(stack, "/rules/backtest", "POST", SPAN | {"rule": {"text": TEXT}})
    remaining = iter([60_000, *[0] * 9])

    class Hurried(Context):
        def get_remaining_time_in_millis(self) -> int:
            return next(remaining)

    assert stack.door(JOBS).handler({}, Hurried(JOBS)) == {"settled": 1}

    found = job(stack, waiting["id"])
    assert found["state"] == "failed"
    assert "shorter stretch" in found["error"]


def test_without_time_nothing_is_begun(stack: Central) -> None:
    waiting = asked(stack, "/rules/backtest", "POST", SPAN | {"rule": {"text": TEXT}})

    assert stack.door(JOBS).handler({}, replace(Context(JOBS), remaining_milliseconds=5)) == {"settled": 0}

    assert job(stack, waiting["id"])["state"] == "waiting"
