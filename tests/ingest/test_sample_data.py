"""All sample data, file by file: what each item became, and what a person is told of those that became nothing.

``../shared/data`` beside the checkout holds the samples; where it is absent these tests skip. In the reasons below ``*`` stands
for what the sample says. ``pytest -s`` prints the table.
"""

import re
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import orjson
import pytest

from pipeline.ingest import Ingest
from schemas.registry import REGISTRY
from tests.ingest.in_memory import MemoryLog, MemoryQuarantine

DATA = Path(__file__).parents[3] / "shared" / "data"

pytestmark = pytest.mark.skipif(not DATA.is_dir(), reason="the sample data (../shared/data beside the checkout) is absent")


class Fate(NamedTuple):
    """Read, accepted, duplicate, quarantined; accepted by kind and form; quarantined by reason."""

    read: int
    accepted: int
    duplicate: int
    quarantined: int
    kinds: dict[str, int]
    reasons: dict[str, int] = {}  # noqa: RUF012 - never changed


NO_SOURCE = "source is missing"
NO_ACCOUNT = "account is missing"
NO_TIME = "time is missing: an event needs a time of its own"
NO_DETAIL = "detail is missing"
ACCOUNT = "* is not 12 digits"
NUMBER = "account is the number *: numbers lose leading zeros; send 12 digits as text"
REGION = "* is not an AWS region (such as us-east-1, us-gov-west-1, cn-north-1)"
TIME = "time * is no time (expected for example 2024-02-17T11:53:08Z)"
SOURCE = (
    "source * is not registered: sources begin with aws. or monitoring.; "
    "to register one of your own add it to FINDSTREAM_CUSTOM_SOURCES (comma separated)"
)
SHAPE = (
    "the item has no known shape (its keys: *); known shapes: "
    "eventbridge, cloudevent, cwlogs, cloudtrail, asff, guardduty, health, alarm_lambda, alarm_sns"
)

FATES = {
    "edge/cloudtrail.ndjson": Fate(
        118,
        99,
        0,
        19,
        {"cloudtrail/cloudtrail": 99},
        {f"recipientAccountId {ACCOUNT}": 16, "recipientAccountId is missing": 2, f"userIdentity.accountId {ACCOUNT}": 1},
    ),
    "edge/cwlogs.ndjson": Fate(
        3, 0, 0, 3, {}, {"logEvents is empty": 2, "CloudWatch Logs CONTROL_MESSAGE is a check of the destination, no finding": 1}
    ),
    "edge/envelopes.ndjson": Fate(
        39,
        14,
        0,
        25,
        {"cloudtrail/eventbridge": 2, "generic/eventbridge": 12},
        {
            f"{SOURCE}; {NUMBER}; region {REGION}; {TIME}": 10,
            f"{NO_SOURCE}; {NO_ACCOUNT}; {NO_TIME}": 7,
            f"{NO_ACCOUNT}; {NO_TIME}": 2,
            f"{SOURCE}; account {ACCOUNT}": 2,
            SOURCE: 1,
            f"{SOURCE}; {NO_ACCOUNT}": 1,
            f"account {ACCOUNT}": 1,
            f"{SOURCE}; {NO_ACCOUNT}; {NO_TIME}; {NO_DETAIL}": 1,
        },
    ),
    "edge/guardduty.ndjson": Fate(6, 6, 0, 0, {"guardduty/guardduty": 6}),
    "edge/unparseable.ndjson": Fate(7, 0, 0, 7, {}, {SHAPE: 7}),
    "eventbridge/aws.apigateway.ndjson": Fate(1, 1, 0, 0, {"cloudtrail/eventbridge": 1}),
    "eventbridge/aws.autoscaling.ndjson": Fate(7, 7, 0, 0, {"generic/eventbridge": 7}),
    "eventbridge/aws.cloudformation.ndjson": Fate(4, 4, 0, 0, {"cloudformation/eventbridge": 4}),
    "eventbridge/aws.cloudfront.ndjson": Fate(1, 1, 0, 0, {"cloudtrail/eventbridge": 1}),
    "eventbridge/aws.cloudwatch.ndjson": Fate(7, 7, 0, 0, {"cloudwatch_alarm/eventbridge": 7}),
    "eventbridge/aws.codebuild.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.codecommit.ndjson": Fate(10, 10, 0, 0, {"generic/eventbridge": 10}),
    "eventbridge/aws.codedeploy.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.codepipeline.ndjson": Fate(5, 5, 0, 0, {"generic/eventbridge": 5}),
    "eventbridge/aws.config.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.ec2.ndjson": Fate(8, 8, 0, 0, {"cloudtrail/eventbridge": 2, "generic/eventbridge": 6}),
    "eventbridge/aws.ecr.ndjson": Fate(2, 2, 0, 0, {"generic/eventbridge": 2}),
    "eventbridge/aws.ecs.ndjson": Fate(10, 10, 0, 0, {"generic/eventbridge": 10}),
    "eventbridge/aws.elasticloadbalancing.ndjson": Fate(1, 1, 0, 0, {"cloudtrail/eventbridge": 1}),
    "eventbridge/aws.emr.ndjson": Fate(4, 4, 0, 0, {"generic/eventbridge": 4}),
    "eventbridge/aws.events.ndjson": Fate(2, 2, 0, 0, {"generic/eventbridge": 2}),
    "eventbridge/aws.gamelift.ndjson": Fate(6, 6, 0, 0, {"generic/eventbridge": 6}),
    "eventbridge/aws.glue.ndjson": Fate(11, 11, 0, 0, {"cloudtrail/eventbridge": 2, "generic/eventbridge": 9}),
    "eventbridge/aws.guardduty.ndjson": Fate(4, 4, 0, 0, {"cloudtrail/eventbridge": 1, "guardduty/eventbridge": 3}),
    "eventbridge/aws.health.ndjson": Fate(4, 4, 0, 0, {"health/eventbridge": 4}),
    "eventbridge/aws.kms.ndjson": Fate(2, 2, 0, 0, {"generic/eventbridge": 2}),
    "eventbridge/aws.macie.ndjson": Fate(3, 3, 0, 0, {"generic/eventbridge": 3}),
    "eventbridge/aws.opsworks.ndjson": Fate(3, 3, 0, 0, {"generic/eventbridge": 3}),
    "eventbridge/aws.rds.ndjson": Fate(2, 2, 0, 0, {"cloudtrail/eventbridge": 1, "generic/eventbridge": 1}),
    "eventbridge/aws.s3.ndjson": Fate(6, 6, 0, 0, {"cloudtrail/eventbridge": 3, "generic/eventbridge": 3}),
    "eventbridge/aws.sagemaker.ndjson": Fate(2, 2, 0, 0, {"generic/eventbridge": 2}),
    "eventbridge/aws.securityhub.ndjson": Fate(22, 22, 0, 0, {"securityhub/eventbridge": 22}),
    "eventbridge/aws.sms.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.ssm.ndjson": Fate(15, 15, 0, 0, {"generic/eventbridge": 15}),
    "eventbridge/aws.synthetics.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.tag.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/aws.trustedadvisor.ndjson": Fate(2, 2, 0, 0, {"generic/eventbridge": 2}),
    "eventbridge/aws.unknown.ndjson": Fate(1, 1, 0, 0, {"generic/eventbridge": 1}),
    "eventbridge/custom.ndjson": Fate(1, 0, 0, 1, {}, {SOURCE: 1}),
    "kinesis_lambda/aws-lambda-go__kinesis_event.json": Fate(2, 0, 0, 2, {}, {"Records[n].kinesis.data is no JSON: *": 2}),
    "kinesis_lambda/aws-lambda-go__kinesis_time_window_event.json": Fate(
        1, 0, 0, 1, {}, {"Records[n].kinesis.data is no JSON: *": 1}
    ),
    "kinesis_lambda/aws-lambda-java-libs__kinesis_time_window_event.json": Fate(
        1, 0, 0, 1, {}, {"Records[n].kinesis.data is no JSON: *": 1}
    ),
    "kinesis_lambda/aws-lambda-rust-runtime__example_kinesis_event_encrypted.json": Fate(
        2, 0, 0, 2, {}, {"Records[n].kinesis.data is no JSON: *": 2}
    ),
    "kinesis_lambda/powertools-lambda-python__getting_started_kinesis_event.json": Fate(
        2, 0, 0, 2, {}, {SHAPE: 1, "Records[n].kinesis.data is no JSON: *": 1}
    ),
    "kinesis_lambda/powertools-lambda-python__kinesisStreamCloudWatchLogsEvent.json": Fate(6, 6, 0, 0, {"agent_logs/cwlogs": 6}),
    "kinesis_lambda/powertools-lambda-python__kinesisStreamEvent.json": Fate(
        2, 0, 0, 2, {}, {"Records[n].kinesis.data is no JSON: *": 2}
    ),
    "kinesis_lambda/powertools-lambda-python__kinesisStreamEventOneRecord.json": Fate(1, 0, 0, 1, {}, {SHAPE: 1}),
    "kinesis_lambda/powertools-lambda-python__pydantic_kinesis_event.json": Fate(2, 0, 0, 2, {}, {SHAPE: 2}),
    "raw/cloudtrail_record.ndjson": Fate(
        486, 274, 0, 212, {"cloudtrail/cloudtrail": 274}, {f"awsRegion {REGION}": 210, f"recipientAccountId {ACCOUNT}": 2}
    ),
    "raw/cloudwatch_alarm_lambda_invoke.ndjson": Fate(4, 3, 0, 1, {"cloudwatch_alarm/alarm_lambda": 3}, {TIME: 1}),
    "raw/cloudwatch_alarm_sns_message.ndjson": Fate(
        3, 0, 0, 3, {}, {f"AWSAccountId {ACCOUNT}": 1, f"AlarmArn {REGION}": 1, f"Region {REGION}": 1}
    ),
    "raw/cwlogs_decoded_DERIVED.ndjson": Fate(990, 988, 2, 0, {"agent_logs/cwlogs": 988}),
    "raw/cwlogs_lambda_base64gz.ndjson": Fate(984, 982, 2, 0, {"agent_logs/cwlogs": 982}),
    "raw/cwlogs_subscription.ndjson": Fate(79, 43, 36, 0, {"agent_logs/cwlogs": 43}),
    "raw/firehose_lambda.ndjson": Fate(4, 0, 0, 4, {}, {"records[n].data is no JSON: *": 3, SHAPE: 1}),
    "raw/guardduty_finding.ndjson": Fate(6, 2, 0, 4, {"guardduty/guardduty": 2}, {f"accountId {ACCOUNT}": 4}),
    "raw/health_detail_bare.ndjson": Fate(4, 4, 0, 0, {"health/health": 4}),
    "raw/securityhub_asff.ndjson": Fate(110, 110, 0, 0, {"securityhub/asff": 110}),
    "raw/sns_lambda.ndjson": Fate(
        21,
        2,
        0,
        19,
        {"generic/eventbridge": 1, "guardduty/eventbridge": 1},
        {
            "Records[n].Sns.Message is no JSON: *": 9,
            SHAPE: 3,
            f"AWSAccountId {ACCOUNT}": 3,
            f"AlarmArn {REGION}": 2,
            f"Region {REGION}": 1,
            f"{NO_SOURCE}; {NO_ACCOUNT}; {NO_TIME}": 1,
        },
    ),
    "raw/sqs_lambda.ndjson": Fate(18, 0, 0, 18, {}, {SHAPE: 13, "Records[n].body is no JSON: *": 5}),
}

UNPARSEABLE = [
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected character, expected a JSON value": 1}),
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected control character in string": 1}),
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected character, expected * or *": 1}),
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected character, expected * or *": 1}),
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected end of data": 1}),
    Fate(1, 0, 0, 1, {}, {"the input is no JSON: unexpected character, expected a string key": 1}),
    Fate(2, 2, 0, 0, {"agent_logs/cwlogs": 2}),
]
"""Of the texts in ``edge/unparseable.ndjson``; the last is two documents in a row."""


def fate(raw: bytes, name: str) -> Fate:
    log, quarantine = MemoryLog(), MemoryQuarantine()
    tally = Ingest(log, quarantine, clock=lambda: 0).take(raw, origin=name)
    assert tally.accepted + tally.duplicate + tally.quarantined == tally.read
    for event in log.all:
        REGISTRY.check(event)
    kinds = Counter(f"{event.data['kind']}/{event.data['form']}" for event in log.all)
    reasons: Counter[str] = Counter()
    for item in quarantine.items.values():
        reasons[_general(item.reject.reason)] += item.times
    return Fate(tally.read, tally.accepted, tally.duplicate, tally.quarantined, dict(kinds), dict(reasons))


def _general(reason: str) -> str:
    quotes = re.sub(r"'[^']*'|\"[^\"]*\"", "*", reason)
    return re.sub(r"\[\d+\]", "[n]", re.sub(r"\(its keys: [^)]*\)", "(its keys: *)", quotes))


@pytest.mark.parametrize("name", FATES)
def test_every_item_becomes_a_finding_of_its_kind_or_is_quarantined_with_a_reason(name: str) -> None:
    told = fate((DATA / name).read_bytes(), name)

    print(name, *told[:5])  # noqa: T201 - the table for who asks for it
    assert told == FATES[name]


def test_no_file_of_the_samples_is_left_out() -> None:
    assert {str(path.relative_to(DATA)) for path in DATA.rglob("*json")} == set(FATES)


def test_texts_that_are_no_json_are_kept_each_as_one_item() -> None:
    texts = [orjson.loads(line)["raw"].encode() for line in (DATA / "edge/unparseable.ndjson").read_bytes().splitlines()]

    assert [fate(text, "edge") for text in texts] == UNPARSEABLE


def test_every_item_wrapped_by_sns_and_sqs_has_the_fate_that_it_has_alone() -> None:
    for name, expected in FATES.items():
        if name.startswith("eventbridge/"):
            lines = (DATA / name).read_bytes().splitlines()
            messages = [{"Type": "Notification", "TopicArn": "arn:t", "Message": line.decode()} for line in lines]
            records = [{"eventSource": "aws:sqs", "body": orjson.dumps(message).decode()} for message in messages]

            assert fate(orjson.dumps({"Records": records}), name) == expected


def test_taking_all_samples_twice_accepts_nothing_more() -> None:
    log, quarantine = MemoryLog(), MemoryQuarantine()
    ingest = Ingest(log, quarantine, clock=lambda: 0)
    for name in FATES:
        ingest.take((DATA / name).read_bytes(), origin=name)
    events, held = len(log.all), len(quarantine.items)

    again = [ingest.take((DATA / name).read_bytes(), origin=name) for name in FATES]

    assert sum(tally.accepted for tally in again) == 0
    assert (len(log.all), len(quarantine.items)) == (events, held)
