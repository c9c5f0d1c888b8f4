"""What the environment may say, and where an agent runs."""

import re
from pathlib import Path

import pytest

from pipeline.collectors.options import ERRORS, Options
from pipeline.collectors.place import Place
from pipeline.errors import PlaceUnknown, SettingRejected
from tests.collectors.fake_aws import BUS_ARN, BUS_REGION

DOCUMENT = Path(__file__).parents[2] / "docs/agents.md"
BUS = {"FINDSTREAM_BUS_ARN": BUS_ARN}


def test_only_the_bus_must_be_named() -> None:
    options = Options.of(BUS | {"FINDSTREAM_LOG_GROUPS": " ", "AWS_REGION": "eu-west-1"})

    assert options == Options(bus_arn=BUS_ARN)
    assert options.bus_region == BUS_REGION


def test_everything_can_be_told() -> None:
    told = {
        "LOG_GROUPS": " /ecs/* ,/rds/main,/ecs/*",
        "FUNCTION_LOGS": "no",
        "ERROR_PATTERN": "ERROR|a/b",
        "AGENT_VERSION": "1.4.0",
        "OVERLAP_MINUTES": "30",
        "CHUNK_SECONDS": "20",
        "CHUNK_LINES": "500",
    }

    options = Options.of(BUS | {f"FINDSTREAM_{name}": value for name, value in told.items()})

    assert options == Options(BUS_ARN, ("/ecs/*", "/rds/main"), False, "ERROR|a/b", "1.4.0", 30, 20, 500)  # noqa: FBT003


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("BUS_ARN", ""),
        ("BUS_ARN", "findstream"),
        ("LOG_GROUPS", "a b"),
        ("LOG_GROUPS", "a*b"),
        ("FUNCTION_LOGS", "true"),
        ("ERROR_PATTERN", "("),
        ("ERROR_PATTERN", "a\nb"),
        ("ERROR_PATTERN", "x" * 2001),
        ("AGENT_VERSION", "x" * 257),
        ("OVERLAP_MINUTES", "4"),
        ("OVERLAP_MINUTES", "1.5"),
        ("CHUNK_SECONDS", "0"),
        ("CHUNK_LINES", "100001"),
    ],
)
def test_what_is_wrong_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingRejected, match=f"^FINDSTREAM_{name}: expected "):
        Options.of(BUS | {f"FINDSTREAM_{name}": value})


def test_the_document_lists_every_variable() -> None:
    names = {"bus_arn", "log_groups", "function_logs", "error_pattern", "agent_version"} | {
        name for name in Options.__slots__ if name not in {"functions", "pattern", "version"}
    }

    listed = re.findall(r"^\| `FINDSTREAM_(\w+)`", DOCUMENT.read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(name.upper() for name in names)


@pytest.mark.parametrize(
    "message",
    [
        "[ERROR] 2026-03-04T12:00:00.000Z 4c1f it broke",
        "2026-03-04T12:00:00.000Z\t4c1f\tERROR\tInvoke Error",
        "Traceback (most recent call last):",
        "botocore.errorfactory.ResourceNotFoundException: no",
        "TypeError: undefined is not a function",
        "2026-03-04T12:00:00Z 4c1f Task timed out after 3.00 seconds",
        '{"level":"error","msg":"x"}',
        "level=fatal msg=x",
        "RequestId: 4c1f Process exited before completing request",
        "FATAL: out of memory",
    ],
)
def test_lines_that_tell_of_an_error(message: str) -> None:
    assert re.search(ERRORS, message)


@pytest.mark.parametrize(
    "message", ["REPORT RequestId: 4c1f Duration: 3 ms", "errors: 0", '{"level":"info","msg":"no error"}', "NO_ERRORS", "terror"]
)
def test_lines_that_do_not(message: str) -> None:
    assert not re.search(ERRORS, message)


@pytest.mark.parametrize("suffix", ["", ":live", ":7"])
def test_a_place_is_read_from_the_arn_of_the_function(suffix: str) -> None:
    arn = "arn:aws-us-gov:lambda:us-gov-west-1:111122223333:function:findstream-agent"

    place = Place.of_function(arn + suffix)

    assert place == Place("aws-us-gov", "us-gov-west-1", "111122223333", arn)
    assert place.log_group("g") == "arn:aws-us-gov:logs:us-gov-west-1:111122223333:log-group:g"


def test_what_is_no_function_is_no_place() -> None:
    with pytest.raises(PlaceUnknown, match="'laptop' is not the ARN of a Lambda function"):
        Place.of_function("laptop")
