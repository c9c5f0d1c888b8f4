"""What our own agents tell: error lines of logs, heartbeats, and their stacks' deployments.

An error line stands in a ``monitoring.agent.logs`` finding; some come as CloudWatch Logs subscription payloads of one line.
Source of that shape: Amazon CloudWatch Logs User Guide, "Real-time processing of log data with subscriptions".
"""

from collections.abc import Iterator, Sequence
from random import Random
from typing import Any, Final

from consumers.sample.template import Cycle, compiled
from consumers.sample.world import Place, hexes, uuid

_LINES: Final = (
    ("ERROR", "upstream answered 503 after «duration» ms, gave up after «count» attempts"),
    ("ERROR", "could not take a connection from the pool within 5000 ms (size 20, waiting «count»)"),
    ("ERROR", "order «hex»: the payment provider refused the amount, code 51"),
    ("ERROR", "KeyError: 'customer_id' while reading message «request»"),
    ("FATAL", "out of memory: the heap limit of 512 MB was reached after «duration» ms"),
    ("CRITICAL", "checksum of segment «hex» is wrong, the consumer stops"),
    ("WARN", "slow query («duration» ms): select over orders without an index"),
    ("ERROR", "Task timed out after 15.01 seconds"),
    ("ERROR", "signature of webhook «request» does not match, the body was dropped"),
    ("WARN", "retrying after throttling, attempt «count»"),
)
_STACK: Final = (
    "Traceback (most recent call last):",
    '  File "/var/task/app/handler.py", line 88, in handle',
    "    return self.desk.take(order, deadline=context.remaining())",
    '  File "/var/task/app/desk.py", line 214, in take',
    "    answer = self.client.charge(order.amount, idempotency_key=order.id)",
    '  File "/opt/python/payments/client.py", line 51, in charge',
    "    raise Unavailable(response.status) from error",
    "payments.client.Unavailable: 503 from the provider; see the incident page before retrying by hand",
)
_STACK_STATUS: Final = {"deploying": "UPDATE_IN_PROGRESS", "active": "UPDATE_COMPLETE"}
AGENT_VERSIONS: Final = ("1.4.0", "1.4.2", "1.5.0")


def log_lines(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Functions that log errors, each with a line of its own kind, with and without a stack trace."""
    found = []
    for place in places:
        for level, line in rng.sample(_LINES, 6):
            group = f"/aws/lambda/{place.team}-{rng.choice(('handler', 'export', 'webhook', 'worker'))}"
            stream = f"2026/01/01/[$LATEST]{hexes(rng, 32)}"
            tail = "\n".join(("", *_STACK)) if rng.random() < 0.5 else ""  # noqa: PLR2004 -- half of them
            text = f"[{level}] «stamp»Z «request» {line}{tail}"
            if rng.random() < 0.1:  # noqa: PLR2004 -- a share that comes by subscription
                document = _subscription(place, group, stream, text)
            else:
                document = _finding(place, group, stream, level, text)
            found.append(Cycle(place.account, [compiled(document)]))
    return found


def _finding(place: Place, group: str, stream: str, level: str, text: str) -> dict[str, Any]:
    detail = {
        "logGroup": group,
        "logStream": stream,
        "timestamp": "«#millis»",
        "message": text,
        "level": level,
        "requestId": "«request»",
        "pointer": "«long»",
        "query": {"window": {"from": "«before»", "to": "«time»"}, "chunk": 3, "matched": "«#count»"},
        "agent": {"version": AGENT_VERSIONS[0], "account": place.account, "alias": place.name},
    }
    return place.event("monitoring.agent.logs", "Error Log Line", [place.arn("logs", f"log-group:{group}")], detail)


def _subscription(place: Place, group: str, stream: str, text: str) -> dict[str, Any]:
    return {
        "messageType": "DATA_MESSAGE",
        "owner": place.account,
        "logGroup": group,
        "logStream": stream,
        "subscriptionFilters": ["findstream-errors"],
        "logEvents": [{"id": "«millis»«count»", "timestamp": "«#millis»", "message": text}],
    }


def heartbeats(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """One agent a place, alive; they take turns, so that none is silent for long."""
    beats = [compiled(_heartbeat(place, rng.choice(AGENT_VERSIONS))) for place in places]
    return [Cycle(places[0].account, beats)]


def _heartbeat(place: Place, version: str) -> dict[str, Any]:
    detail = {
        "version": version,
        "status": "active",
        "uptimeSeconds": "«#port»",
        "functions": "«#count»",
        "logGroups": "«#count»",
        "lastQuery": {"startedAt": "«before»", "durationMs": "«#duration»", "matched": "«#count»"},
    }
    return place.event("monitoring.agent", "Agent Heartbeat", [place.arn("lambda", "function:findstream-agent")], detail)


def deployments(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """The agent in each place is rolled out: its stack's events, and what the agent says itself."""
    return [Cycle(place.account, [compiled(document) for document in _rollout(rng, place)]) for place in places]


def _rollout(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    stack = place.arn("cloudformation", f"stack/findstream-agent/{uuid(rng)}")
    version = rng.choice(AGENT_VERSIONS)
    token = f"rollout-{hexes(rng, 8)}"
    for status, kind in (("deploying", "Agent Status Change"), ("active", "Agent Deployed")):
        change = {
            "stack-id": stack,
            "status-details": {"status": _STACK_STATUS[status], "status-reason": "", "detailed-status": ""},
            "client-request-token": token,
        }
        yield place.event("aws.cloudformation", "CloudFormation Stack Status Change", [stack], change)
        told = {"status": status, "version": version, "deployed_at": "«time»", "stack_id": stack}
        yield place.event("monitoring.agent", kind, [stack], told)
