"""The deploy tool, against an emulator; each test has an account of its own there."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from boto3.session import Session
from botocore.exceptions import ClientError, EndpointConnectionError, NoCredentialsError, NoRegionError, ReadTimeoutError

from infra.deploy.__main__ import parameters, understood
from infra.deploy.artifacts import Artifacts
from infra.deploy.commands import BOOTSTRAP, Deployment
from infra.deploy.errors import (
    AccountUnreachable,
    CallRefused,
    NotBootstrapped,
    NothingBuilt,
    ParameterRejected,
    StackFailed,
    StackStuck,
    StageProtected,
)
from infra.deploy.logs import Logs
from infra.deploy.stacks import Stacks, Template
from localstack import smoke
from tests.aws.clients import REGION, Server
from tests.infra import stand_in
from tests.infra.conftest import ROOT

ACCOUNTS = iter(range(100000000001, 100000000999))


@pytest.fixture
def account() -> str:
    return str(next(ACCOUNTS))


@pytest.fixture
def told() -> list[str]:
    return []


@pytest.fixture
def stacks(ministack: Server, account: str, told: list[str]) -> Stacks:
    return Stacks(ministack.client("cloudformation", account=account), told.append, 0.1)


@pytest.fixture
def deployment(stacks: Stacks, ministack: Server, account: str, transformed: Path, tmp_path: Path) -> Deployment:
    return Deployment(stacks, ministack.client("s3", account=account), transformed, stand_in.packages(tmp_path), "first")


def a_template(resources: dict[str, Any], **parts: Any) -> Template:
    template = {"Resources": resources, **parts}
    return Template({"TemplateBody": json.dumps(template)}, frozenset(parts.get("Parameters", ())))


QUEUE = {"Type": "AWS::SQS::Queue", "Properties": {"DelaySeconds": {"Ref": "Delay"}}}
DELAYED = a_template(
    {"Queue": QUEUE},
    Parameters={"Delay": {"Type": "Number", "Default": 1}, "Other": {"Type": "String", "Default": "a"}},
    Outputs={"Url": {"Value": {"Ref": "Queue"}}},
)
UNMAKEABLE = a_template(
    {"Alarm": {"Type": "AWS::CloudWatch::Alarm", "Properties": {"Metrics": [{"Id": "a"}], "EvaluationPeriods": 1}}}
)


def delay(stacks: Stacks, ministack: Server, account: str) -> str:
    url = stacks.outputs("ours")["Url"]
    answer = ministack.client("sqs", account=account).get_queue_attributes(QueueUrl=url, AttributeNames=["DelaySeconds"])
    return str(answer["Attributes"]["DelaySeconds"])


def test_a_stack_is_made_with_the_templates_defaults_then_changed(
    stacks: Stacks, told: list[str], ministack: Server, account: str
) -> None:
    stacks.deploy("ours", DELAYED, {}, change="a")
    before = delay(stacks, ministack, account)
    stacks.deploy("ours", DELAYED, {"Delay": "7"}, change="b")

    assert (before, delay(stacks, ministack, account)) == ("1", "7")
    assert [line.split()[:2] for line in told] == [["Add", "Queue"], ["Modify", "Queue"]]


def test_a_parameter_that_is_not_given_stays_as_it_is(stacks: Stacks, ministack: Server, account: str) -> None:
    stacks.deploy("ours", DELAYED, {"Delay": "7"}, change="a")
    stacks.deploy("ours", DELAYED, {"Other": "b"}, change="b")

    assert delay(stacks, ministack, account) == "7"


def test_deploying_again_changes_nothing(stacks: Stacks, told: list[str]) -> None:
    first = stacks.deploy("ours", DELAYED, {}, change="a")
    again = stacks.deploy("ours", DELAYED, {}, change="b")

    assert again == first
    assert told[-1] == "ours: nothing to change"


def test_a_parameter_that_the_template_does_not_know_is_refused(stacks: Stacks) -> None:
    with pytest.raises(ParameterRejected, match=r"unknown: Typo\. Known: Delay, Other"):
        stacks.deploy("ours", DELAYED, {"Typo": "1"}, change="a")


def test_a_failure_names_the_resource_and_the_reason_and_then_is_in_the_way(stacks: Stacks) -> None:
    with pytest.raises(StackFailed, match=r"Alarm: .*metric math"):
        stacks.deploy("ours", UNMAKEABLE, {}, change="a")
    with pytest.raises(StackStuck, match="ROLLBACK_COMPLETE"):
        stacks.deploy("ours", UNMAKEABLE, {}, change="b")


def test_a_stack_is_deleted_and_what_stays_is_told(stacks: Stacks) -> None:
    kept = {**QUEUE, "Properties": {}, "DeletionPolicy": "Retain"}
    stacks.deploy("ours", a_template({"Kept": kept, "Gone": {"Type": "AWS::SQS::Queue"}}), {}, change="a")

    left = stacks.delete("ours")

    assert [line.split()[0] for line in left] == ["AWS::SQS::Queue"]
    assert "Kept" in left[0]
    assert stacks.outputs("ours") == {}


def test_deleting_a_stack_that_is_not_there_is_no_error(stacks: Stacks, told: list[str]) -> None:
    assert stacks.delete("ours") == []
    assert told == ["ours: there is none"]


def test_nothing_is_deployed_before_there_is_a_bucket(deployment: Deployment) -> None:
    with pytest.raises(NotBootstrapped, match=BOOTSTRAP):
        deployment.central("dev", {})


def test_bootstrap_takes_of_all_parameters_its_own(deployment: Deployment) -> None:
    outputs = deployment.bootstrap({"OrgId": "o-aaaaaaaaaa", "RetentionHours": "24"})

    assert outputs["BucketName"].startswith(BOOTSTRAP)


def test_the_central_stack_is_deployed_with_its_code_and_destroyed_but_for_its_data(deployment: Deployment) -> None:
    deployment.bootstrap({})
    outputs = deployment.central("local", {"RetentionHours": "24"})
    left = {line.split()[0] for line in deployment.destroy("local", really_prod=False)}

    assert {"BusArn", "QueueUrl", "ApiUrl", "ApiFunctionName"} <= outputs.keys()
    assert {"AWS::DynamoDB::Table", "AWS::Kinesis::Stream", "AWS::KMS::Key", "AWS::S3::Bucket"} <= left


def test_production_without_an_alarms_topic_is_refused(deployment: Deployment) -> None:
    deployment.bootstrap({})

    with pytest.raises(ClientError, match="An alarm that nobody hears is none"):
        deployment.central("prod", {})


def test_production_is_destroyed_only_if_it_is_named_twice(deployment: Deployment) -> None:
    with pytest.raises(StageProtected):
        deployment.destroy("prod", really_prod=False)

    assert deployment.destroy("prod", really_prod=True) == []


def test_for_a_stack_set_code_and_template_are_put_where_it_finds_them(
    deployment: Deployment, ministack: Server, account: str
) -> None:
    deployment.bootstrap({})
    told = deployment.agent_for_stack_sets()
    keys = [
        each["Key"] for each in ministack.client("s3", account=account).list_objects_v2(Bucket=told["CodeBucket"])["Contents"]
    ]

    assert told["CodeKey"] in keys
    assert told["CodeKey"].startswith("agent/")
    assert any(told["TemplateURL"].endswith(key) for key in keys if key.startswith("templates/"))


def test_a_file_is_put_once(ministack: Server, account: str, tmp_path: Path) -> None:
    s3 = ministack.client("s3", account=account)
    s3.create_bucket(Bucket="code", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    (tmp_path / "a.zip").write_bytes(b"one")
    artifacts = Artifacts(s3, "code")

    key = artifacts.put(tmp_path / "a.zip", "central")
    first = s3.head_object(Bucket="code", Key=key)["LastModified"]
    again = artifacts.put(tmp_path / "a.zip", "central")

    assert (again, s3.head_object(Bucket="code", Key=key)["LastModified"]) == (key, first)


def test_a_bucket_that_may_not_be_read_is_not_taken_for_empty(tmp_path: Path) -> None:
    class Forbidden:
        def head_object(self, **_: str) -> None:
            raise ClientError({"Error": {"Code": "403"}, "ResponseMetadata": {"HTTPStatusCode": 403}}, "HeadObject")  # type: ignore[typeddict-item]

    (tmp_path / "a.zip").write_bytes(b"one")

    with pytest.raises(ClientError, match="403"):
        Artifacts(Forbidden(), "code").put(tmp_path / "a.zip", "central")  # type: ignore[arg-type]


def test_what_was_not_built_is_named(deployment: Deployment) -> None:
    deployment.bootstrap({})
    (deployment.packages / "central.zip").unlink()

    with pytest.raises(NothingBuilt, match=r"central\.zip"):
        deployment.central("dev", {})


@pytest.fixture
def deployed(deployment: Deployment, ministack: Server, account: str) -> smoke.Stack:
    deployment.bootstrap({})
    session = Session(aws_access_key_id=account, aws_secret_access_key="secret", region_name=REGION)
    return smoke.Stack(At(session, ministack.url), deployment.central("local", {}), ministack.url)  # type: ignore[arg-type]


class At:
    """A session whose clients talk to an emulator."""

    def __init__(self, session: Session, url: str) -> None:
        self._session, self._url = session, url
        self.region_name, self.get_credentials = session.region_name, session.get_credentials

    def client(self, service: Any) -> Any:
        return self._session.client(service, endpoint_url=self._url)


@pytest.mark.parametrize("by", ["bus", "queue"])
def test_the_smoke_test_passes_once_the_api_answers(deployed: smoke.Stack, capsys: pytest.CaptureFixture[str], by: str) -> None:
    """By the function: this emulator finds an account's HTTP API by a signature, whose place the token takes."""
    assert smoke.check(deployed, by=by, ask="function", seconds=10) == 0
    assert capsys.readouterr().out.startswith(f"in by the {by}, out by the API, in ")


def test_the_smoke_test_fails_if_the_event_never_comes_out(
    deployed: smoke.Stack, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(smoke.Stack, "by_bus", lambda _: "unknown")

    assert smoke.check(deployed, ask="function", seconds=0) == 1
    assert "the API still says 404 /events/unknown" in capsys.readouterr().err


def test_the_smoke_test_leaves_nobody_behind(deployed: smoke.Stack) -> None:
    with deployed.guest() as guest:
        assert "@" in guest.email
        assert guest.password not in repr(guest)

    items = deployed.session.client("dynamodb").scan(TableName=deployed.outputs["TableName"])["Items"]
    assert [item["pk"]["S"] for item in items if item["pk"]["S"].startswith("people#")] == []


def test_the_smoke_test_fails_if_the_bus_does_not_take_the_event(
    deployed: smoke.Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    nowhere = replace(deployed, session=Refusing(deployed.session))  # type: ignore[arg-type]

    assert smoke.check(nowhere, ask="function") == 1
    assert "ThrottlingException" in capsys.readouterr().err


class Refusing:
    """A session whose bus takes nothing."""

    def __init__(self, session: Any) -> None:
        self._session = session

    def __getattr__(self, name: str) -> Any:
        return getattr(self._session, name)

    def client(self, service: str) -> Any:
        return self if service == "events" else self._session.client(service)

    def put_events(self, **_: Any) -> Any:
        return {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}


def test_the_smoke_command_checks_the_stack_that_is_named(
    deployed: smoke.Stack, account: str, ministack: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": ministack.url,
        "AWS_ACCESS_KEY_ID": account,
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_REGION": REGION,
    }.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setattr("sys.argv", ["smoke", "--by", "queue", "--ask", "function", "--seconds", "10"])
    assert deployed.outputs

    assert smoke.main() == 0
    assert capsys.readouterr().out.startswith("in by the queue, out by the API, in ")


LINES = {"projector": [(3000, "c"), (1000, "a\n")], "notifier": [(2000, "b")]}


@pytest.fixture
def groups(ministack: Server, account: str) -> Any:
    logs = ministack.client("logs", account=account)
    for name, lines in LINES.items():
        logs.create_log_group(logGroupName=f"/findstream/x/{name}")
        logs.create_log_stream(logGroupName=f"/findstream/x/{name}", logStreamName="s")
        events = [{"timestamp": 1_790_000_000_000 + at, "message": message} for at, message in sorted(lines)]
        logs.put_log_events(logGroupName=f"/findstream/x/{name}", logStreamName="s", logEvents=events)
    return logs


def test_lines_of_all_functions_come_in_the_order_of_time_once(groups: Any) -> None:
    logs = Logs(groups, "/findstream/x/")

    assert [line.split()[1:] for line in logs.since(0)] == [["projector", "a"], ["notifier", "b"], ["projector", "c"]]
    assert list(logs.since(0)) == []


def test_one_functions_lines_can_be_asked_for(groups: Any) -> None:
    assert [line.split()[-1] for line in Logs(groups, "/findstream/x/", "notif").since(0)] == ["b"]


def test_lines_can_be_followed(groups: Any) -> None:
    lines = Logs(groups, "/findstream/x/").follow(0, lambda: 1_790_000_000_000, lambda: None)

    assert [next(lines).split()[-1] for _ in range(3)] == ["a", "b", "c"]


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (NoCredentialsError(), "aws sso login"),
        (NoRegionError(), "AWS_REGION"),
        (EndpointConnectionError(endpoint_url="http://nowhere"), "nowhere"),
        (ReadTimeoutError(endpoint_url="http://slow"), "slow"),
        (ClientError({"Error": {"Code": "ExpiredToken", "Message": "old"}}, "DescribeStacks"), "expired"),
    ],
)
def test_an_account_that_cannot_be_reached_is_told_with_what_to_do(error: Any, told: str) -> None:
    understanding = understood(error)

    assert isinstance(understanding, AccountUnreachable)
    assert told in str(understanding)


def test_a_call_that_is_refused_is_told_with_awss_words() -> None:
    refused = understood(ClientError({"Error": {"Code": "AccessDenied", "Message": "no iam:CreateRole"}}, "CreateRole"))

    assert isinstance(refused, CallRefused)
    assert "iam:CreateRole" in str(refused)


def test_parameters_are_words_with_an_equals_sign() -> None:
    assert parameters(["A=1", "B=x=y"]) == {"A": "1", "B": "x=y"}
    with pytest.raises(ParameterRejected, match="C"):
        parameters(["A=1", "C"])


def deploy(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    nowhere = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": "/nowhere", "AWS_SHARED_CREDENTIALS_FILE": "/nowhere"}
    command = [sys.executable, "-m", "infra.deploy", *words]
    return subprocess.run(command, cwd=ROOT, env=clean | nowhere | environment, capture_output=True, text=True, check=False)


def test_without_credentials_the_command_says_how_to_sign_in(transformed: Path) -> None:
    done = deploy("bootstrap", "--templates", str(transformed), AWS_REGION=REGION)

    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("AccountUnreachable: no AWS credentials here: sign in with `aws sso login`")


def test_the_command_deploys_shows_logs_and_destroys(ministack: Server, account: str, transformed: Path, tmp_path: Path) -> None:
    folders = ["--templates", str(transformed), "--packages", str(stand_in.packages(tmp_path)), "--poll-seconds", "0.1"]
    place = {"AWS_ENDPOINT_URL": ministack.url, "AWS_ACCESS_KEY_ID": account, "AWS_SECRET_ACCESS_KEY": "x", "AWS_REGION": REGION}
    bus = f"arn:aws:events:{REGION}:{account}:event-bus/findstream-local"
    told = ["OrgId=o-aaaaaaaaaa", "AgentVersion=1", f"CentralBusArn={bus}"]

    runs = [
        deploy("bootstrap", *folders, **place),
        deploy("deploy", "--stage", "local", *folders, "RetentionHours=24", **place),
        deploy("agent", *folders, *told, **place),
        deploy("agent", "--for-stack-sets", *folders, **place),
        deploy("logs", "--stage", "local", **place),
        deploy("destroy", "--stage", "local", *folders, **place),
    ]

    assert [(run.returncode, run.stderr) for run in runs] == [(0, "")] * 6
    assert bus in runs[1].stdout
    assert "Left behind on purpose" in runs[-1].stdout
