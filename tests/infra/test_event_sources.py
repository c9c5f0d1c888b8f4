"""How records reach functions: in order, without end, discarding nothing."""

from collections.abc import Mapping
from typing import Any

import orjson
import pytest

from pipeline.desks.recorder.dynamodb import COMMITS
from tests.infra.conftest import PROD
from tests.infra.evaluate import Evaluated

STREAMS = {
    "ProjectorFunctionStream": "TRIM_HORIZON",
    "RepublisherFunctionStream": "TRIM_HORIZON",
    "RulesFunctionStream": "TRIM_HORIZON",
    "NotifierFunctionStream": "LATEST",
}
SOURCE = "AWS::Lambda::EventSourceMapping"


def test_the_stream_and_the_queue_have_these_readers(prod: Evaluated) -> None:
    assert {name: each["EventSourceArn"] for name, each in prod.of(SOURCE).items()} == {
        **dict.fromkeys(STREAMS, "Stream.Arn"),
        "IngestFunctionQueue": "IngestQueue.Arn",
        "RelayFunctionCommits": "Table.StreamArn",
        "NotifierFunctionTimer": "NotifierTimerQueue.Arn",
    }


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize(
    ("property_", "value"),
    [
        ("MaximumRetryAttempts", -1),
        ("MaximumRecordAgeInSeconds", -1),
        ("ParallelizationFactor", 1),
        ("BisectBatchOnFunctionError", False),
        ("FunctionResponseTypes", ["ReportBatchItemFailures"]),
    ],
)
def test_a_reader_of_the_stream_retries_without_end_in_order(prod: Evaluated, name: str, property_: str, value: object) -> None:
    assert prod[name][property_] == value


@pytest.mark.parametrize("name", STREAMS)
def test_a_reader_of_the_stream_has_nowhere_to_discard_to(prod: Evaluated, name: str) -> None:
    assert not {"DestinationConfig", "FilterCriteria", "TumblingWindowInSeconds"} & prod[name].keys()


def test_only_the_notifier_begins_with_what_comes_next(prod: Evaluated) -> None:
    assert {name: prod[name]["StartingPosition"] for name in STREAMS} == STREAMS


def test_the_queues_reader_reports_each_message_and_is_bounded(prod: Evaluated) -> None:
    assert prod["IngestFunctionQueue"] == {
        "FunctionName": "Ref IngestFunction",
        "EventSourceArn": "IngestQueue.Arn",
        "BatchSize": 1000,
        "MaximumBatchingWindowInSeconds": 2,
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
        "ScalingConfig": {"MaximumConcurrency": 20},
    }


def test_a_message_stays_hidden_for_six_time_outs_of_its_function(prod: Evaluated) -> None:
    assert prod["IngestQueue"]["VisibilityTimeout"] >= 6 * prod["IngestFunction"]["Timeout"]


def test_windows_are_as_the_operator_says(templates: Mapping[str, Any]) -> None:
    asked = Evaluated(
        templates["central"], PROD | {"ProjectorWindowSeconds": "60", "NotifierWindowSeconds": "0", "RulesWindowSeconds": "3"}
    )

    assert asked["ProjectorFunctionStream"]["MaximumBatchingWindowInSeconds"] == "60"
    assert asked["NotifierFunctionStream"]["MaximumBatchingWindowInSeconds"] == "0"
    assert asked["RulesFunctionStream"]["MaximumBatchingWindowInSeconds"] == "3"


def test_enhanced_fan_out_gives_projector_rules_and_notifier_a_consumer_each(templates: Mapping[str, Any]) -> None:
    asked = Evaluated(templates["central"], PROD | {"EnhancedFanOut": "true"})

    assert {name: asked[name]["EventSourceArn"] for name in STREAMS} == {
        "ProjectorFunctionStream": "Ref ProjectorConsumer",
        "RulesFunctionStream": "Ref RulesConsumer",
        "NotifierFunctionStream": "Ref NotifierConsumer",
        "RepublisherFunctionStream": "Stream.Arn",
    }
    assert {name: each["StreamARN"] for name, each in asked.of("AWS::Kinesis::StreamConsumer").items()} == {
        "ProjectorConsumer": "Stream.Arn",
        "NotifierConsumer": "Stream.Arn",
        "RulesConsumer": "Stream.Arn",
    }


@pytest.mark.parametrize(
    ("stage", "count", "mode", "shards"),
    [
        ("local", "stage", "PROVISIONED", "2"),
        ("dev", "stage", "PROVISIONED", "1"),
        ("prod", "stage", "PROVISIONED", "2"),
        ("prod", "on-demand", "ON_DEMAND", None),
        ("prod", "7", "PROVISIONED", "7"),
    ],
)
def test_the_stream_has_the_shards_of_its_stage_or_those_asked_for(
    templates: Mapping[str, Any], stage: str, count: str, mode: str, shards: str | None
) -> None:
    stream = Evaluated(templates["central"], PROD | {"Stage": stage, "ShardCount": count})["Stream"]

    assert (stream["StreamModeDetails"]["StreamMode"], stream.get("ShardCount")) == (mode, shards)


def test_timed_functions_are_called_when_they_should(prod: Evaluated) -> None:
    timers = {
        name: (each["ScheduleExpression"], each["Target"]["Arn"]) for name, each in prod.of("AWS::Scheduler::Schedule").items()
    }

    assert timers == {
        "ReportSchedule": ("cron(0 * * * ? *)", "ReportFunction.Arn"),
        "SilenceSchedule": ("rate(5 minutes)", "SilenceFunction.Arn"),
        "SweepSchedule": ("rate(1 hour)", "SweepFunction.Arn"),
        "NotifierSchedule": ("rate(1 hour)", "NotifierFunction.Arn"),
        "RelaySchedule": ("rate(1 minute)", "RelayFunction.Arn"),
        "JobsSchedule": ("rate(1 minute)", "JobsFunction.Arn"),
    }
    assert {each["ScheduleExpressionTimezone"] for each in prod.of("AWS::Scheduler::Schedule").values()} == {"UTC"}


@pytest.mark.parametrize("name", ["Report", "Silence", "Sweep", "Redrive"])
def test_a_timed_function_that_fails_for_good_leaves_a_dead_letter(prod: Evaluated, name: str) -> None:
    asynchronous = prod[f"{name}FunctionEventInvokeConfig"]

    assert asynchronous["DestinationConfig"] == {"OnFailure": {"Destination": "TimerDeadLetterQueue.Arn"}}


def test_a_function_that_cannot_be_started_leaves_a_dead_letter(prod: Evaluated) -> None:
    targets = [each["Target"] for each in prod.of("AWS::Scheduler::Schedule").values()]

    assert {target["DeadLetterConfig"]["Arn"] for target in targets} == {"TimerDeadLetterQueue.Arn"}


@pytest.mark.parametrize("name", ["Notifier", "Relay", "Jobs"])
def test_there_is_one_of_a_kind_and_its_timer_does_not_pile_up(prod: Evaluated, name: str) -> None:
    assert prod[f"{name}Function"]["ReservedConcurrentExecutions"] == 1
    assert prod[f"{name}FunctionEventInvokeConfig"]["MaximumRetryAttempts"] == 0
    assert prod[f"{name}Schedule"]["Target"]["RetryPolicy"]["MaximumRetryAttempts"] == 0


def test_the_notifier_is_woken_by_its_own_delayed_messages_until_it_heard_them(prod: Evaluated) -> None:
    source, queue = prod["NotifierFunctionTimer"], prod["NotifierTimerQueue"]

    assert source["EventSourceArn"] == "NotifierTimerQueue.Arn"
    assert prod["NotifierFunction"]["Environment"]["Variables"]["FINDSTREAM_NOTIFIER_TIMER_URL"] == "Ref NotifierTimerQueue"
    assert "RedrivePolicy" not in queue
    assert queue["MessageRetentionPeriod"] == 1_209_600
    assert queue["VisibilityTimeout"] >= 6 * prod["NotifierFunction"]["Timeout"]


def test_the_relay_is_woken_by_commits_of_commands_and_by_no_other_change_of_the_table(prod: Evaluated) -> None:
    source = prod["RelayFunctionCommits"]
    (pattern,) = (orjson.loads(each["Pattern"]) for each in source["FilterCriteria"]["Filters"])

    assert source["EventSourceArn"] == "Table.StreamArn"
    assert pattern == {"dynamodb": {"Keys": {"pk": {"S": [{"prefix": COMMITS}]}}}}
    assert (source["MaximumRetryAttempts"], source["MaximumRecordAgeInSeconds"]) == (-1, -1)
    assert prod["Table"]["StreamSpecification"] == {"StreamViewType": "KEYS_ONLY"}
