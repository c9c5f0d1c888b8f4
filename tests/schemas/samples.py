"""Events to try schemas on: one body of every type, and any envelope at all."""

from collections.abc import Mapping
from typing import Any

import orjson
from hypothesis import strategies as st

from schemas.envelope import MAX_TIME_US, Envelope
from schemas.identity import event_id

TASK = "01890a5d-ac96-774b-bcce-b302099a8057"
ALERT = "5c1f0c8e-2ad9-8e94-a85b-1b6df72efef9"
FINDING = "1700000000-cd65ea2c-2ad9-8e94-a85b-1b6df72efef9"
NOTICE = {"route": "default", "group": "aws.guardduty", "flush": 0, "channel": "slack", "event_ids": [FINDING], "reason": "NEW"}
COUNTS = {"source": {"aws.health": 2}, "severity": {"3": 2}, "account": {"123456789012": 2}}


def finding(kind: str, **facts: object) -> dict[str, Any]:
    """A body of ``finding.observed``."""
    return {"kind": kind, "form": "eventbridge", "detail_type": "Something", "facts": facts, "raw": {"id": "1", "detail": {}}}


BODIES: Mapping[str, dict[str, Any]] = {
    "finding.observed": finding("guardduty", title="Unusual call", score=8.5, count=3),
    "agent.deployed": {"status": "active", "version": "1.2.0", "stack_id": "arn:aws:cloudformation:stack/agent", "reason": ""},
    "agent.beat": {"version": "1.2.0"},
    "agent.went_silent": {"last_heartbeat_us": 1_700_000_000_000_000},
    "agent.registered": {"name": "Payments", "contact": "payments@example.com", "enabled": True, "revision": 1, "by": "u2"},
    "agent.updated": {"description": "Since May", "revision": 2, "by": "u2"},
    "agent.removed": {"revision": 3, "by": "u2"},
    "config.changed": {
        "config": "monitoring",
        "config_id": "monitoring",
        "document": {"polling_seconds": 300},
        "version": 1,
        "by": "u2",
    },
    "task.created": {
        "task_id": TASK,
        "title": "Look at it",
        "description": "Somebody called what nobody calls.",
        "priority": "high",
        "assignee_id": "u1",
        "event_id": FINDING,
        "event": {"summary": "Unusual call"},
        "due_us": 1_700_000_000_000_000,
        "created_by": "u2",
    },
    "task.updated": {"version": 2, "title": "Look at it now", "due_us": None, "by": "u2"},
    "task.status_changed": {"status": "closed", "by": "u1"},
    "task.commented": {"comment": "It was me.", "by": "u1"},
    "task.deleted": {"by": "u2"},
    "notice.sent": {**NOTICE, "attempts": 1, "resent": True},
    "notice.suppressed": NOTICE,
    "notice.failed": {**NOTICE, "attempts": 5, "detail": "404 no_service"},
    "rule.published": {
        "rule_id": "failed-sign-ins",
        "version": 1,
        "revision": 1,
        "title": "Many failed sign-ins",
        "severity": 3,
        "text": "id: failed-sign-ins",
        "since_us": 1_700_000_000_000_000,
        "comment": "First try",
        "by": "u2",
    },
    "rule.retired": {
        "rule_id": "failed-sign-ins",
        "until_us": 1_700_000_000_000_000,
        "revision": 2,
        "comment": "Too noisy",
        "by": "u2",
    },
    "rule.switched_off": {
        "rule_id": "failed-sign-ins",
        "version": 1,
        "reason": "threw",
        "detail": "no such key",
        "event_id": FINDING,
    },
    "rule.reprocessed": {
        "rule_id": "failed-sign-ins",
        "version": 1,
        "run_id": TASK,
        "since_us": 0,
        "until_us": 86_400_000_000,
        "judged": 10,
        "raised": 2,
        "standing": 1,
        "withdrawn": 0,
        "by": "u2",
    },
    "alert.raised": {
        "alert_id": ALERT,
        "rule_id": "failed-sign-ins",
        "rule_version": 1,
        "title": "Many failed sign-ins of maria",
        "labels": {"team": "identity"},
        "group": {"detail.userIdentity.userName": "maria"},
        "window": {"since_us": 0, "until_us": 300_000_000},
        "count": 5,
        "event_ids": [FINDING],
        "last_us": 1_700_000_000_000_000,
        "reached_us": 1_700_000_000_000_000,
        "backfilled": True,
        "run_id": TASK,
        "notify": False,
    },
    "alert.acknowledged": {"alert_id": ALERT, "revision": 1, "by": "u1", "comment": "On it"},
    "alert.resolved": {"alert_id": ALERT, "revision": 0, "by": "", "comment": "", "event_id": FINDING},
    "alert.reopened": {"alert_id": ALERT, "revision": 2, "by": "u1", "comment": "Again", "run_id": ""},
    "alert.withdrawn": {"alert_id": ALERT, "rule_version": 2, "run_id": TASK},
    "routing.published": {"version": 2, "text": "routes: {}", "comment": "Fewer", "by": "u1"},
    "silence.created": {
        "silence_id": TASK,
        "revision": 1,
        "matchers": ["source=aws.guardduty", "severity<=HIGH"],
        "starts_us": 1_700_000_000_000_000,
        "ends_us": 1_700_003_600_000_000,
        "comment": "We know",
        "by": "u1",
    },
    "silence.changed": {
        "silence_id": TASK,
        "revision": 2,
        "ends_us": 1_700_007_200_000_000,
        "comment": "An hour more",
        "by": "u1",
    },
    "silence.expired": {"silence_id": TASK, "revision": 3, "comment": "Mended", "by": "u2"},
    "report.issued": {
        "date": "2024-05-01",
        "window": {"since_us": 0, "until_us": 86_400_000_000},
        "totals": COUNTS,
        "change": {"source": {"aws.health": -1}, "severity": {}, "account": {}},
        "top_resources": [{"resource": "arn:aws:s3:::bucket", "count": 2}],
        "open_tasks": 4,
    },
}
"""A body of version 1 of each type."""


def event(event_type: str, data: object = None, **changes: Any) -> Envelope:
    """An event of a type with this data in its body, by default that of ``BODIES``."""
    time_us = changes.get("time_us", 1_700_000_000_000_001)
    fields: dict[str, Any] = {
        "id": event_id(time_us, event_type),
        "type": event_type,
        "version": 1,
        "time_us": time_us,
        "source": "aws.guardduty",
        "account": "123456789012",
        "region": "eu-west-1",
        "subject": "some/subject",
        "severity": 3,
        "summary": "Something happened",
        "resources": ("arn:aws:s3:::bucket",),
        "source_id": "",
        "correlation_id": "",
        "causation_id": "",
        "body": orjson.dumps(BODIES[event_type] if data is None else data),
    }
    return Envelope(**{**fields, **changes})


_hostile = st.text(
    st.sampled_from("a/\\u{}%\n\x00\x7f\x85\ufdd0\uffff\U0001ffff\U0010ffff\"'é⇒ \u2028") | st.characters(codec="utf-8")
)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False, allow_infinity=False) | _hostile,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_hostile, inner, max_size=3),
    max_leaves=8,
)


def _texts(longest: int, shortest: int = 0) -> st.SearchStrategy[str]:
    return _hostile.map(lambda text: text[:longest]).filter(lambda text: len(text) >= shortest)


@st.composite
def envelopes(draw: st.DrawFn) -> Envelope:
    """Any valid event, of types and versions that nobody may know."""
    time_us = draw(st.integers(0, MAX_TIME_US - 1))
    return Envelope(
        id=event_id(time_us, draw(st.integers(-(2**63), 2**64 - 1))),
        type=draw(st.from_regex(r"[a-z][a-z_]{0,9}(\.[a-z][a-z_]{0,9}){1,2}", fullmatch=True)),
        version=draw(st.integers(1, 999)),
        time_us=time_us,
        source=draw(_texts(256, 1)),
        account=draw(st.just("") | st.from_regex(r"[0-9]{12}", fullmatch=True)),
        region=draw(_texts(64)),
        subject=draw(_texts(2048, 1)),
        severity=draw(st.integers(0, 4)),
        summary=draw(_texts(512)),
        resources=tuple(draw(st.lists(_hostile, max_size=4))),
        source_id=draw(_texts(1024)),
        correlation_id=draw(_texts(256)),
        causation_id=draw(_texts(256)),
        body=orjson.dumps(draw(st.dictionaries(_hostile, json_values, max_size=4))),
    )
