"""The transformed templates deployed to an emulator: each resource, as its own service describes it, is what was asked for."""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from infra.deploy.commands import AGENT as AGENT_STACK
from infra.deploy.commands import Deployment, central_stack
from infra.deploy.stacks import Stacks
from tests.aws.clients import ACCOUNT, Server
from tests.infra import stand_in
from tests.infra.conftest import AGENT
from tests.infra.evaluate import Evaluated

STAGE = {"Stage": "local", "OrgId": "o-aaaaaaaaaa", "AlarmTopicArn": "arn:aws:sns:eu-central-1:123456789012:alarms"}
STACK = central_stack("local")
DROPPED = {
    "AWS::ApiGatewayV2::Stage": {"DefaultRouteSettings", "RouteSettings"},
    "AWS::DynamoDB::Table": {"PointInTimeRecoverySpecification", "SSESpecification", "TimeToLiveSpecification"},
    "AWS::Events::EventBus": {"DeadLetterConfig", "KmsKeyIdentifier", "Policy"},
    "AWS::Kinesis::Stream": {"StreamEncryption"},
    "AWS::Lambda::Function": {"KmsKeyArn", "ReservedConcurrentExecutions"},
    "AWS::S3::Bucket": {"BucketEncryption", "LifecycleConfiguration", "ObjectLockConfiguration", "ObjectLockEnabled"},
}
"""What this emulator drops without a word. The other tests here compare these in the transformed template itself; a test holds
this list to be no longer than it must be."""


@dataclass
class World:
    """One account of the emulator, and what stands in it: ``asked`` and ``names`` by stack."""

    server: Server
    stacks: dict[str, Evaluated]
    physical: dict[str, dict[str, str]]

    def client(self, service: str) -> Any:
        return self.server.client(service, account=ACCOUNT)


@pytest.fixture(scope="module")
def world(ministack: Server, transformed: Path, templates: Mapping[str, Any], tmp_path_factory: pytest.TempPathFactory) -> World:
    formation = ministack.client("cloudformation", account=ACCOUNT)
    packages = stand_in.packages(tmp_path_factory.mktemp("packages"))
    deployment = Deployment(
        Stacks(formation, lambda _: None, 0.1), ministack.client("s3", account=ACCOUNT), transformed, packages, "first"
    )
    deployment.bootstrap({})
    deployment.central("local", {k: v for k, v in STAGE.items() if k != "Stage"})
    deployment.agent({name: AGENT[name] for name in ("CentralBusArn", "OrgId", "AgentVersion")})
    asked, physical = {}, {}
    for stack, template in ((STACK, "central"), (AGENT_STACK, "agent")):
        described = formation.describe_stacks(StackName=stack)["Stacks"][0]
        given = {each["ParameterKey"]: each["ParameterValue"] for each in described["Parameters"]}
        pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack)
        physical[stack] = {r["LogicalResourceId"]: r["PhysicalResourceId"] for p in pages for r in p["StackResourceSummaries"]}
        named = names(physical[stack], templates[template])
        if table := physical[stack].get("Table"):
            described_table = ministack.client("dynamodb", account=ACCOUNT).describe_table(TableName=table)["Table"]
            named["Table.StreamArn"] = described_table["LatestStreamArn"]
        asked[stack] = Evaluated(templates[template], given, named, stack=stack)
    return World(ministack, asked, physical)


ARNS = {
    "AWS::Events::Rule": f"arn:aws:events:eu-central-1:123456789012:rule/{STACK}/{{}}",
    "AWS::DynamoDB::Table": "arn:aws:dynamodb:eu-central-1:123456789012:table/{}",
    "AWS::IAM::Role": "arn:aws:iam::123456789012:role/{}",
    "AWS::KMS::Key": "arn:aws:kms:eu-central-1:123456789012:key/{}",
    "AWS::Kinesis::Stream": "arn:aws:kinesis:eu-central-1:123456789012:stream/{}",
    "AWS::Lambda::Function": "arn:aws:lambda:eu-central-1:123456789012:function:{}",
    "AWS::Logs::LogGroup": "arn:aws:logs:eu-central-1:123456789012:log-group:{}:*",
    "AWS::S3::Bucket": "arn:aws:s3:::{}",
}


def names(physical: Mapping[str, str], template: Mapping[str, Any]) -> dict[str, str]:
    """What ``Ref`` and ``GetAtt`` give, by the words that ``Evaluated`` asks for."""
    known = dict(physical)
    for name, identity in physical.items():
        type_ = template["Resources"][name]["Type"]
        if type_ == "AWS::SQS::Queue":
            known |= {
                f"{name}.QueueName": tail(identity),
                f"{name}.Arn": f"arn:aws:sqs:eu-central-1:123456789012:{tail(identity)}",
            }
        elif type_ == "AWS::SecretsManager::Secret":
            known[f"{name}.Id"] = identity
        elif type_ in ARNS:
            known[f"{name}.Arn"] = ARNS[type_].format(identity)
    return known


def tail(identity: str) -> str:
    return identity.rsplit("/", 1)[-1]


Seen = dict[str, Any]


def function(world: World, name: str) -> Seen:
    functions = world.client("lambda")
    seen = functions.get_function_configuration(FunctionName=name)
    for variable, value in seen.get("Environment", {}).get("Variables", {}).items():
        if variable.endswith("_SECRET"):  # an ARN: the secret's name, and seven characters that the service adds
            seen["Environment"]["Variables"][variable] = value.rpartition(":")[2][:-7]
    reserved = functions.get_function_concurrency(FunctionName=name).get("ReservedConcurrentExecutions")
    return {**seen, "KmsKeyArn": seen.get("KMSKeyArn"), "ReservedConcurrentExecutions": reserved}


def source(world: World, name: str) -> Seen:
    seen = world.client("lambda").get_event_source_mapping(UUID=name)
    return {**seen, "FunctionName": seen["FunctionArn"].rsplit(":", 1)[-1]}


def queue(world: World, url: str) -> Seen:
    seen = world.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return {name: json.loads(value) if value[0] == "{" else value for name, value in seen.items()}


def stream(world: World, name: str) -> Seen:
    kinesis = world.client("kinesis")
    seen = kinesis.describe_stream_summary(StreamName=name)["StreamDescriptionSummary"]
    encryption = {"EncryptionType": seen.get("EncryptionType"), "KeyId": seen.get("KeyId")}
    return {**seen, "ShardCount": seen["OpenShardCount"], "StreamEncryption": encryption}


def table(world: World, name: str) -> Seen:
    dynamodb = world.client("dynamodb")
    seen = dynamodb.describe_table(TableName=name)["Table"]
    recovery = dynamodb.describe_continuous_backups(TableName=name)["ContinuousBackupsDescription"][
        "PointInTimeRecoveryDescription"
    ]
    expiry = dynamodb.describe_time_to_live(TableName=name)["TimeToLiveDescription"]
    return {
        **seen,
        "BillingMode": seen["BillingModeSummary"]["BillingMode"],
        "PointInTimeRecoverySpecification": {"PointInTimeRecoveryEnabled": recovery["PointInTimeRecoveryStatus"] == "ENABLED"},
        "TimeToLiveSpecification": {
            "AttributeName": expiry.get("AttributeName"),
            "Enabled": expiry["TimeToLiveStatus"] == "ENABLED",
        },
    }


def bucket(world: World, name: str) -> Seen:
    s3 = world.client("s3")
    lock = tried(lambda: s3.get_object_lock_configuration(Bucket=name)["ObjectLockConfiguration"])
    return {
        "VersioningConfiguration": {"Status": s3.get_bucket_versioning(Bucket=name)["Status"]},
        "PublicAccessBlockConfiguration": tried(
            lambda: s3.get_public_access_block(Bucket=name)["PublicAccessBlockConfiguration"]
        ),
        "ObjectLockEnabled": lock is not None,
        "ObjectLockConfiguration": lock,
        "OwnershipControls": tried(lambda: s3.get_bucket_ownership_controls(Bucket=name)["OwnershipControls"]),
        "BucketEncryption": tried(lambda: s3.get_bucket_encryption(Bucket=name)["ServerSideEncryptionConfiguration"]),
        "LifecycleConfiguration": tried(lambda: s3.get_bucket_lifecycle_configuration(Bucket=name)["Rules"]),
    }


def tried(ask: Callable[[], Any]) -> Any:
    from botocore.exceptions import ClientError  # noqa: PLC0415  # most tests need no AWS, and its import is slow

    try:
        return ask()
    except ClientError:
        return None


def rule(world: World, name: str) -> Seen:
    events = world.client("events")
    place = {"EventBusName": STACK} if name.startswith(STACK) else {}
    seen = events.describe_rule(Name=tail(name.replace("|", "/")), **place)
    targets = events.list_targets_by_rule(Rule=seen["Name"], **place)["Targets"]
    return {**seen, "EventPattern": json.loads(seen["EventPattern"]), "Targets": targets}


def bus(world: World, name: str) -> Seen:
    seen = world.client("events").describe_event_bus(Name=name)
    return {**seen, "Policy": json.loads(seen.get("Policy", "null"))}


def role(world: World, name: str) -> Seen:
    iam = world.client("iam")
    policies = [
        iam.get_role_policy(RoleName=name, PolicyName=each) for each in iam.list_role_policies(RoleName=name)["PolicyNames"]
    ]
    return {
        "AssumeRolePolicyDocument": iam.get_role(RoleName=name)["Role"]["AssumeRolePolicyDocument"],
        "Policies": [{"PolicyName": each["PolicyName"], "PolicyDocument": each["PolicyDocument"]} for each in policies],
    }


def managed_policy(world: World, arn: str) -> Seen:
    iam = world.client("iam")
    seen = iam.get_policy(PolicyArn=arn)["Policy"]
    version = iam.get_policy_version(PolicyArn=arn, VersionId=seen["DefaultVersionId"])["PolicyVersion"]
    roles = [role["RoleName"] for role in iam.list_entities_for_policy(PolicyArn=arn)["PolicyRoles"]]
    return {**seen, "PolicyDocument": version["Document"], "Roles": sorted(roles)}


def schedule(world: World, name: str) -> Seen:
    return dict(world.client("scheduler").get_schedule(Name=tail(name)))


def log_group(world: World, name: str) -> Seen:
    [seen] = world.client("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    return {"LogGroupName": seen["logGroupName"], "RetentionInDays": seen["retentionInDays"], "KmsKeyId": seen.get("kmsKeyId")}


def alarm(world: World, name: str) -> Seen:
    [seen] = world.client("cloudwatch").describe_alarms(AlarmNames=[name])["MetricAlarms"]
    return dict(seen)


def failures(world: World, name: str) -> Seen:
    function_name, qualifier = name.split(":")
    seen = world.client("lambda").get_function_event_invoke_config(FunctionName=function_name, Qualifier=qualifier)
    return {**seen, "FunctionName": function_name, "Qualifier": qualifier}


def key(world: World, name: str) -> Seen:
    kms = world.client("kms")
    rotation = kms.get_key_rotation_status(KeyId=name)["KeyRotationEnabled"]
    policy = json.loads(kms.get_key_policy(KeyId=name, PolicyName="default")["Policy"])
    return {**kms.describe_key(KeyId=name)["KeyMetadata"], "EnableKeyRotation": rotation, "KeyPolicy": policy}


def alias(world: World, name: str) -> Seen:
    [seen] = [each for each in world.client("kms").list_aliases()["Aliases"] if each["AliasName"] == name]
    return dict(seen)


def secret(world: World, name: str) -> Seen:
    secrets = world.client("secretsmanager")
    seen = dict(secrets.describe_secret(SecretId=name))
    if not (text := secrets.get_secret_value(SecretId=name)["SecretString"]):
        return seen  # made without a value
    [(key, value)] = json.loads(text).items()
    made = {"SecretStringTemplate": "{}", "GenerateStringKey": key, "PasswordLength": len(value)}
    return seen | {"GenerateSecretString": {**made, "ExcludePunctuation": True}}  # which it drops


def queue_policy(world: World, url: str) -> Seen:
    return {"Queues": [url], "PolicyDocument": queue(world, url).get("Policy")}


def bucket_policy(world: World, name: str) -> Seen:
    return {"Bucket": name, "PolicyDocument": json.loads(world.client("s3").get_bucket_policy(Bucket=name)["Policy"])}


def permission(world: World, _: str) -> Seen:
    name = world.physical[STACK]["ApiFunction"]
    [seen] = json.loads(world.client("lambda").get_policy(FunctionName=name)["Policy"])["Statement"]
    return {
        "FunctionName": name,
        "Action": seen["Action"],
        "Principal": seen["Principal"]["Service"],
        "SourceArn": seen["Condition"]["ArnLike"]["AWS:SourceArn"],
    }


def http(part: str) -> Callable[[World, str], Seen]:
    def describe(world: World, name: str) -> Seen:
        gateway, api = world.client("apigatewayv2"), world.physical[STACK]["Api"]
        wanted = tail(name.rsplit("|", 1)[-1])
        seen = {
            "api": lambda: gateway.get_api(ApiId=api),
            "integration": lambda: gateway.get_integration(ApiId=api, IntegrationId=wanted),
            "route": lambda: gateway.get_route(ApiId=api, RouteId=wanted),
            "stage": lambda: gateway.get_stage(ApiId=api, StageName="$default"),
        }[part]()
        return {**seen, "ApiId": api}

    return describe


DESCRIBED: dict[str, Callable[[World, str], Seen]] = {
    "AWS::ApiGatewayV2::Api": http("api"),
    "AWS::ApiGatewayV2::Integration": http("integration"),
    "AWS::ApiGatewayV2::Route": http("route"),
    "AWS::ApiGatewayV2::Stage": http("stage"),
    "AWS::CloudWatch::Alarm": alarm,
    "AWS::DynamoDB::Table": table,
    "AWS::Events::EventBus": bus,
    "AWS::Events::Rule": rule,
    "AWS::IAM::ManagedPolicy": managed_policy,
    "AWS::IAM::Role": role,
    "AWS::KMS::Alias": alias,
    "AWS::KMS::Key": key,
    "AWS::Kinesis::Stream": stream,
    "AWS::Lambda::EventInvokeConfig": failures,
    "AWS::Lambda::EventSourceMapping": source,
    "AWS::Lambda::Function": function,
    "AWS::Lambda::Permission": permission,
    "AWS::Logs::LogGroup": log_group,
    "AWS::S3::Bucket": bucket,
    "AWS::S3::BucketPolicy": lambda world, _: bucket_policy(world, world.physical[STACK]["Bucket"]),
    "AWS::SQS::Queue": queue,
    "AWS::Scheduler::Schedule": schedule,
    "AWS::SecretsManager::Secret": secret,
}


def seen_as(world: World, stack: str, name: str) -> Seen:
    """The resource by its own service, in the words of its template."""
    of_type = world.stacks[stack].type(name)
    if of_type == "AWS::SQS::QueuePolicy":
        return queue_policy(world, world.physical[stack][name.removesuffix("Policy")])
    return DESCRIBED[of_type](world, world.physical[stack][name])


def differing(world: World) -> Iterator[tuple[str, str, str, Any, Any]]:
    """Type, resource, property, what was asked for, what is there; of all that differs."""
    for stack, asked in world.stacks.items():
        for name in asked:
            seen = seen_as(world, stack, name)
            for key, value in asked[name].items():
                if key not in {"Code", "Tags"} and not agree(value, seen.get(key)):
                    yield asked.type(name), name, key, value, seen.get(key)


def agree(asked: Any, seen: Any) -> bool:
    """Whether all that was asked for is there; numbers and truth may be told as text, and there may be more."""
    match asked:
        case dict() if isinstance(seen, dict):
            return all(agree(value, seen.get(key)) for key, value in asked.items())
        case list() if isinstance(seen, list):
            return len(asked) == len(seen) and all(map(agree, asked, seen))
        case _:
            return asked == seen or str(asked).lower() == str(seen).lower()


def test_each_resource_is_as_was_asked_for_but_for_what_the_emulator_drops(world: World) -> None:
    found = [(type_, *rest) for type_, *rest in differing(world) if rest[1] not in DROPPED.get(type_, set())]

    assert found == []


def test_the_list_of_what_it_drops_is_no_longer_than_it_must_be(world: World) -> None:
    dropped: dict[str, set[str]] = {}
    for type_, _, key, *_ in differing(world):
        dropped.setdefault(type_, set()).add(key)

    assert {type_: keys & dropped.get(type_, set()) for type_, keys in DROPPED.items()} == DROPPED


SOURCES = {
    "aws.cloudwatch": "AlarmRule",
    "aws.guardduty": "GuardDutyRule",
    "aws.health": "HealthRule",
    "aws.healthlake": "OtherRule",
    "aws.cloudformation": "CloudFormationRule",
    "aws.securityhub": "SecurityHubRule",
    "aws.backup": "OtherRule",
    "monitoring.agent": "OtherRule",
    "shop.checkout": "OtherRule",
}


@pytest.mark.parametrize("from_", SOURCES)
def test_each_event_on_the_bus_matches_exactly_one_rule(world: World, from_: str) -> None:
    event = {
        "id": "1",
        "source": from_,
        "detail-type": "x",
        "account": ACCOUNT,
        "region": "eu-central-1",
        "time": "2026-01-01T00:00:00Z",
    }
    rules = world.stacks[STACK].of("AWS::Events::Rule")

    assert {name for name, each in rules.items() if matches(world, each["EventPattern"], event)} == {SOURCES[from_]}


FORWARDED = {
    ("aws.cloudwatch", "CloudWatch Alarm State Change"): {"AlarmRule"},
    ("aws.cloudwatch", "CloudWatch Alarm Configuration Change"): set(),
    ("aws.guardduty", "GuardDuty Finding"): {"GuardDutyRule"},
    ("aws.health", "AWS Health Event"): {"HealthRule"},
    ("aws.cloudformation", "CloudFormation Stack Status Change"): {"CloudFormationRule"},
    ("aws.cloudformation", "AWS API Call via CloudTrail"): set(),
    ("aws.securityhub", "Security Hub Findings - Imported"): {"SecurityHubRule"},
    ("monitoring.shop", "Checkout Failed"): {"MonitoringRule"},
    ("aws.backup", "Backup Job State Change"): {"OtherRule"},
    ("aws.s3", "AWS API Call via CloudTrail"): set(),
}


@pytest.mark.parametrize("event", FORWARDED, ids=" ".join)
def test_a_watched_account_forwards_findings_and_what_it_was_asked_for(
    world: World, templates: Mapping[str, Any], event: tuple[str, str]
) -> None:
    told = {
        "id": "1",
        "source": event[0],
        "detail-type": event[1],
        "account": ACCOUNT,
        "region": "eu-central-1",
        "time": "2026-01-01T00:00:00Z",
    }
    asked = Evaluated(templates["agent"], AGENT | {"OtherSources": ["aws.backup", "aws.config"]})
    rules = asked.of("AWS::Events::Rule")

    assert {name for name, each in rules.items() if matches(world, each["EventPattern"], told)} == FORWARDED[event]


def matches(world: World, pattern: Mapping[str, Any], event: Mapping[str, Any]) -> bool:
    answer = world.client("events").test_event_pattern(
        EventPattern=json.dumps(pattern), Event=json.dumps({**event, "detail": {}, "resources": []})
    )
    return bool(answer["Result"])
