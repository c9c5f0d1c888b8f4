"""Events to notify of: one of each kind, and ways to make more."""

from dataclasses import replace
from typing import Any

import orjson

from schemas.envelope import Envelope
from schemas.identity import derived_id

TIME_US = 1_714_635_845_000_000
"""2024-05-02 07:44:05 UTC."""

ALARM = {
    "alarm_name": "checkout-5xx",
    "state": "ALARM",
    "previous_state": "OK",
    "reason": "Threshold Crossed: 3 datapoints were greater than the threshold (5.0).",
    "description": "Page the payments team & open a bridge <now>.",
    "namespace": "AWS/ApplicationELB",
    "metric": "HTTPCode_Target_5XX_Count",
    "threshold": 5.0,
    "comparison": "GreaterThanThreshold",
}
GUARDDUTY = {
    "finding_type": "UnauthorizedAccess:EC2/SSHBruteForce",
    "title": "SSH brute force attack against i-0abc",
    "description": "203.0.113.9 is performing SSH brute force attacks.",
    "score": 8.0,
    "resource_type": "Instance",
    "count": 14,
}
HEALTH = {
    "service": "EC2",
    "event_type_code": "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED",
    "category": "scheduledChange",
    "status": "upcoming",
    "description": "The host is degraded.\nStop and start the instance.",
    "start_time": "Thu, 9 May 2024 04:00:00 GMT",
    "end_time": "",
    "affected": 2,
}
CLOUDFORMATION = {
    "stack_name": "payments-prod",
    "stack_id": "arn:aws:cloudformation:eu-central-1:123456789012:stack/payments-prod/1",
    "status": "UPDATE_ROLLBACK_COMPLETE",
    "status_reason": "The following resource(s) failed to update: [Queue].",
    "resource_type": "AWS::SQS::Queue",
    "logical_id": "Queue",
}
SECURITYHUB = {
    "title": "S3.8 S3 buckets should block public access",
    "description": "This control checks whether public access is blocked.",
    "product": "Security Hub",
    "compliance": "FAILED",
    "workflow": "NEW",
    "severity_label": "HIGH",
    "generator": "aws-foundational-security-best-practices/v/1.0.0/S3.8",
    "remediation_url": "https://docs.aws.amazon.com/console/securityhub/S3.8/remediation",
}
AGENT_LOGS = {
    "log_group": "/aws/lambda/checkout",
    "log_stream": "2024/05/02/[$LATEST]1",
    "message": 'Traceback (most recent call last):\n  File "app.py"\nKeyError: `id`',
    "level": "ERROR",
    "request_id": "6bc28136-xmpl",
}
CLOUDTRAIL = {
    "event_name": "DeleteTrail",
    "event_source": "cloudtrail.amazonaws.com",
    "user": "arn:aws:iam::123456789012:user/eve",
    "source_ip": "198.51.100.7",
    "error_code": "",
    "error_message": "",
}
GENERIC = {"title": "Backup failed", "description": "The vault is locked."}

KINDS: dict[str, dict[str, Any]] = {
    "cloudwatch_alarm": ALARM,
    "guardduty": GUARDDUTY,
    "health": HEALTH,
    "cloudformation": CLOUDFORMATION,
    "securityhub": SECURITYHUB,
    "agent_logs": AGENT_LOGS,
    "cloudtrail": CLOUDTRAIL,
    "generic": GENERIC,
}

REPORT = {
    "date": "2024-05-02",
    "window": {"since_us": 1_714_554_000_000_000, "until_us": 1_714_640_400_000_000},
    "totals": {
        "source": {"aws.cloudwatch": 1200, "aws.guardduty": 3},
        "severity": {"1": 1200, "4": 3},
        "account": {"123456789012": 1000, "210987654321": 203},
    },
    "change": {
        "source": {"aws.cloudwatch": 100, "aws.guardduty": -2, "aws.health": -9},
        "severity": {"1": 90, "4": -1},
        "account": {"123456789012": 89, "210987654321": 0},
    },
    "top_resources": [{"resource": "arn:aws:s3:::logs", "count": 40}, {"resource": "i-0abc", "count": 7}],
    "open_tasks": 4,
}


ALERT = {
    "alert_id": "018f3000-0000-8000-8000-000000000001",
    "rule_id": "failed-sign-ins",
    "rule_version": 3,
    "title": "40 failed sign-ins from 192.0.2.1",
    "labels": {"team": "platform"},
    "group": {"detail.sourceIPAddress": "192.0.2.1"},
    "window": {"since_us": 1_714_633_200_000_000, "until_us": 1_714_636_800_000_000},
    "count": 40,
    "event_ids": ["1714633200-a", "1714633201-b"],
    "last_us": 1_714_634_000_000_000,
    "reached_us": 1_714_634_000_000_000,
    "backfilled": False,
    "run_id": "",
    "notify": True,
}
SWITCHED_OFF = {
    "rule_id": "failed-sign-ins",
    "version": 3,
    "reason": "too_slow",
    "detail": "took 70 ms for a finding, three times",
    "event_id": "1714633200-a",
}


def event(number: int = 1, **header: Any) -> Envelope:
    """The ``number``th event: an alarm of HIGH severity, unless told otherwise."""
    return replace(
        Envelope(
            id=derived_id(TIME_US, "test", str(number)),
            type="finding.observed",
            version=1,
            time_us=TIME_US,
            source="aws.cloudwatch",
            account="123456789012",
            region="eu-central-1",
            subject=f"alarm/{number}",
            severity=3,
            summary=f"checkout-5xx is in ALARM ({number})",
            resources=("arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-5xx",),
            source_id="c4c1c1c9-6542-e61b-6ef0-8c4d36933a92",
            correlation_id="",
            causation_id="",
            body=body("cloudwatch_alarm", ALARM),
        ),
        **header,
    )


def body(kind: Any, facts: Any) -> bytes:
    return orjson.dumps({"kind": kind, "form": "eventbridge", "detail_type": "Some Detail", "facts": facts, "raw": {}})


def finding(kind: str, facts: Any = None, **header: Any) -> Envelope:
    return event(**{"body": body(kind, KINDS[kind] if facts is None else facts), **header})


def report(content: Any = None, **header: Any) -> Envelope:
    given = {"type": "report.issued", "source": "findstream.reports", "severity": 0, "resources": (), "account": "", "region": ""}
    return event(**{**given, "body": orjson.dumps(REPORT if content is None else content), **header})


def deployed(status: str = "failed", **header: Any) -> Envelope:
    given = {
        "type": "agent.deployed",
        "body": orjson.dumps({"status": status, "version": "1.4.0", "reason": "CREATE_FAILED: No room"}),
    }
    return event(**{**given, "summary": f"Agent 1.4.0 in 123456789012 is {status}", **header})


def went_silent(**header: Any) -> Envelope:
    given = {"type": "agent.went_silent", "source": "findstream.agents", "body": orjson.dumps({"last_heartbeat_us": TIME_US})}
    return event(**{**given, "summary": "the agent of 123456789012 is silent", **header})


def alert(content: Any = None, **header: Any) -> Envelope:
    given = {"type": "alert.raised", "source": "findstream.rules", "causation_id": "1714633200-a", "resources": ()}
    told = ALERT if content is None else content
    return event(**{**given, "summary": ALERT["title"], "body": orjson.dumps(told), **header})


def switched_off(content: Any = None, **header: Any) -> Envelope:
    given = {"type": "rule.switched_off", "source": "findstream.rules", "account": "", "region": "", "resources": ()}
    told = SWITCHED_OFF if content is None else content
    return event(**{**given, "summary": "Rule switched off: failed-sign-ins", "body": orjson.dumps(told), **header})
