"""The functions: their doors, settings, and the routes that reach the API."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from consumers.notifier.channels.remote_trial import ANSWER_SECONDS, CONNECT_SECONDS
from consumers.people.keyring import parsed
from pipeline.settings import Settings
from tests.infra.conftest import PROD, ROOT
from tests.infra.evaluate import Evaluated

DOORS = {
    "IngestFunction": "pipeline.intake.handler",
    "RepublisherFunction": "pipeline.republish.handler",
    "ProjectorFunction": "projections.handler",
    "RulesFunction": "consumers.rules.handler",
    "NotifierFunction": "consumers.notifier.handler",
    "RelayFunction": "pipeline.desks.handler",
    "ApiFunction": "consumers.api.handler",
    "ReportFunction": "consumers.reports.handler",
    "SilenceFunction": "consumers.silence.handler",
    "SweepFunction": "projections.sweep.handler",
    "RedriveFunction": "consumers.redrive.handler",
    "JobsFunction": "consumers.jobs.handler",
}
SPARE_SECONDS = 5
"""What the API's function takes to know who asks, and to answer."""
ON_AWS_ONLY = {"LOG_URL", "STORE_URL", "BODIES_URL", "SLACK_WEBHOOK_SECRET", "BUS_ARN", "AGENT_VERSION", "LOG_GROUPS"}
"""Settings of doors on AWS, beside those that every door has."""


def test_each_function_has_its_door(prod: Evaluated, agent: Evaluated) -> None:
    functions = prod.of("AWS::Lambda::Function")

    assert {name: each["Handler"] for name, each in functions.items()} == {n: f"{door}.handler" for n, door in DOORS.items()}
    assert agent["CollectorFunction"]["Handler"] == "pipeline.collectors.handler.handler"


def test_a_function_is_told_only_settings_that_exist(prod: Evaluated, agent: Evaluated) -> None:
    known = {f"FINDSTREAM_{name}" for name in {name.upper() for name in Settings.model_fields} | ON_AWS_ONLY}
    told = {
        name
        for asked in (prod, agent)
        for function in asked.of("AWS::Lambda::Function").values()
        for name in function["Environment"]["Variables"]
        if name.startswith("FINDSTREAM_")
    }

    assert told <= known


@pytest.mark.parametrize(
    ("function", "settings"),
    [
        ("IngestFunction", {"COMPRESS_BODIES"}),
        ("RepublisherFunction", {"COMPRESS_BODIES"}),
        ("ProjectorFunction", {"BODIES_URL"}),
        ("RulesFunction", set()),
        ("NotifierFunction", {"BODIES_URL", "CONSOLE_URL", "NOTIFIER_TIMER_URL"}),
        ("RelayFunction", set()),
        ("ApiFunction", {"BODIES_URL", "SIGNING_KEYS_SECRET", "NOTIFIER_TIMER_URL", "NOTIFIER_FUNCTION"}),
        ("ReportFunction", set()),
        ("SilenceFunction", set()),
        ("SweepFunction", set()),
        ("RedriveFunction", {"NOTIFIER_TIMER_URL"}),
        ("JobsFunction", set()),
    ],
)
def test_a_door_gets_its_settings(prod: Evaluated, function: str, settings: set[str]) -> None:
    variables = prod[function]["Environment"]["Variables"]

    assert {name.removeprefix("FINDSTREAM_") for name in variables if name.startswith("FINDSTREAM_")} == {
        "LOG_URL",
        "STORE_URL",
        "LOG_LEVEL",
        "RETENTION_DAYS",
        *settings,
    }
    assert (variables["FINDSTREAM_LOG_URL"], variables["FINDSTREAM_STORE_URL"]) == (
        "kinesis://Ref Stream",
        "dynamodb://Ref Table",
    )


def test_the_notifier_reads_the_webhook_once_there_is_one(templates: Mapping[str, Any]) -> None:
    asked = Evaluated(templates["central"], PROD | {"SlackWebhookIsSet": "true"})

    assert ("FINDSTREAM_SLACK_WEBHOOK_SECRET", "SlackWebhookSecret.Id") in asked["NotifierFunction"]["Environment"][
        "Variables"
    ].items()


def test_the_notifier_reads_the_channels_file_where_it_is_said_to_be(templates: Mapping[str, Any]) -> None:
    arn = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:findstream-prod-channels-file-AbCdEf"
    asked = Evaluated(templates["central"], PROD | {"ChannelsSecretArn": arn})

    assert ("FINDSTREAM_CHANNELS_SECRET", arn) in asked["NotifierFunction"]["Environment"]["Variables"].items()


def test_links_lead_to_the_api_unless_told_otherwise(prod: Evaluated) -> None:
    told = prod["NotifierFunction"]["Environment"]["Variables"]["FINDSTREAM_CONSOLE_URL"]

    assert told == "https://Ref Api.execute-api.eu-central-1.amazonaws.com"


def test_the_gateway_hands_every_path_to_the_function(prod: Evaluated) -> None:
    routes = prod.of("AWS::ApiGatewayV2::Route").values()

    assert {route["RouteKey"] for route in routes} == {"$default", "POST /auth/login"}
    assert {route["Target"] for route in routes} == {"integrations/Ref ApiIntegration"}
    assert prod["ApiIntegration"]["IntegrationUri"] == "ApiFunction.Arn"
    assert (prod["ApiIntegration"]["PayloadFormatVersion"], prod["ApiStage"]["StageName"]) == ("2.0", "$default")


def test_the_function_is_told_where_its_signing_keys_are_and_they_are_generated(prod: Evaluated) -> None:
    told = prod["ApiFunction"]["Environment"]["Variables"]

    assert told["FINDSTREAM_SIGNING_KEYS_SECRET"] == "SigningKeysSecret.Id"
    generated = prod["SigningKeysSecret"]["GenerateSecretString"]
    made = json.dumps({**json.loads(generated["SecretStringTemplate"]), generated["GenerateStringKey"]: "x" * 64})
    assert generated["PasswordLength"] == 64
    assert [key.kid for key in parsed(made, "the secret").keys] == ["first"]


def test_only_this_api_may_call_the_function(prod: Evaluated) -> None:
    permission = prod["ApiPermission"]

    assert (permission["Principal"], permission["SourceArn"]) == (
        "apigateway.amazonaws.com",
        "arn:aws:execute-api:eu-central-1:123456789012:Ref Api/*/*",
    )


def test_the_api_is_throttled_and_writes_who_called(prod: Evaluated) -> None:
    stage = prod["ApiStage"]

    assert stage["DefaultRouteSettings"] == {
        "DetailedMetricsEnabled": True,
        "ThrottlingBurstLimit": 200,
        "ThrottlingRateLimit": 100,
    }
    assert (
        stage["RouteSettings"]["POST /auth/login"]["ThrottlingRateLimit"] < stage["DefaultRouteSettings"]["ThrottlingRateLimit"]
    )
    assert "$context.identity.sourceIp" in stage["AccessLogSettings"]["Format"]


def test_the_function_gives_up_before_the_gateway_does(prod: Evaluated) -> None:
    assert prod["ApiFunction"]["Timeout"] * 1000 < prod["ApiIntegration"]["TimeoutInMillis"] <= 30_000


def test_the_api_has_the_notifier_try_channels_and_is_there_still_when_it_stops_waiting(prod: Evaluated) -> None:
    told = prod["ApiFunction"]["Environment"]["Variables"]

    assert told["FINDSTREAM_NOTIFIER_FUNCTION"] == "NotifierFunction.Arn"
    assert prod["ApiFunction"]["Timeout"] >= CONNECT_SECONDS + ANSWER_SECONDS + SPARE_SECONDS


def test_the_collector_ends_before_it_is_called_again(agent: Evaluated) -> None:
    minutes = re.fullmatch(r"rate\((\d+) minutes\)", agent["CollectorSchedule"]["ScheduleExpression"])

    assert minutes is not None
    assert agent["CollectorFunction"]["Timeout"] < 60 * int(minutes[1])


def doors_in_code() -> set[str]:
    found = (
        path.relative_to(ROOT) for root in ("pipeline", "projections", "consumers") for path in (ROOT / root).rglob("handler.py")
    )
    return {".".join(Path(path).with_suffix("").parts) for path in found}


def test_every_door_in_the_code_is_deployed() -> None:
    assert doors_in_code() <= {*DOORS.values(), "pipeline.collectors.handler"}


def test_every_door_that_is_deployed_is_in_the_code() -> None:
    assert {*DOORS.values(), "pipeline.collectors.handler"} <= doors_in_code()
