"""Rules on AWS: published over HTTP, judged by the function, told of as alerts, shown by the API."""

from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime

import pytest

from consumers.rules.engine.errors import BookBehind
from consumers.rules.judge import IndexedJudge
from consumers.rules.matching import Hit
from pipeline.log.port import Batch
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
    publish(stack, _TEXT)
    told = stack.invoke("pipeline.intake.handler", queued(*(finding(number, time=now()) for number in range(3))))

    rules = stack.source("consumers.rules.handler")
    rules.drain()
    stack.source("projections.handler").drain()

    assert told["accepted"] == 3
    [alert] = asked(stack, "/alerts")["items"]
    assert (alert["rule_id"], alert["count"], alert["severity"]) == ("probes-fail", 3, 3)


REDRIVES = {"ListShards", "GetShardIterator", "GetRecords", "PutRecords"}
"""What the role of redrives allows on the stream."""


def test_what_could_not_be_judged_is_judged_after_a_fix_by_the_redrives_function_which_needs_all_that_it_may(
    poisoned: Central,
) -> None:
    publish(poisoned, _TEXT.replace("probes-fail", "later").replace("count: 3", "count: 4"))
    client = poisoned.door("consumers.redrive.handler")._log._topology._kinesis
    acts: set[str] = set()
    client.meta.events.register("before-parameter-build.kinesis.*", lambda model, **_: acts.add(model.name))

    told = [poisoned.invoke("consumers.redrive.handler", {"parked": which}) for which in ("event_index", "judging", True)]
    poisoned.source("projections.handler").drain()

    assert told == [{"folded": 0, "parked": 0}, {"folded": 1, "parked": 0}, {"folded": 0, "parked": 0}]
    [alert] = asked(poisoned, "/alerts")["items"]
    assert (alert["rule_id"], alert["count"]) == ("probes-fail", 3)
    assert acts == REDRIVES


def test_what_cannot_be_judged_still_stays_parked(poisoned: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(IndexedJudge, "hits", failing(IndexedJudge.hits))

    assert poisoned.invoke("consumers.redrive.handler", {"parked": True}) == {"folded": 0, "parked": 1}
    assert asked(poisoned, "/alerts")["items"] == []


@pytest.fixture
def poisoned(stack: Central) -> Central:
    """Three findings of a rule that counts to three, of which one could not be judged."""
    publish(stack, _TEXT)
    stack.invoke("pipeline.intake.handler", queued(*(finding(number, time=now()) for number in range(3))))
    with pytest.MonkeyPatch.context() as broken:
        broken.setattr(IndexedJudge, "hits", failing(IndexedJudge.hits))
        stack.source("consumers.rules.handler").drain()
    return stack


def publish(stack: Central, text: str) -> None:
    asked(stack, "/rules", "POST", {"text": text}, key=text.partition("\n")[0].removeprefix("id: "))
    stack.invoke("pipeline.desks.handler", {"Records": []})
    stack.source("projections.handler").drain()


def now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")  # noqa: TID251 -- the doors' own clock


def failing(hits: Callable[..., Iterator[Hit]]) -> Callable[..., Iterator[Hit]]:
    """Judging by a build that stumbles over the second probe."""

    def broken(judge: IndexedJudge, batch: Batch, indices: Sequence[int] | None = None) -> Iterator[Hit]:
        if any(b"probe 1 failed" in batch.bodies[place] for place in (range(len(batch)) if indices is None else indices)):
            message = "a defect"
            raise ValueError(message)
        return hits(judge, batch, indices)

    return broken


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
