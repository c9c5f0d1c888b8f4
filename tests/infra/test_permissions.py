"""Who may do what: a role for each function, actions by name, resources by name."""

from collections.abc import Iterator, Mapping
from typing import Any

import pytest

from tests.aws.test_central import SWEEPS
from tests.aws.test_central_rules import REDRIVES
from tests.infra.conftest import AGENT, ORGANISATION
from tests.infra.evaluate import ACCOUNT, REGION, Evaluated

WITHOUT_RESOURCES = {
    "xray:PutTelemetryRecords": "X-Ray knows no resources",
    "xray:PutTraceSegments": "X-Ray knows no resources",
    "lambda:ListFunctions": "a list has no ARN",
    "dynamodb:ListStreams": "a list has no ARN",
    "logs:DescribeLogGroups": "a list has no ARN",
    "logs:GetQueryResults": "a query has no ARN",
    "logs:StopQuery": "a query has no ARN",
}
"""Actions that are allowed on ``*``, as IAM knows no resource for them."""
EVERY_LOG_GROUP = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:*"


def statements(asked: Evaluated, role: str) -> Iterator[tuple[list[str], list[str]]]:
    """The actions and resources of each of the role's statements."""
    for policy in asked[role]["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement["Effect"] == "Allow"
            yield listed(statement["Action"]), listed(statement["Resource"])


def listed(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def allowed(asked: Evaluated, role: str) -> dict[str, set[str]]:
    """The services' actions that the role may call, by resource."""
    grants: dict[str, set[str]] = {}
    for actions, resources in statements(asked, role):
        for resource in resources:
            grants.setdefault(resource, set()).update(actions)
    return grants


@pytest.fixture(params=["central", "agent"])
def asked(request: pytest.FixtureRequest, prod: Evaluated, agent: Evaluated) -> Evaluated:
    return {"central": prod, "agent": agent}[request.param]


def test_each_function_has_a_role_of_its_own(asked: Evaluated) -> None:
    roles = [function["Role"] for function in asked.of("AWS::Lambda::Function").values()]

    assert len(roles) == len(set(roles))
    assert {role.removesuffix(".Arn") for role in roles} <= set(asked.of("AWS::IAM::Role"))


def test_no_role_has_a_wildcard_action_or_a_managed_policy(asked: Evaluated) -> None:
    actions = [action for role in asked.of("AWS::IAM::Role") for actions, _ in statements(asked, role) for action in actions]

    assert [action for action in actions if "*" in action] == []
    assert [role for role, each in asked.of("AWS::IAM::Role").items() if "ManagedPolicyArns" in each] == []


def test_only_actions_that_know_no_resource_are_allowed_on_all(asked: Evaluated) -> None:
    everywhere = {
        a
        for role in asked.of("AWS::IAM::Role")
        for actions, resources in statements(asked, role)
        if "*" in resources
        for a in actions
    }

    assert everywhere <= set(WITHOUT_RESOURCES)


ROLES_OF_OURS = "arn:aws:iam::*:role/findstream-*"
"""In watched accounts: what the API may try to assume."""


def test_no_resource_is_named_loosely_but_bodies_and_what_lies_in_watched_accounts(asked: Evaluated) -> None:
    loose = {r for role in asked.of("AWS::IAM::Role") for _, rs in statements(asked, role) for r in rs if "*" in r and r != "*"}

    assert loose <= {"Bucket.Arn/bodies/*", "Table.Arn/stream/*", EVERY_LOG_GROUP, ROLES_OF_OURS}


def test_each_function_writes_to_its_own_log_only(asked: Evaluated) -> None:
    for name in (name.removesuffix("Function") for name in asked.of("AWS::Lambda::Function")):
        assert {resource for resource, actions in allowed(asked, f"{name}Role").items() if "logs:PutLogEvents" in actions} == {
            f"{name}Log.Arn"
        }
        assert asked[f"{name}Function"]["LoggingConfig"]["LogGroup"] == f"Ref {name}Log"


def holders(asked: Evaluated, action: str) -> set[str]:
    """The roles that may call ``action``, on anything."""
    return {
        role.removesuffix("Role")
        for role in asked.of("AWS::IAM::Role")
        if any(action in actions for actions, _ in statements(asked, role))
    }


@pytest.mark.parametrize(
    ("action", "roles"),
    [
        ("kinesis:GetRecords", {"Republisher", "Projector", "Rules", "Notifier", "Api", "Report", "Silence", "Redrive", "Jobs"}),
        (
            "kinesis:PutRecords",
            {"Ingest", "Republisher", "Rules", "Notifier", "Relay", "Api", "Report", "Silence", "Redrive", "Jobs"},
        ),
        (
            "dynamodb:PutItem",
            {"Ingest", "Republisher", "Projector", "Rules", "Notifier", "Api", "Report", "Silence", "Sweep", "Redrive", "Jobs"},
        ),
        (
            "dynamodb:UpdateItem",
            {"Ingest", "Republisher", "Projector", "Rules", "Notifier", "Relay", "Api", "Report", "Silence", "Redrive", "Jobs"},
        ),
        ("dynamodb:GetRecords", {"Relay"}),
        ("sts:AssumeRole", {"Api"}),
        ("s3:PutObject", {"Projector"}),
        ("s3:GetObject", {"Notifier", "Api"}),
        ("s3:ListBucket", {"Notifier", "Api"}),
        ("secretsmanager:GetSecretValue", {"Notifier", "Api"}),
        ("secretsmanager:PutSecretValue", set()),
        ("sqs:ReceiveMessage", {"Ingest", "Notifier"}),
        ("lambda:InvokeFunction", {"Schedule", "Api"}),
        ("s3:DeleteObject", set()),
        ("dynamodb:Scan", set()),
        ("dynamodb:DeleteTable", set()),
    ],
)
def test_who_may(prod: Evaluated, action: str, roles: set[str]) -> None:
    assert holders(prod, action) == roles


@pytest.mark.parametrize(("name", "secret"), [("Notifier", "SlackWebhookSecret"), ("Api", "SigningKeysSecret")])
def test_a_secret_is_read_by_who_needs_it_only(prod: Evaluated, name: str, secret: str) -> None:
    grants = allowed(prod, f"{name}Role")

    assert [resource for resource, actions in grants.items() if "secretsmanager:GetSecretValue" in actions] == [f"Ref {secret}"]


def test_the_notifiers_timer_is_armed_by_who_changes_what_it_delivers(prod: Evaluated) -> None:
    armed = {
        role for role in prod.of("AWS::IAM::Role") if "sqs:SendMessage" in allowed(prod, role).get("NotifierTimerQueue.Arn", ())
    }

    assert armed == {"NotifierRole", "RedriveRole", "ApiRole"}
    assert allowed(prod, "NotifierRole")["NotifierTimerQueue.Arn"] >= {
        "sqs:ReceiveMessage",
        "sqs:DeleteMessage",
        "sqs:GetQueueAttributes",
    }


def test_the_api_may_invoke_the_notifier_alone_and_read_no_channels_secret(prod: Evaluated) -> None:
    grants = allowed(prod, "ApiRole")

    assert [resource for resource, actions in grants.items() if "lambda:InvokeFunction" in actions] == ["NotifierFunction.Arn"]
    assert grants["NotifierFunction.Arn"] == {"lambda:InvokeFunction"}
    assert {resource for resource, actions in grants.items() if "secretsmanager:GetSecretValue" in actions} == {
        "Ref SigningKeysSecret"
    }


def test_the_secrets_of_channels_and_the_sending_of_mail_are_granted_by_name_and_only_if_asked_for(
    prod: Evaluated, templates: Mapping[str, Any]
) -> None:
    channels = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:channels-AbCdEf"
    mail = "arn:aws:ses:eu-central-1:123456789012:identity/example.com"
    asked = allowed(Evaluated(templates["central"], {"ChannelsSecretArn": channels, "MailIdentityArn": mail}), "NotifierRole")

    assert asked[channels] == {"secretsmanager:GetSecretValue"}
    assert asked[mail] == {"ses:SendEmail", "ses:SendRawEmail"}
    assert holders(prod, "ses:SendEmail") == holders(prod, "ses:SendRawEmail") == set()


@pytest.mark.parametrize("name", ["Projector", "Notifier", "Republisher"])
def test_a_reader_of_the_stream_may_do_what_its_event_source_needs(prod: Evaluated, name: str) -> None:
    """AWS Lambda Developer Guide, "Process Amazon Kinesis Data Streams records with Lambda"."""
    assert allowed(prod, f"{name}Role")["Stream.Arn"] >= {
        "kinesis:DescribeStream",
        "kinesis:DescribeStreamSummary",
        "kinesis:GetRecords",
        "kinesis:GetShardIterator",
        "kinesis:ListShards",
    }


@pytest.mark.parametrize("name", ["Projector", "Notifier"])
def test_with_enhanced_fan_out_a_reader_may_subscribe_to_its_own_consumer(templates: Mapping[str, Any], name: str) -> None:
    asked = Evaluated(templates["central"], {"EnhancedFanOut": "true"})

    assert allowed(asked, f"{name}Role")[f"Ref {name}Consumer"] == {"kinesis:DescribeStreamConsumer", "kinesis:SubscribeToShard"}


def test_only_api_and_relay_come_near_people_and_what_desks_keep(prod: Evaluated) -> None:
    """Amazon DynamoDB Developer Guide, "Using IAM policy conditions for fine-grained access control"."""
    reach = {role for role in prod.of("AWS::IAM::Role") if any(r == "Table.Arn" for _, rs in statements(prod, role) for r in rs)}
    [statement] = prod["PeopleApart"]["PolicyDocument"]["Statement"]

    assert {f"Ref {role}" for role in reach - {"ApiRole", "RelayRole"}} == set(prod["PeopleApart"]["Roles"])
    assert (statement["Effect"], statement["Action"], statement["Resource"]) == ("Deny", "dynamodb:*", "Table.Arn")
    assert statement["Condition"] == {"ForAnyValue:StringLike": {"dynamodb:LeadingKeys": ["people#*", "desk#*"]}}


def test_the_sweep_may_do_what_it_was_seen_to_do(prod: Evaluated) -> None:
    assert allowed(prod, "SweepRole")["Table.Arn"] == {f"dynamodb:{action}" for action in SWEEPS}


def test_redrives_may_do_to_the_stream_what_they_were_seen_to_do(prod: Evaluated) -> None:
    assert allowed(prod, "RedriveRole")["Stream.Arn"] == {f"kinesis:{action}" for action in REDRIVES}


def test_operators_get_what_their_commands_need_on_these_resources_and_no_function_has_it(prod: Evaluated) -> None:
    grants: dict[str, set[str]] = {}
    for statement in prod["OperatorPolicy"]["PolicyDocument"]["Statement"]:
        grants.setdefault(statement["Resource"], set()).update(listed(statement["Action"]))

    secret = "Ref SigningKeysSecret"
    timer = "NotifierTimerQueue.Arn"
    assert set(grants) == {"Key.Arn", "Stream.Arn", "Table.Arn", "Bucket.Arn", "Bucket.Arn/bodies/*", secret, timer}
    assert grants[timer] == {"sqs:SendMessage"}
    assert grants[secret] == {"secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue"}
    redrive = allowed(prod, "RedriveRole")
    assert grants["Table.Arn"] == redrive["Table.Arn"]
    assert grants["Key.Arn"] == redrive["Key.Arn"]
    assert grants["Stream.Arn"] == allowed(prod, "ReportRole")["Stream.Arn"] - {"kinesis:DescribeStream"}
    assert (grants["Bucket.Arn"], grants["Bucket.Arn/bodies/*"]) == ({"s3:ListBucket"}, {"s3:GetObject"})


def test_a_role_is_assumed_by_its_service_only(asked: Evaluated) -> None:
    for role, properties in asked.of("AWS::IAM::Role").items():
        [trust] = properties["AssumeRolePolicyDocument"]["Statement"]
        service = {"ScheduleRole": "scheduler", "ForwardRole": "events"}.get(role, "lambda")

        assert trust["Principal"] == {"Service": f"{service}.amazonaws.com"}
        if service != "lambda":
            assert trust["Condition"] == {"StringEquals": {"aws:SourceAccount": ACCOUNT}}


def test_the_bus_takes_events_of_the_organisation_only(prod: Evaluated) -> None:
    [statement] = prod["Bus"]["Policy"]["Statement"]

    assert (statement["Action"], statement["Condition"]) == (
        "events:PutEvents",
        {"StringEquals": {"aws:PrincipalOrgID": ORGANISATION}},
    )


def test_without_an_organisation_the_bus_is_this_accounts_alone(templates: Mapping[str, Any]) -> None:
    assert "Policy" not in Evaluated(templates["central"])["Bus"]


@pytest.mark.parametrize("role", ["ForwardRole", "CollectorRole"])
def test_an_agent_tells_the_central_bus_of_its_organisation_only(agent: Evaluated, role: str) -> None:
    told = [
        statement
        for policy in agent[role]["Policies"]
        for statement in policy["PolicyDocument"]["Statement"]
        if statement["Action"] == "events:PutEvents"
    ]

    assert [(each["Resource"], each["Condition"]) for each in told] == [
        (AGENT["CentralBusArn"], {"StringEquals": {"aws:ResourceOrgID": ORGANISATION}})
    ]


def test_only_the_organisation_reads_the_agents_code(templates: Mapping[str, Any]) -> None:
    [_, reading] = Evaluated(templates["bootstrap"], {"OrgId": ORGANISATION})["ArtifactsPolicy"]["PolicyDocument"]["Statement"]
    alone = Evaluated(templates["bootstrap"])["ArtifactsPolicy"]["PolicyDocument"]["Statement"]

    assert (reading["Action"], reading["Resource"], reading["Condition"]) == (
        "s3:GetObject",
        "Artifacts.Arn/agent/*",
        {"StringEquals": {"aws:PrincipalOrgID": ORGANISATION}},
    )
    assert [each["Sid"] for each in alone] == ["TlsOnly"]
