"""Data is encrypted, kept, and reached by TLS only; logs end some day."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.infra.conftest import PROD
from tests.infra.evaluate import ACCOUNT, Evaluated

KEY = "Key.Arn"
ENCRYPTED: Mapping[str, Callable[[Mapping[str, Any]], bool]] = {
    "AWS::Kinesis::Stream": lambda p: p["StreamEncryption"] == {"EncryptionType": "KMS", "KeyId": KEY},
    "AWS::DynamoDB::Table": lambda p: p["SSESpecification"] == {"SSEEnabled": True, "SSEType": "KMS", "KMSMasterKeyId": KEY},
    "AWS::S3::Bucket": lambda p: (
        [rule["ServerSideEncryptionByDefault"] for rule in p["BucketEncryption"]["ServerSideEncryptionConfiguration"]]
        == [{"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}]
    ),
    "AWS::SQS::Queue": lambda p: p["KmsMasterKeyId"] == KEY,
    "AWS::Logs::LogGroup": lambda p: p["KmsKeyId"] == KEY,
    "AWS::Events::EventBus": lambda p: p["KmsKeyIdentifier"] == KEY,
    "AWS::SecretsManager::Secret": lambda p: p["KmsKeyId"] == KEY,
    "AWS::Lambda::Function": lambda p: p["KmsKeyArn"] == KEY,
}
"""What holds data, and how its encryption with our key is asked for."""
HOLDS_NO_DATA = {
    "AWS::ApiGatewayV2::Api", "AWS::ApiGatewayV2::Integration", "AWS::ApiGatewayV2::Route", "AWS::ApiGatewayV2::Stage",
    "AWS::CloudWatch::Alarm", "AWS::Events::Rule", "AWS::IAM::ManagedPolicy", "AWS::IAM::Role", "AWS::KMS::Alias",
    "AWS::KMS::Key", "AWS::Lambda::EventInvokeConfig", "AWS::Lambda::EventSourceMapping", "AWS::Lambda::Permission",
    "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy", "AWS::Scheduler::Schedule",
}  # fmt: skip


def test_whatever_holds_data_is_encrypted_with_the_key(prod: Evaluated) -> None:
    holding = {name: prod.type(name) for name in prod if prod.type(name) not in HOLDS_NO_DATA}

    assert set(holding.values()) == set(ENCRYPTED)
    assert [name for name, type_ in holding.items() if not ENCRYPTED[type_](prod[name])] == []


def test_the_key_turns_and_serves_this_accounts_resources_only(prod: Evaluated) -> None:
    services = [each for each in prod["Key"]["KeyPolicy"]["Statement"] if "Service" in each["Principal"]]

    assert prod["Key"]["EnableKeyRotation"] is True
    assert [each["Condition"] for each in services] == [
        {"ArnLike": {"kms:EncryptionContext:aws:logs:arn": f"arn:aws:logs:eu-central-1:{ACCOUNT}:log-group:/findstream/stack/*"}},
        {"StringEquals": {"aws:SourceAccount": ACCOUNT}},
    ]


@pytest.mark.parametrize(("stage", "days"), [("local", 1), ("dev", 14), ("prod", 90)])
def test_logs_end_after_the_days_of_the_stage(templates: Mapping[str, Any], stage: str, days: int) -> None:
    groups = Evaluated(templates["central"], PROD | {"Stage": stage}).of("AWS::Logs::LogGroup")

    assert {group["RetentionInDays"] for group in groups.values()} == {days}


def test_an_agents_logs_end_and_its_queue_is_encrypted(agent: Evaluated) -> None:
    assert [group["RetentionInDays"] for group in agent.of("AWS::Logs::LogGroup").values()] == [14]
    assert [queue["SqsManagedSseEnabled"] for queue in agent.of("AWS::SQS::Queue").values()] == [True]


@pytest.mark.parametrize(
    "name", ["Key", "Stream", "Table", "Bucket", "IngestQueue", "IngestDeadLetterQueue", "EventDeadLetterQueue"]
)
def test_what_holds_data_outlives_its_stack(templates: Mapping[str, Any], name: str) -> None:
    resource = templates["central"]["Resources"][name]

    assert (resource["DeletionPolicy"], resource["UpdateReplacePolicy"]) == ("RetainExceptOnCreate", "Retain")


@pytest.mark.parametrize(("stage", "protected"), [("local", False), ("dev", False), ("prod", True)])
def test_the_table_of_production_cannot_be_deleted(templates: Mapping[str, Any], stage: str, protected: bool) -> None:  # noqa: FBT001
    assert Evaluated(templates["central"], PROD | {"Stage": stage})["Table"]["DeletionProtectionEnabled"] is protected


def test_the_table_is_as_the_store_expects(prod: Evaluated) -> None:
    table = prod["Table"]

    assert [(key["AttributeName"], key["KeyType"]) for key in table["KeySchema"]] == [("pk", "HASH"), ("sk", "RANGE")]
    assert {each["AttributeType"] for each in table["AttributeDefinitions"]} == {"S"}
    assert table["TimeToLiveSpecification"] == {"AttributeName": "expires", "Enabled": True}
    assert table["PointInTimeRecoverySpecification"] == {"PointInTimeRecoveryEnabled": True}
    assert (table["BillingMode"], "GlobalSecondaryIndexes" in table) == ("PAY_PER_REQUEST", False)


def test_the_bucket_keeps_versions_under_lock(prod: Evaluated) -> None:
    bucket = prod["Bucket"]

    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    assert bucket["ObjectLockEnabled"] is True
    assert bucket["ObjectLockConfiguration"]["Rule"] == {"DefaultRetention": {"Mode": "GOVERNANCE", "Days": 30}}


def test_bodies_leave_with_the_index_and_the_archive_never(templates: Mapping[str, Any]) -> None:
    rules = Evaluated(templates["central"], PROD | {"RetentionDays": "45"})["Bucket"]["LifecycleConfiguration"]["Rules"]

    assert {rule.get("Prefix"): rule.get("ExpirationInDays") for rule in rules} == {"bodies/": "45", "archive/": None, None: None}


@pytest.mark.parametrize(("template", "bucket"), [("central", "Bucket"), ("bootstrap", "Artifacts")])
def test_no_bucket_is_public(templates: Mapping[str, Any], template: str, bucket: str) -> None:
    blocked = Evaluated(templates[template])[bucket]["PublicAccessBlockConfiguration"]

    assert blocked == dict.fromkeys(("BlockPublicAcls", "BlockPublicPolicy", "IgnorePublicAcls", "RestrictPublicBuckets"), True)


def refusing(properties: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [each for each in properties["PolicyDocument"]["Statement"] if each["Effect"] == "Deny"]


@pytest.mark.parametrize("template", ["central", "agent", "bootstrap"])
def test_queues_and_buckets_are_reached_by_tls_only(templates: Mapping[str, Any], template: str) -> None:
    asked = Evaluated(templates[template], {"OtherSources": ""})
    policies = [*asked.of("AWS::SQS::QueuePolicy").values(), *asked.of("AWS::S3::BucketPolicy").values()]
    meant = [name for policy in policies for name in policy.get("Queues", [policy.get("Bucket")])]

    assert set(meant) == {f"Ref {name}" for name in asked.of("AWS::SQS::Queue", "AWS::S3::Bucket")}
    for policy in policies:
        [refusal] = refusing(policy)
        assert refusal["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
        assert refusal["Principal"] == "*"


def test_a_delivery_that_fails_for_good_leaves_a_dead_letter(prod: Evaluated, agent: Evaluated) -> None:
    assert prod["IngestQueue"]["RedrivePolicy"] == {"deadLetterTargetArn": "IngestDeadLetterQueue.Arn", "maxReceiveCount": 200}
    assert prod["Bus"]["DeadLetterConfig"] == {"Arn": "EventDeadLetterQueue.Arn"}
    for asked, queue in ((prod, "EventDeadLetterQueue.Arn"), (agent, "DeadLetterQueue.Arn")):
        targets = [target for rule in asked.of("AWS::Events::Rule").values() for target in rule["Targets"]]
        assert {target["DeadLetterConfig"]["Arn"] for target in targets} == {queue}
        assert {target["RetryPolicy"]["MaximumEventAgeInSeconds"] for target in targets} == {86400}


def test_what_waits_in_a_queue_waits_for_a_fortnight(prod: Evaluated, agent: Evaluated) -> None:
    queues = [*prod.of("AWS::SQS::Queue").values(), *agent.of("AWS::SQS::Queue").values()]

    assert {queue["MessageRetentionPeriod"] for queue in queues} == {14 * 24 * 3600}
