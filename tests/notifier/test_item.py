"""What an event is to notifying: its turn, its fingerprint, and the fields that matchers may ask of it."""

from typing import Any

import orjson
import pytest

from consumers.notifier.item import LONGEST, TYPES, Item, Turn, of
from consumers.notifier.notice import Cause
from pipeline.log.port import Position
from schemas.envelope import Envelope
from schemas.registry import REGISTRY
from tests.notifier.examples import (
    ALARM,
    ALERT,
    HEALTH,
    REPORT,
    SECURITYHUB,
    alert,
    deployed,
    event,
    finding,
    report,
    switched_off,
)

HERE = Position("shard-0", 7)


def read(one: Envelope) -> Item:
    item = of(one, HERE)
    assert item is not None
    return item


def with_raw(kind: str, facts: Any, raw: Any) -> Envelope:
    return event(body=orjson.dumps({"kind": kind, "form": "eventbridge", "facts": facts, "raw": raw}))


def said_of_alert(kind: str, **header: Any) -> Envelope:
    return event(type=kind, subject="alert/1", body=orjson.dumps({"alert_id": "1", "revision": 1}), **header)


def test_a_finding_has_the_fields_of_its_header_and_its_kind() -> None:
    item = read(finding("cloudwatch_alarm"))

    assert item.fields == {
        "type": "finding.observed",
        "source": "aws.cloudwatch",
        "kind": "cloudwatch_alarm",
        "severity": "HIGH",
        "account": "123456789012",
        "region": "eu-central-1",
        "subject": "alarm/1",
        "resource": "arn:aws:cloudwatch:eu-central-1:123456789012:alarm:checkout-5xx",
    }
    assert item.cause == Cause(event().id, HERE, 3, "cloudwatch_alarm", item.fields["resource"], resolved=False)
    assert item.at_us == event().time_us


def test_of_a_value_without_end_a_field_has_the_beginning() -> None:
    item = read(finding("cloudwatch_alarm", resources=("x" * 600_000, "other")))

    assert item.fields["resource"] == item.cause.resource == "x" * LONGEST


def test_an_alert_has_its_rule_labels_and_group_and_what_does_not_apply_is_missing() -> None:
    item = read(alert(account="", region=""))

    assert item.fields == {
        "type": "alert.raised",
        "source": "findstream.rules",
        "severity": "HIGH",
        "subject": "alarm/1",
        "rule": "failed-sign-ins",
        "label.team": "platform",
        "group.detail.sourceIPAddress": "192.0.2.1",
    }
    assert item.cause.kind == "alert.raised"
    assert item.cause.resource == ""


def test_other_events_have_their_rule_or_report() -> None:
    assert read(switched_off()).fields["rule"] == "failed-sign-ins"
    assert read(report({**REPORT, "report": "berlin"})).fields["report"] == "berlin"
    assert "report" not in read(report()).fields
    assert "rule" not in read(finding("generic", {"rule_id": "x"})).fields


@pytest.mark.parametrize(
    ("one", "turn"),
    [
        (alert(), Turn.FIRING),
        (said_of_alert("alert.reopened"), Turn.FIRING),
        (said_of_alert("alert.acknowledged"), Turn.ACKNOWLEDGED),
        (said_of_alert("alert.resolved"), Turn.RESOLVED),
        (said_of_alert("alert.withdrawn"), Turn.RESOLVED),
        (finding("cloudwatch_alarm"), Turn.FIRING),
        (finding("cloudwatch_alarm", {**ALARM, "state": "OK"}), Turn.RESOLVED),
        (finding("cloudwatch_alarm", {**ALARM, "state": "INSUFFICIENT_DATA"}), Turn.MOMENT),
        (finding("cloudwatch_alarm", {}), Turn.MOMENT),
        (with_raw("cloudwatch_alarm", ALARM, {"detail": {"operation": "update"}}), Turn.MOMENT),
        (with_raw("cloudwatch_alarm", ALARM, {"detail": {"operation": "delete"}}), Turn.RESOLVED),
        (finding("health"), Turn.FIRING),
        (finding("health", {**HEALTH, "status": "closed"}), Turn.RESOLVED),
        (finding("securityhub"), Turn.FIRING),
        (finding("securityhub", {**SECURITYHUB, "workflow": "NOTIFIED"}), Turn.FIRING),
        (finding("securityhub", {**SECURITYHUB, "workflow": "RESOLVED"}), Turn.RESOLVED),
        (finding("securityhub", {**SECURITYHUB, "workflow": "SUPPRESSED"}), Turn.RESOLVED),
        (with_raw("securityhub", SECURITYHUB, {"RecordState": "ARCHIVED"}), Turn.RESOLVED),
        (with_raw("securityhub", SECURITYHUB, {"detail": {"findings": [{"RecordState": "ARCHIVED"}]}}), Turn.RESOLVED),
        (with_raw("securityhub", SECURITYHUB, {"detail": {"findings": []}, "RecordState": "ACTIVE"}), Turn.FIRING),
        (finding("guardduty"), Turn.MOMENT),
        (finding("agent_logs"), Turn.MOMENT),
        (deployed(), Turn.MOMENT),
        (report(), Turn.MOMENT),
        (switched_off(), Turn.MOMENT),
    ],
)
def test_what_an_event_says(one: Envelope, turn: Turn) -> None:
    item = read(one)

    assert item.turn is turn
    assert item.fingerprint == (one.id if turn is Turn.MOMENT else one.subject)
    assert item.is_lasting is (turn is not Turn.MOMENT)
    assert item.cause.resolved is (turn is Turn.RESOLVED)


def test_alerts_of_a_run_over_history_are_told_only_if_it_was_asked_for() -> None:
    assert of(alert({**ALERT, "notify": False}), HERE) is None
    assert read(alert({**ALERT, "backfilled": True})).turn is Turn.FIRING


@pytest.mark.parametrize(
    "kind", ["notice.sent", "notice.suppressed", "routing.published", "silence.created", "agent.beat", "task.created"]
)
def test_what_is_never_told(kind: str) -> None:
    assert of(event(type=kind), HERE) is None


def test_every_type_that_can_be_told_exists() -> None:
    assert TYPES.keys() - {name for name, _ in REGISTRY} == set()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"no JSON",
        b"[1]",
        b'{"kind": 1, "facts": 2, "raw": 3}',
        b'{"kind": "cloudwatch_alarm", "facts": {"state": 7}, "raw": {"detail": []}}',
        b'{"kind": "securityhub", "facts": null, "raw": {"detail": {"findings": [1]}}}',
        b'{"labels": {"a": 1}, "group": [], "rule_id": 5}',
    ],
)
@pytest.mark.parametrize("kind", ["finding.observed", "alert.raised", "report.issued"])
def test_any_body_is_read(kind: str, body: bytes) -> None:
    assert read(event(type=kind, body=body)).fields["type"] == kind
