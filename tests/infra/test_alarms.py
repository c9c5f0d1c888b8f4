"""What rings, and when."""

from collections.abc import Mapping
from typing import Any

import pytest

from tests.infra.conftest import PROD, TOPIC
from tests.infra.evaluate import Evaluated

ALARM = "AWS::CloudWatch::Alarm"


def watching(asked: Evaluated, metric: str) -> dict[str, dict[str, Any]]:
    """The alarms on ``metric``, by what they watch."""
    found = [each for each in asked.of(ALARM).values() if each.get("MetricName") == metric]
    return {each["Dimensions"][0]["Value"]: each for each in found}


@pytest.mark.parametrize("hours", [24, 72, 168, 720, 8760])
def test_a_reader_that_is_behind_by_half_of_what_the_stream_keeps_rings(templates: Mapping[str, Any], hours: int) -> None:
    asked = Evaluated(templates["central"], PROD | {"RetentionHours": str(hours)})

    assert asked["Stream"]["RetentionPeriodHours"] == hours
    readers = ("Ref ProjectorFunction", "Ref RulesFunction", "Ref NotifierFunction", "Ref RepublisherFunction")
    assert {name: each["Threshold"] for name, each in watching(asked, "IteratorAge").items()} == {
        **dict.fromkeys(readers, hours * 3_600_000 / 2),
        "Ref RelayFunction": 3_600_000,
    }


def test_every_dead_letter_rings(prod: Evaluated) -> None:
    alarms = watching(prod, "ApproximateNumberOfMessagesVisible")

    assert set(alarms) == {f"{name}.QueueName" for name in prod.of("AWS::SQS::Queue") if "DeadLetter" in name}
    assert {each["Threshold"] for each in alarms.values()} == {1}


def test_every_functions_errors_ring_and_throttles_but_for_those_that_are_one_on_purpose(prod: Evaluated) -> None:
    functions = {f"Ref {name}" for name in prod.of("AWS::Lambda::Function")}
    parts = [each["MetricStat"]["Metric"] for each in prod["FunctionThrottlesAlarm"]["Metrics"] if "MetricStat" in each]

    assert set(watching(prod, "Errors")) == functions
    assert {part["Dimensions"][0]["Value"] for part in parts if part["MetricName"] == "Throttles"} == functions - {
        "Ref NotifierFunction",
        "Ref RelayFunction",
        "Ref JobsFunction",
    }


@pytest.mark.parametrize(
    ("metric", "watched"),
    [
        ("ApproximateAgeOfOldestMessage", "IngestQueue.QueueName"),
        ("WriteProvisionedThroughputExceeded", "Ref Stream"),
        ("ReadProvisionedThroughputExceeded", "Ref Stream"),
        ("WriteThrottleEvents", "Ref Table"),
        ("ReadThrottleEvents", "Ref Table"),
        ("5xx", "Ref Api"),
        ("parked", "stack-projector stack-rules"),
        ("stopped", "stack-projector stack-rules"),
        ("dead_letters", "stack-notifier"),
        ("Invocations", "Ref ProjectorFunction"),
    ],
)
def test_it_rings_too(prod: Evaluated, metric: str, watched: str) -> None:
    alone = [watched] if watched.startswith("Ref") else watched.split()
    assert list(watching(prod, metric)) == alone


def test_parked_events_are_counted_under_the_projectors_own_name(prod: Evaluated) -> None:
    environment = prod["ProjectorFunction"]["Environment"]["Variables"]

    assert environment["POWERTOOLS_SERVICE_NAME"] == "stack-projector"
    assert environment["POWERTOOLS_METRICS_NAMESPACE"] == prod["ParkedAlarm"]["Namespace"]


def test_alarms_go_to_the_topic(prod: Evaluated) -> None:
    assert {tuple(each["AlarmActions"]) for each in prod.of(ALARM).values()} == {(TOPIC,)}


def test_without_a_topic_they_ring_unheard_which_production_refuses(templates: Mapping[str, Any]) -> None:
    asked = Evaluated(templates["central"])
    rule = templates["central"]["Rules"]["ProductionIsWatched"]

    assert [name for name, each in asked.of(ALARM).items() if "AlarmActions" in each] == []
    assert asked.value(rule["Assertions"][0]["Assert"]) is False
    assert Evaluated(templates["central"], PROD).value(rule["RuleCondition"]) is True


def test_only_a_stopped_projector_rings_by_silence_and_only_in_production(templates: Mapping[str, Any], prod: Evaluated) -> None:
    silent = [name for name, each in prod.of(ALARM).items() if each["TreatMissingData"] == "breaching"]

    assert silent == ["ProjectorIdleAlarm"]
    assert "ProjectorIdleAlarm" not in Evaluated(templates["central"])


def test_every_alarm_says_what_it_means(prod: Evaluated) -> None:
    assert [name for name, each in prod.of(ALARM).items() if len(each["AlarmDescription"]) < 20] == []
