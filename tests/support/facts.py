"""Events to fold: each a plain function with what a test may want to say about it."""

from typing import Any

import orjson

from schemas.envelope import Envelope
from schemas.identity import event_id

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
MORNING_US = 1_714_521_600_000_000
"""2024-05-01T00:00:00Z."""
ACCOUNT = "111122223333"

_FINDING = orjson.dumps({"kind": "generic", "form": "cloudevent", "detail_type": "Test", "facts": {}, "raw": {}})


def fact(kind: str, time_us: int, told: object, **header: Any) -> Envelope:
    """An event of any type; its id derives from its type, its time, and ``told``."""
    known: dict[str, Any] = {
        "id": event_id(time_us, kind, told),
        "type": kind,
        "version": 1,
        "time_us": time_us,
        "source": "monitoring.test",
        "account": ACCOUNT,
        "region": "eu-west-1",
        "subject": f"thing/{told}",
        "severity": 0,
        "summary": "",
        "resources": (),
        "source_id": "",
        "correlation_id": "",
        "causation_id": "",
        "body": b"{}",
    }
    return Envelope(**known | header)


def finding(number: int = 0, time_us: int | None = None, **header: Any) -> Envelope:
    """The finding of this number; without a time, a minute after the one before."""
    at_us = MORNING_US + number * 60_000_000 if time_us is None else time_us
    known = {"severity": 2, "summary": f"Finding {number}", "source_id": f"source-{number}", "body": _FINDING}
    return fact("finding.observed", at_us, number, **known | header)


def beat(time_us: int, *, account: str = ACCOUNT, version: str = "1.0", **header: Any) -> Envelope:
    body = orjson.dumps({"version": version})
    return fact("agent.beat", time_us, [account, version], account=account, subject=f"agent/{account}", body=body, **header)


def deployed(time_us: int, status: str, *, account: str = ACCOUNT, version: str = "1.0", **header: Any) -> Envelope:
    body = orjson.dumps({"status": status, "version": version})
    told = [account, status, version]
    return fact("agent.deployed", time_us, told, account=account, subject=f"agent/{account}", body=body, **header)


def task_id(number: int) -> str:
    return f"018f3000-0000-7000-8000-{number:012x}"


def task(kind: str, time_us: int, number: int = 0, **body: Any) -> Envelope:
    """An event of the task of this number: ``kind`` is what stands behind ``task.``."""
    if kind == "created":
        known = {"task_id": task_id(number), "title": "Look at it", "description": "Somebody ought to look."}
        body = known | {"priority": "medium", "created_by": "u1"} | body
    elif kind == "updated":
        body = {"version": 2, "by": "u1"} | body
    else:
        body = {"by": "u1"} | body
    subject = f"task/{task_id(number)}"
    return fact(f"task.{kind}", time_us, [number, body], account="", subject=subject, body=orjson.dumps(body))


def rule(kind: str, time_us: int, rule_id: str = "storm", **body: Any) -> Envelope:
    """An event of the rule of this id: ``kind`` is what stands behind ``rule.``."""
    known: dict[str, dict[str, Any]] = {
        "published": {
            "version": 1,
            "revision": 1,
            "title": "A storm",
            "severity": 3,
            "text": "id: storm",
            "since_us": time_us,
            "by": "u1",
        },
        "retired": {"revision": 2, "until_us": time_us, "by": "u1"},
        "switched_off": {"version": 1, "reason": "threw"},
        "reprocessed": {
            "version": 1,
            "run_id": "0199f3a1-0000-7000-8000-000000000001",
            "since_us": 0,
            "until_us": 1,
            "judged": 9,
            "raised": 1,
            "standing": 2,
            "withdrawn": 3,
            "by": "u1",
        },
    }
    body = {"rule_id": rule_id, **known[kind], **body}
    return fact(f"rule.{kind}", time_us, [rule_id, time_us, body], account="", subject=f"rule/{rule_id}", body=orjson.dumps(body))


def alert_id(number: int) -> str:
    return f"018f3000-0000-8000-8000-{number:012x}"


def alert(kind: str, time_us: int, number: int = 0, *, severity: int = 0, account: str = "", **body: Any) -> Envelope:
    """An event of the alert of this number: ``kind`` is what stands behind ``alert.``."""
    known: dict[str, dict[str, Any]] = {
        "raised": {
            "rule_id": "storm",
            "rule_version": 1,
            "title": f"Alert {number}",
            "labels": {"team": "blue"},
            "group": {"detail.ip": "192.0.2.1"},
            "window": {"since_us": time_us, "until_us": time_us + HOUR_US},
            "count": 3,
            "event_ids": ["1-a", "1-b"],
            "last_us": time_us + 7,
            "reached_us": time_us + 7,
        },
        "acknowledged": {"revision": 1, "by": "u1"},
        "resolved": {"revision": 1, "by": "u1"},
        "reopened": {"revision": 1, "by": "u1"},
        "withdrawn": {"rule_version": 2, "run_id": "0199f3a1-0000-7000-8000-000000000001"},
    }
    body = {"alert_id": alert_id(number), **known[kind], **body}
    header = {"subject": f"alert/{alert_id(number)}", "severity": severity, "account": account, "body": orjson.dumps(body)}
    return fact(f"alert.{kind}", time_us, [number, time_us, body], **header, source="findstream.rules")


def routing(time_us: int, version: int = 1, **body: Any) -> Envelope:
    """The routing is published in this version."""
    body = {"version": version, "text": f"# {version}", "by": "u1", **body}
    return fact("routing.published", time_us, version, account="", subject="routing", body=orjson.dumps(body))


def silence_id(number: int) -> str:
    return f"018f3000-0000-7000-9000-{number:012x}"


def silence(kind: str, time_us: int, number: int = 0, **body: Any) -> Envelope:
    """An event of the silence of this number: ``kind`` is what stands behind ``silence.``. It lasts for an hour."""
    known: dict[str, dict[str, Any]] = {
        "created": {
            "revision": 1,
            "matchers": ["source=aws.guardduty"],
            "starts_us": time_us,
            "ends_us": time_us + HOUR_US,
            "comment": f"Silence {number}",
        },
        "changed": {"revision": 2, "ends_us": time_us + HOUR_US, "comment": f"Silence {number}"},
        "expired": {"revision": 2},
    }
    body = {"silence_id": silence_id(number), "by": "u1", **known[kind], **body}
    subject = f"silence/{silence_id(number)}"
    return fact(f"silence.{kind}", time_us, [number, time_us, body], account="", subject=subject, body=orjson.dumps(body))
