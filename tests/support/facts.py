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
