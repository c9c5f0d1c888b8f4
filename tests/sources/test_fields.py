"""What headers must be, and what the sender hears otherwise."""

from typing import Any

import pytest

from pipeline.errors import ItemRejected
from pipeline.sources import fields


def refusal(check: Any, *arguments: Any) -> str:
    with pytest.raises(ItemRejected) as rejected:
        check(*arguments)
    return str(rejected.value)


def test_an_account_is_12_digits_as_text() -> None:
    assert fields.account("012345678901") == "012345678901"


def test_an_account_that_came_as_a_number_keeps_its_12_digits() -> None:
    assert fields.account(210_987_654_321) == "210987654321"


def test_a_shorter_number_has_lost_its_zeros() -> None:
    assert refusal(fields.account, 12345678901) == (
        "account is the number '12345678901': numbers lose leading zeros; send 12 digits as text"
    )


@pytest.mark.parametrize(
    "value", ["12345", "0123456789012", "id", "21098765432\u0661", "<account>", True, 2.1e11, ["210987654321"]]
)
def test_anything_else_is_no_account(value: Any) -> None:
    assert "is not 12 digits" in refusal(fields.account, value)


@pytest.mark.parametrize("value", [None, "", "  "])
def test_a_missing_account_is_said_to_be_missing(value: Any) -> None:
    assert refusal(fields.account, value, "AwsAccountId") == "AwsAccountId is missing"


@pytest.mark.parametrize(
    "name",
    [
        "us-east-1",
        "ap-southeast-7",
        "il-central-1",
        "us-gov-west-1",
        "us-iso-east-1",
        "us-isob-east-1",
        "eu-isoe-west-1",
        "cn-northwest-1",
        "eusc-de-east-1",
    ],
)
def test_regions_of_all_partitions_are_known(name: str) -> None:
    assert fields.region(name) == name


@pytest.mark.parametrize("value", [None, "", "global", "aws-global"])
def test_a_global_event_has_no_region(value: Any) -> None:
    assert fields.region(value) == ""


@pytest.mark.parametrize(
    "value",
    ["apiso-northsouth-3r", "me-northwest-3r", "eu-central-1a", "US East (N. Virginia)", "...", "region", 1, [], "eu-central-0"],
)
def test_other_names_are_no_regions(value: Any) -> None:
    assert "is not an AWS region (such as us-east-1, us-gov-west-1, cn-north-1)" in refusal(fields.region, value)


@pytest.mark.parametrize("value", ["aws.ec2", "monitoring.agent.logs", "aws.partner/example.com/shop", "Shop"])
def test_sources_are_ours_aws_or_registered(value: str) -> None:
    assert fields.source(value, frozenset({"Shop"})) == value


@pytest.mark.parametrize("value", ["Shop", "awsmock.health", "aws.", "aws. ec2", "aws.ec2\n", 7, {}, "aws." + "x" * 300])
def test_other_sources_are_told_how_to_register(value: Any) -> None:
    reason = refusal(fields.source, value, frozenset())

    assert "is not registered" in reason
    assert "FINDSTREAM_CUSTOM_SOURCES" in reason


def test_the_ids_of_sources_are_kept_as_text() -> None:
    assert fields.source_id("a/b") == "a/b"
    assert fields.source_id(42) == "42"
    assert fields.source_id(None) == ""
    assert refusal(fields.source_id, {"id": 1}) == "id is not text of at most 1024 characters"
    assert refusal(fields.source_id, "x" * 1025) == "id is not text of at most 1024 characters"


def test_resources_are_texts() -> None:
    assert fields.resources(["a", "b"]) == ["a", "b"]
    assert fields.resources(None) == []
    assert refusal(fields.resources, ["a", 1]) == "resources is not a list of texts"
    assert refusal(fields.resources, "a") == "resources is not a list of texts"


def test_words_must_be_there_and_short() -> None:
    assert refusal(fields.words, None, "detail-type") == "detail-type is missing"
    assert refusal(fields.words, 3, "detail-type") == "detail-type '3' is not text of at most 256 characters"
    assert "is not text of at most" in refusal(fields.words, "x" * 257, "detail-type")
