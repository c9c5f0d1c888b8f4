"""Listing functions and log groups, and putting events through a bus into a queue, on a local server.

Queries are answered from memory: no local server filters in Logs Insights.
"""

import io
import json
import zipfile
from dataclasses import dataclass
from typing import Any

from pipeline.collectors.agent import Agent
from pipeline.collectors.options import Options
from pipeline.collectors.place import Place
from pipeline.sources import forms
from tests.aws.clients import ACCOUNT, REGION, Server
from tests.aws.streams import fresh_name
from tests.collectors.fake_aws import Clock, FakeLogs, line

ROLE = f"arn:aws:iam::{ACCOUNT}:role/any"


@dataclass
class Logs:
    """Log groups of a server, queries in memory."""

    server: Any
    queries: FakeLogs

    def describe_log_groups(self, **page: Any) -> Any:
        return self.server.describe_log_groups(**page, limit=2)

    def start_query(self, **query: Any) -> Any:
        return self.queries.start_query(**query)

    def get_query_results(self, **query: Any) -> Any:
        return self.queries.get_query_results(**query)

    def stop_query(self, **query: Any) -> Any:
        return self.queries.stop_query(**query)


def code() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("f.py", "def handler(event, context): pass")
    return packed.getvalue()


def queue_behind(server: Server, bus: str) -> str:
    """The URL of a queue that gets every event of our agents that comes to a new bus."""
    events, sqs = server.client("events"), server.client("sqs")
    queue = sqs.create_queue(QueueName=bus)["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    events.create_event_bus(Name=bus)
    events.put_rule(Name=bus, EventBusName=bus, EventPattern=json.dumps({"source": [{"prefix": "monitoring."}]}))
    events.put_targets(Rule=bus, EventBusName=bus, Targets=[{"Id": "queue", "Arn": arn}])
    return queue


def received(server: Server, queue: str) -> list[dict[str, Any]]:
    sqs, found = server.client("sqs"), []
    while messages := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
        for message in messages:
            found.append(json.loads(message["Body"]))
            sqs.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    return found


def test_lines_of_functions_reach_the_queue_as_findings(ministack: Server) -> None:
    prefix, clock = fresh_name("shop"), Clock()
    functions: Any = ministack.client("lambda")
    logs = ministack.client("logs")
    for name in ("a", "b", "never-ran"):
        functions.create_function(
            FunctionName=f"{prefix}-{name}", Runtime="python3.11", Handler="f.handler", Role=ROLE, Code={"ZipFile": code()}
        )
    groups = [f"/aws/lambda/{prefix}-a", f"/aws/lambda/{prefix}-b", f"/ecs/{prefix}"]
    queries = FakeLogs(clock)
    for group in groups:
        logs.create_log_group(logGroupName=group)
        queries.add(line(-60.25, f"ERROR in {group}: é", group=group))
    queue = queue_behind(ministack, prefix)
    bus = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{prefix}"
    agent = Agent(
        Options(bus_arn=bus, log_groups=(f"/ecs/{prefix}*",), version="1.4.0"),
        logs=Logs(logs, queries),
        functions=functions,
        events=ministack.client("events"),
        now_ms=clock.now_ms,
        clock=clock,
        sleep=clock.sleep,
        random=lambda: 0.5,
    )
    place = Place.of_function(f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:findstream-agent")

    for _ in range(2):
        agent.run({}, place, remaining_seconds=240)

    findings = [forms.event(item, None) for item in received(ministack, queue)]
    lines = sorted((event for event in findings if event.type == "finding.observed"), key=lambda event: event.summary)
    assert [event.summary for event in lines] == [f"{group}: ERROR in {group}: é" for group in groups]
    assert {(event.account, event.region, event.source) for event in lines} == {(ACCOUNT, REGION, "monitoring.agent.logs")}
    assert {event.time_us for event in lines} == {(clock.now_ms() - round(clock.seconds * 1000) - 60_250) * 1000}
    assert {event.data["version"] for event in findings if event.type == "agent.beat"} == {"1.4.0"}
