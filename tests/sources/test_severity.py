"""One scale for all sources."""

from typing import Any

import pytest

from pipeline.errors import ItemRejected
from pipeline.sources import cloudformation, guardduty, securityhub, severity
from tests.sources import items
from tests.sources.items import read

UNKNOWN, LOW, MEDIUM, HIGH, CRITICAL = range(5)


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        (0, UNKNOWN),
        (1, LOW),
        (4, CRITICAL),
        (5, CRITICAL),
        (2.0, MEDIUM),
        ("3", HIGH),
        ("high", HIGH),
        (" Critical ", CRITICAL),
        ("WARNING", MEDIUM),
        ("informational", LOW),
        (None, UNKNOWN),
    ],
)
def test_custom_sources_state_a_word_or_a_number_to_5(stated: Any, expected: int) -> None:
    assert severity.of_custom(stated, field="severity") == expected


@pytest.mark.parametrize("stated", [6, -1, 2.5, "urgent", "", "10", True, [], {"label": "HIGH"}])
def test_what_a_custom_source_means_by_anything_else_is_not_guessed(stated: Any) -> None:
    with pytest.raises(ItemRejected, match="is no severity") as rejected:
        severity.of_custom(stated, field="detail.severity")

    assert rejected.value.faults[0].field == "detail.severity"


@pytest.mark.parametrize(
    ("score", "expected"),
    [
        (None, UNKNOWN),
        (0, UNKNOWN),
        (-1, UNKNOWN),
        (0.5, LOW),
        (1.0, LOW),
        (3.9, LOW),
        (4, MEDIUM),
        (6.9, MEDIUM),
        (7.0, HIGH),
        (8.9, HIGH),
        (9, CRITICAL),
        (10.0, CRITICAL),
    ],
)
def test_guardduty_scores_are_levels(score: float | None, expected: int) -> None:
    assert guardduty.of_score(score) == expected


@pytest.mark.parametrize(
    ("state", "expected"), [("ALARM", HIGH), ("INSUFFICIENT_DATA", MEDIUM), ("OK", LOW), ("NEW_STATE", UNKNOWN), ("", UNKNOWN)]
)
def test_an_alarm_is_as_bad_as_its_state(state: str, expected: int) -> None:
    assert read(items.alarm(state)).severity == expected


@pytest.mark.parametrize(
    ("category", "expected"),
    [("issue", HIGH), ("investigation", MEDIUM), ("scheduledChange", MEDIUM), ("accountNotification", LOW), ("else", UNKNOWN)],
)
def test_health_is_as_bad_as_its_category(category: str, expected: int) -> None:
    assert read(items.health(eventTypeCategory=category)).severity == expected


def test_a_closed_issue_is_low() -> None:
    assert read(items.health(statusCode="closed")).severity == LOW


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        ("CREATE_FAILED", HIGH),
        ("UPDATE_ROLLBACK_IN_PROGRESS", HIGH),
        ("ROLLBACK_COMPLETE", HIGH),
        ("FAILED", HIGH),
        ("DRIFTED", MEDIUM),
        ("STOPPED", MEDIUM),
        ("UPDATE_COMPLETE", LOW),
        ("CREATE_IN_PROGRESS", LOW),
        ("SUCCEEDED", LOW),
        ("", UNKNOWN),
    ],
)
def test_stacks_that_fail_or_roll_back_are_high(status: str, expected: int) -> None:
    assert cloudformation.of_status(status) == expected


@pytest.mark.parametrize(
    ("stated", "expected"),
    [
        ({"Label": "INFORMATIONAL"}, LOW),
        ({"Label": "LOW"}, LOW),
        ({"Label": "MEDIUM"}, MEDIUM),
        ({"Label": "HIGH", "Normalized": 1}, HIGH),
        ({"Label": "CRITICAL"}, CRITICAL),
        ({"Normalized": 0}, LOW),
        ({"Normalized": 39}, LOW),
        ({"Normalized": 40}, MEDIUM),
        ({"Normalized": 70}, HIGH),
        ({"Normalized": 90}, CRITICAL),
        ({"Normalized": -1}, UNKNOWN),
        ({"Label": "STRANGE"}, UNKNOWN),
        ({}, UNKNOWN),
    ],
)
def test_security_hub_has_labels_and_else_numbers(stated: dict[str, Any], expected: int) -> None:
    assert securityhub.of_severity(stated) == expected


@pytest.mark.parametrize(
    ("detail", "expected"),
    [
        ({"severity": "HIGH"}, HIGH),
        ({"severity": {"description": "Low", "score": 1}}, LOW),
        ({"severity": {"odd": 1}, "state": "FAILED"}, MEDIUM),
        ({"severity": 7.5}, UNKNOWN),
        ({"state": "FAILED"}, MEDIUM),
        ({"status": "TimedOut", "result": "timed_out"}, UNKNOWN),
        ({"status": "TIMED_OUT"}, MEDIUM),
        ({"compliance-status": "non_compliant"}, MEDIUM),
        ({"state": "running"}, UNKNOWN),
    ],
)
def test_other_aws_services_state_words_or_fail(detail: dict[str, Any], expected: int) -> None:
    assert read(items.envelope("aws.glue", "Job State Change", detail)).severity == expected


def test_what_fails_by_its_name_is_medium() -> None:
    assert read(items.envelope("aws.autoscaling", "EC2 Instance Launch Unsuccessful")).severity == MEDIUM


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        ("[FATAL] out of memory", CRITICAL),
        ("2026-03-04 ERROR it broke", HIGH),
        ("Traceback (most recent call last):\n  File", HIGH),
        ("Task timed out after 3.00 seconds", HIGH),
        ("WARN slow", MEDIUM),
        ("level=warning slow", MEDIUM),
        ("INFO ready", LOW),
        ('{"level": "error", "msg": "INFO"}', HIGH),
        ('{"severity": "odd", "msg": "WARN: slow"}', MEDIUM),
        ('{"broken": ERROR', HIGH),
        ("level=banana", UNKNOWN),
        ("START RequestId: 1", UNKNOWN),
        ("no errors here", UNKNOWN),
        ("", UNKNOWN),
    ],
)
def test_a_log_line_is_as_bad_as_its_level(message: str, expected: int) -> None:
    assert read(items.logs(items.log_event(message))).severity == expected


def test_calls_that_were_refused_are_low_and_others_unknown() -> None:
    assert read(items.trail()).severity == UNKNOWN
    assert read(items.trail(errorCode="AccessDenied")).severity == LOW
    assert read(items.trail(eventName="ConsoleLogin", responseElements={"ConsoleLogin": "Failure"})).severity == LOW
