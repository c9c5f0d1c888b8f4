"""Rules on AWS: published over HTTP, judged by the function, told of as alerts, shown by the API."""

from collections.abc import Iterator
from datetime import UTC, datetime

import pytest

from consumers.rules.engine.errors import BookBehind
from tests.aws.clients import Server
from tests.aws.doors import Central, central
from tests.aws.test_central import asked, queued
from tests.cli.shell import finding

_TEXT = """\
id: probes-fail
title: "{{ finding.summary }}"
severity: high
match: {source: [monitoring.probes]}
threshold: {count: 3, window: 10m}
"""


@pytest.fixture
def stack(ministack: Server, monkeypatch: pytest.MonkeyPatch) -> Iterator[Central]:
    with central(ministack, ministack, monkeypatch) as stack:
        yield stack


def test_a_published_rule_judges_what_comes_and_its_alert_is_shown(stack: Central) -> None:
    asked(stack, "/rules", "POST", {"text": _TEXT})
    stack.invoke("pipeline.desks.handler", {"Records": []})
    stack.source("projections.handler").drain()
    time = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # noqa: TID251 -- the doors' own clock
    told = stack.invoke("pipeline.intake.handler", queued(*(finding(number, time=time) for number in range(3))))

    rules = stack.source("consumers.rules.handler")
    rules.drain()
    stack.source("projections.handler").drain()

    assert told["accepted"] == 3
    [alert] = asked(stack, "/alerts")["items"]
    assert (alert["rule_id"], alert["count"], alert["severity"]) == ("probes-fail", 3, 3)


def test_a_batch_that_cannot_be_judged_is_delivered_again(stack: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    door = stack.door("consumers.rules.handler")

    def behind(_: object) -> None:
        message = "not yet"
        raise BookBehind(message)

    whole = door._rules.judge
    door._rules.judge = behind
    seen: list[object] = []
    handle = door.handler

    def watched(event: object, context: object) -> object:
        seen.append(handle(event, context))
        door._rules.judge = whole
        return seen[-1]

    monkeypatch.setattr(door, "handler", watched)
    stack.source("consumers.rules.handler").drain()

    assert [len(answer["batchItemFailures"]) for answer in seen][:2] == [1, 0]  # type: ignore[index]
