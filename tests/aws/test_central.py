"""Every function of the central stack, over a Kinesis stream and a DynamoDB table of local servers."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from io import BytesIO
from pathlib import Path
from random import Random
from time import monotonic
from typing import Any, NoReturn

import pytest
from pydantic import SecretStr

from consumers.notifier.errors import LedgerUnavailable
from consumers.people.dynamodb import DynamoPeople
from pipeline.errors import BodiesUnavailable, SettingRejected
from pipeline.log.kinesis import KinesisLog
from pipeline.log.port import Position
from pipeline.opening import client
from projections.projector import ALL, Projector
from projections.stores.dynamodb import DynamoStore
from projections.stores.port import Commit
from projections.stores.sqlite import SqliteStore
from tests.aws.clients import Server
from tests.aws.doors import Central, central, forget_doors
from tests.aws.kinesis_logs import now_us
from tests.aws.shards import Checkpoints
from tests.cli.shell import finding
from tests.notifier.examples import event
from tests.notifier.fake_slack import FakeSlack, Step
from tests.people.stores import PASSWORD, QUICK, admin
from tests.support.dynamo import dynamo_store
from tests.support.spine import frozen_clock, rows_of


@pytest.fixture
def slack() -> Iterator[FakeSlack]:
    with FakeSlack() as slack:
        yield slack


@pytest.fixture
def stack(ministack: Server, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch) -> Iterator[Central]:
    with central(ministack, ministack, monkeypatch, FINDSTREAM_SLACK_WEBHOOK=slack.url("default")) as stack:
        yield stack


def queued(*findings: dict[str, Any]) -> dict[str, Any]:
    """An invocation by the ingest queue."""
    return {
        "Records": [
            {"messageId": f"m-{number}", "body": json.dumps(each), "eventSource": "aws:sqs", "attributes": {}}
            for number, each in enumerate(findings)
        ]
    }


def api(stack: Central, method: str, path: str, body: Any = None, headers: Any = None, **query: str) -> Any:
    """What the API answers, status and all."""
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "&".join(f"{name}={value}" for name, value in query.items()),
        "queryStringParameters": query,
        "headers": {"content-type": "application/json", **(headers or {})},
        "requestContext": {"stage": "$default", "http": {"method": method, "path": path, "sourceIp": "203.0.113.7"}},
        "body": None if body is None else json.dumps(body),
        "isBase64Encoded": False,
    }
    return stack.invoke("consumers.api.handler", event)


def signed_in(stack: Central) -> dict[str, str]:
    """The headers of an admin, who is made in the table first if there is none."""
    table = DynamoPeople(stack.kinesis.client("dynamodb"), stack.table, dice=Random(), passwords=QUICK)
    if not table.users.admins():
        table.users.add(admin(), PASSWORD)
    login = api(stack, "POST", "/auth/login", {"email": admin().email, "password": PASSWORD})
    assert login["statusCode"] == 200, login
    return {"authorization": f"Bearer {json.loads(login['body'])['access_token']}"}


def asked(stack: Central, path: str, method: str = "GET", body: object = None, key: str = "k-1", **query: str) -> Any:
    """What the API answers an admin."""
    headers = signed_in(stack) | ({} if body is None else {"idempotency-key": key})
    answer = api(stack, method, path, body, headers, **query)
    assert answer["statusCode"] in (200, 201, 202), answer
    return json.loads(answer["body"])


def test_who_did_not_sign_in_gets_nothing_from_the_function(stack: Central) -> None:
    refused = api(stack, "GET", "/events")

    assert refused["statusCode"] == 401
    assert refused["headers"]["X-Content-Type-Options"] == "nosniff"
    assert api(stack, "GET", "/health")["statusCode"] == 200
    cookie = signed_in(stack)["authorization"].removeprefix("Bearer ")
    assert api(stack, "GET", "/events", headers={"cookie": f"findstream_session={cookie}"})["statusCode"] == 401


AT_ONCE = "routes: {channel: default, group_wait: 0s, routes: []}"


def notified_at_once(stack: Central) -> None:
    """Set the notifier's live mark, and publish a routing by which everything is told together, and at once."""
    stack.invoke("consumers.notifier.handler", {})
    body = json.dumps({"version": 1, "text": AT_ONCE, "comment": "", "by": "ops"}).encode()
    published = replace(event(subject="routing", source="findstream.desks"), type="routing.published", body=body)
    stack.door("consumers.notifier.handler")._log.append([published])
    stack.invoke("consumers.notifier.handler", {})


def test_a_finding_on_the_queue_is_folded_served_and_told_of(stack: Central, slack: FakeSlack) -> None:
    notified_at_once(stack)
    told = stack.invoke("pipeline.intake.handler", queued(*(finding(number) for number in range(5))))
    again = stack.invoke("pipeline.intake.handler", queued(finding(1)))

    stack.source("projections.handler").drain()
    stack.source("consumers.notifier.handler").drain()

    assert told == {"batchItemFailures": [], "read": 5, "accepted": 5, "duplicate": 0, "quarantined": 0}
    assert again["accepted"] == 1  # the stream takes a repeat, the projections do not
    events = asked(stack, "/events")["items"]
    assert len([each for each in events if each["type"] == "finding.observed"]) == 5
    whole = asked(stack, f"/events/{events[0]['id']}")
    assert whole["id"] == events[0]["id"]
    assert [len(re.findall(r"probe \d failed", json.dumps(post.payload))) >= 5 for post in slack.posts] == [True]


def test_the_feed_is_told_in_pieces_that_join(stack: Central) -> None:
    def told(**asked: str) -> tuple[list[str], str]:
        answer = api(stack, "GET", "/feed", headers=signed_in(stack), **asked)
        assert (answer["statusCode"], answer["headers"]["Content-Type"][:17]) == (200, "text/event-stream")
        lines = answer["body"].splitlines()
        return [line for line in lines if line.startswith("data: ")], lines[-2].removeprefix("id: ")

    stack.invoke("pipeline.intake.handler", queued(*(finding(number) for number in range(3))))
    stack.source("projections.handler").drain()
    first, place = told(after="genesis")
    stack.invoke("pipeline.intake.handler", queued(finding(3), finding(4, account="444455556666")))
    unfolded, still = told(after=place)
    stack.source("projections.handler").drain()
    second, _ = told(after=place)

    assert (len(first), unfolded, still, len(second)) == (3, [], place, 2)
    assert len(told(after=place, account="444455556666")[0]) == 1
    assert told()[0] == []


def test_why_nobody_was_told_is_explained_on_aws_too(stack: Central) -> None:
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    stack.source("projections.handler").drain()
    [event] = asked(stack, "/events")["items"]

    assert asked(stack, f"/events/{event['id']}/why")["verdict"] == "unread"
    assert asked(stack, "/notifications") == {"items": [], "next": None}


def test_a_command_is_relayed_folded_and_shown_and_counts_once_however_often_it_is_sent(stack: Central) -> None:
    look = {"title": "Look at it", "description": "Somebody ought to look."}
    made = asked(stack, "/tasks", "POST", look)
    again = asked(stack, "/tasks", "POST", look)
    moved = asked(stack, f"/tasks/{made['id']}/status", "PUT", {"status": "closed", "version": 1}, "k-2")

    relayed = stack.invoke("pipeline.desks.handler", {"Records": []})
    idle = stack.invoke("pipeline.desks.handler", {"Records": []})
    stack.source("projections.handler").drain()

    assert again == made
    assert (relayed, idle) == ({"batchItemFailures": [], "relayed": 4}, {"batchItemFailures": [], "relayed": 0})
    shown = asked(stack, f"/tasks/{made['id']}", at_least="2")
    assert shown == {**moved, "said": []}
    assert [told["version"] for told in asked(stack, f"/tasks/{made['id']}/history")["items"]] == [1, 2]
    assert asked(stack, "/tasks")["total"] == 1


def test_what_is_no_event_is_published_again_or_quarantined_once(stack: Central) -> None:
    kinesis = stack.kinesis.client("kinesis")
    for payload in (json.dumps(finding(7)).encode(), b"no JSON at all"):
        kinesis.put_record(StreamName=stack.stream, Data=payload, PartitionKey="x")

    republisher, projector = stack.source("pipeline.republish.handler"), stack.source("projections.handler")
    republisher.drain()
    projector.drain()
    republisher.drain()

    (event,) = asked(stack, "/events")["items"]
    assert event["source"] == "monitoring.probes"
    (held,) = asked(stack, "/quarantine")["items"]
    assert held["times"] == 1


def test_rows_equal_those_of_the_embedded_store(stack: Central, ministack: Server, tmp_path: Path) -> None:
    for first in range(0, 60, 20):
        stack.invoke("pipeline.intake.handler", queued(*(finding(number) for number in range(first, first + 30))))
    stack.source("projections.handler", batch_size=2).drain()

    log = stack.door("projections.handler")._log
    assert isinstance(log, KinesisLog)
    sqlite = SqliteStore(tmp_path, clock=frozen_clock)
    projector = Projector(log, sqlite, token="sqlite")
    while projector.step():
        pass
    projector.close()

    dynamo = dynamo_store(ministack, stack.table)
    for projection in ALL:
        assert rows_of(dynamo, projection.name) == rows_of(sqlite, projection.name)
    sqlite.close()


def test_a_batch_that_cannot_be_folded_is_asked_for_again(stack: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    door = stack.door("projections.handler")
    keep = door._bodies.keep
    failures = iter([True, True])

    def failing(batch: Any) -> None:
        if next(failures, False):
            raise BodiesUnavailable
        keep(batch)

    monkeypatch.setattr(door._bodies, "keep", failing)
    source = stack.source("projections.handler")
    source.drain()

    assert source.invocations == 3
    assert len(asked(stack, "/events")["items"]) == 1


def test_dead_letters_are_driven_again(stack: Central, slack: FakeSlack) -> None:
    notified_at_once(stack)
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    slack.always("default", Step(404))
    stack.invoke("consumers.notifier.handler", {})
    slack.always("default", None)
    before = stack.wakes()

    told = stack.invoke("consumers.redrive.handler", {"notices": True, "parked": True})
    assert stack.wakes() == before + 1
    deadline = monotonic() + 30
    while len(slack.posts) == 1 and monotonic() < deadline:  # a second lies between two requests
        stack.invoke("consumers.notifier.handler", {})

    assert told == {"notices": 1, "folded": 0, "parked": 0}
    assert len(slack.posts) == 2


class Invoking:
    """Lambda, as far as it invokes the notifier's function; ``broken``: which raises."""

    def __init__(self, stack: Central) -> None:
        self.stack = stack
        self.broken = False

    def invoke(self, *, FunctionName: str, Payload: bytes) -> Any:  # noqa: N803 -- boto3's names
        assert FunctionName.endswith(":function:notifier")
        if self.broken:
            return {"FunctionError": "Unhandled", "Payload": BytesIO(b'{"errorMessage": "x", "stackTrace": ["secret"]}')}
        answer = self.stack.invoke("consumers.notifier.handler", json.loads(Payload))
        return {"StatusCode": 200, "Payload": BytesIO(json.dumps(answer).encode())}


@pytest.fixture
def functions(stack: Central, monkeypatch: pytest.MonkeyPatch) -> Invoking:
    invoking = Invoking(stack)
    monkeypatch.setattr("consumers.aws.client", lambda name, *calls: invoking if name == "lambda" else client(name, *calls))
    return invoking


def test_a_channel_is_tried_over_http_by_the_notifier_which_has_its_secrets_and_nothing_is_kept_of_it(
    stack: Central, slack: FakeSlack, functions: Invoking
) -> None:
    assert functions.stack is stack
    told = asked(stack, "/notifications/test", "POST", {"channel": "default"})

    assert told == {"channel": "default", "delivered": True, "answer": "delivered"}
    assert "findstream reaches this channel" in json.dumps(slack.arrived("default"))
    items = stack.kinesis.client("dynamodb").scan(TableName=stack.table)["Items"]
    assert [each["pk"]["S"] for each in items if each["pk"]["S"].startswith("ledger")] == []
    assert stack.wakes() == 0


def test_what_keeps_the_notifier_from_trying_is_told_by_the_api(stack: Central, slack: FakeSlack, functions: Invoking) -> None:
    def tried(channel: str = "default") -> tuple[int, str]:
        answer = api(stack, "POST", "/notifications/test", {"channel": channel}, signed_in(stack))
        return answer["statusCode"], answer["body"]

    slack.always("default", Step(404))
    assert '"delivered":false' in tried()[1]
    assert tried("nowhere")[0] == 404

    functions.broken = True
    status, body = tried()
    assert (status, json.loads(body)["error"]["code"], "secret" in body) == (502, "notifier_failed", False)


def now_with(stack: Central, monkeypatch: pytest.MonkeyPatch, webhook: str) -> None:
    """The webhook's secret is changed while the notifier's function is warm."""
    door = stack.door("consumers.notifier.handler")
    monkeypatch.setattr(door, "_settings", door._settings.model_copy(update={"slack_webhook": SecretStr(webhook)}))


def test_a_trial_takes_secrets_as_they_are_now_and_so_does_the_next_turn(
    stack: Central, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    notified_at_once(stack)
    now_with(stack, monkeypatch, slack.url("other"))

    told = stack.invoke("consumers.notifier.handler", {"try_channel": "default"})
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    stack.invoke("consumers.notifier.handler", {})

    assert told == {"ended": "delivered"}
    assert [len(slack.arrived(name)) for name in ("default", "other")] == [0, 2]


@pytest.mark.filterwarnings("ignore:No application metrics to publish")
@pytest.mark.parametrize("tried", ["default", "mistyped"])
def test_a_trial_forgets_no_outcome_that_could_not_be_written(
    stack: Central, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch, tried: str
) -> None:
    def throttled(*_: object) -> NoReturn:
        message = "throttled"
        raise LedgerUnavailable(message)

    notified_at_once(stack)
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    with monkeypatch.context() as broken:
        broken.setattr(stack.door("consumers.notifier.handler")._ledger, "settle", throttled)
        with pytest.raises(LedgerUnavailable):
            stack.invoke("consumers.notifier.handler", {})
    stack.invoke("consumers.notifier.handler", {"try_channel": tried})
    stack.invoke("consumers.notifier.handler", {})

    assert sum("probe 1 failed" in json.dumps(post.payload) for post in slack.posts) == 1


def test_channels_that_cannot_be_opened_are_an_answer_and_leave_the_notifier_as_it_is(
    stack: Central, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    notified_at_once(stack)
    now_with(stack, monkeypatch, "hush")

    told = stack.invoke("consumers.notifier.handler", {"try_channel": "default"})
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    stack.invoke("consumers.notifier.handler", {})

    assert told == {"ended": "unopened"}
    assert len(slack.arrived("default")) == 1


def test_timers_find_nothing_to_tell_in_a_new_stack(stack: Central) -> None:
    stack.source("projections.handler").drain()

    assert stack.invoke("consumers.reports.handler", {}) == {"issued": []}
    assert stack.invoke("consumers.silence.handler", {}) == {"silent": 0}


def test_events_are_packed_where_a_setting_says_so_and_both_kinds_are_read(
    stack: Central, monkeypatch: pytest.MonkeyPatch
) -> None:
    kinesis = stack.kinesis.client("kinesis")
    told = {}
    for packed, number in (("false", 1), ("true", 2)):
        forget_doors()
        monkeypatch.setenv("FINDSTREAM_COMPRESS_BODIES", packed)
        stack.invoke("pipeline.intake.handler", queued(finding(number)))
        kinesis.put_record(StreamName=stack.stream, Data=json.dumps(finding(number + 10)).encode(), PartitionKey="x")
        stack.source("pipeline.republish.handler").drain()
        told[packed] = stored(kinesis, stack.stream)

    stack.source("projections.handler").drain()

    assert [data.startswith(b"{") for data in told["false"]] == [True] * 3
    assert sorted(data[:4] == b"\x28\xb5\x2f\xfd" for data in told["true"]) == [False] * 4 + [True] * 3
    assert len(asked(stack, "/events")["items"]) == 4


def stored(kinesis: Any, stream: str) -> list[bytes]:
    """The data of all records, in no order: of events and of foreign ones."""
    found = []
    for shard in kinesis.list_shards(StreamName=stream)["Shards"]:
        begin = kinesis.get_shard_iterator(StreamName=stream, ShardId=shard["ShardId"], ShardIteratorType="TRIM_HORIZON")
        found += kinesis.get_records(ShardIterator=begin["ShardIterator"])["Records"]
    return [record["Data"] for record in found]


SWEEPS = {"GetItem", "Query", "BatchWriteItem", "DeleteItem", "PutItem"}
"""What the role of the sweep allows on the table."""


def test_the_sweep_takes_what_is_over_and_no_more_than_it_may(stack: Central, ministack: Server) -> None:
    client = stack.door("projections.sweep.handler")._store._table._client
    asked: set[str] = set()
    client.meta.events.register("before-parameter-build.dynamodb.*", lambda model, params, **_: asked.update(acts(model, params)))
    store = dynamo_store(ministack, stack.table, clock=now_us)
    with store.building("agent_status"):
        store.create("agent_status", 1, serving=False)
        leave_behind(dynamo_store(ministack, stack.table, clock=lambda: now_us() - 7_200_000_000))

        told = [stack.invoke("projections.sweep.handler", {}) for _ in range(2)]

    assert len(store.generations("agent_status")) == 1
    assert told == [{"swept": 1, "abandoned": 1}, {"swept": 0, "abandoned": 0}]
    assert asked <= SWEEPS


def leave_behind(store: DynamoStore) -> None:
    """A generation that was dropped, and a build whose process died."""
    dropped = store.open(store.create("event_index", 1, serving=False))
    dropped.claim("writer", ["a"])
    dropped.commit("writer", Commit({"a": None}, {"a": Position("a", 1)}))
    store.drop(dropped.info)
    store.building("task_board").__enter__()
    store.create("task_board", 1, serving=False)


def acts(model: Any, params: Any) -> set[str]:
    """The actions that a role needs for a request: those of its items, for a transaction."""
    if model.name != "TransactWriteItems":
        return {model.name}
    return {
        "ConditionCheckItem" if kind == "ConditionCheck" else f"{kind}Item" for item in params["TransactItems"] for kind in item
    }


def test_what_waits_in_a_group_arms_the_timer_and_is_told_when_that_wakes(
    stack: Central, slack: FakeSlack, monkeypatch: pytest.MonkeyPatch
) -> None:
    later_us = 0
    monkeypatch.setattr(stack.door("consumers.notifier.handler"), "now_us", lambda: now_us() + later_us)
    stack.invoke("consumers.notifier.handler", {})
    assert stack.wakes() == 0
    stack.invoke("pipeline.intake.handler", queued(*(finding(number) for number in range(3))))

    stack.invoke("consumers.notifier.handler", {})
    stack.invoke("consumers.notifier.handler", {})
    assert (len(slack.posts), stack.wakes()) == (0, 1)

    later_us = 31_000_000
    stack.invoke("consumers.notifier.handler", {})
    assert len(slack.posts) == 1


def test_a_notifier_that_was_followed_by_another_takes_the_ledger_over_again(stack: Central, slack: FakeSlack) -> None:
    notified_at_once(stack)
    stack.door("consumers.notifier.handler")._ledger.claim()
    stack.invoke("pipeline.intake.handler", queued(finding(1)))

    stack.invoke("consumers.notifier.handler", {})

    assert len(slack.posts) == 1


def test_a_projection_that_meets_a_newer_version_catches_up_once_a_build_knows_it(stack: Central) -> None:
    checkpoints = Checkpoints()
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    with pytest.MonkeyPatch.context() as older:
        for projection in ALL:
            older.setattr(type(projection), "folds", dict.fromkeys(projection.folds, 0))
        stack.source("projections.handler", checkpoints=checkpoints).drain()
        assert asked(stack, "/events")["items"] == []

    forget_doors()
    stack.invoke("pipeline.intake.handler", queued(finding(1), finding(2, resources=finding(1)["resources"])))
    stack.source("projections.handler", checkpoints=checkpoints).drain()

    assert len(asked(stack, "/events")["items"]) == 2


def test_a_channel_that_failed_is_tried_now(stack: Central, slack: FakeSlack) -> None:
    notified_at_once(stack)
    stack.invoke("pipeline.intake.handler", queued(finding(1)))
    slack.always("default", Step(500))
    stack.invoke("consumers.notifier.handler", {})
    slack.always("default", None)
    before = stack.wakes()

    told = stack.invoke("consumers.redrive.handler", {"retry": "default"})

    assert told == {"retry": 1}
    assert stack.wakes() == before + 1


def test_redrives_that_name_nothing_there_is_are_refused(stack: Central) -> None:
    with pytest.raises(KeyError):
        stack.invoke("consumers.redrive.handler", {"parked": "weather"})
    with pytest.raises(ValueError, match="route/group/flush"):
        stack.invoke("consumers.redrive.handler", {"notices": "x"})
    assert stack.invoke("consumers.redrive.handler", {"notices": "a/b/0"}) == {"notices": 0}


def test_a_door_names_the_setting_that_it_lacks(stack: Central, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("FINDSTREAM_STORE_URL")

    with pytest.raises(SettingRejected, match=r"FINDSTREAM_STORE_URL: is not set; write it as dynamodb://findstream"):
        stack.door("pipeline.intake.handler")
