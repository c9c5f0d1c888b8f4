"""What comes of trying a role, whatever AWS says."""

import sys
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectTimeoutError, NoCredentialsError, NoRegionError

from consumers.assuming import Attempt, StsAssume, sts_client
from tests.aws.clients import Server

ROLE = "arn:aws:iam::111122223333:role/findstream-reader"


class Sts:
    """Answers, or raises."""

    def __init__(self, failure: Exception | None = None) -> None:
        self.asked: list[dict[str, Any]] = []
        self._failure = failure

    def assume_role(self, **asked: Any) -> dict[str, Any]:
        self.asked.append(asked)
        if self._failure:
            raise self._failure
        return {"AssumedRoleUser": {"Arn": "arn:aws:sts::111122223333:assumed-role/findstream-reader/findstream-test"}}


def refused(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "you may not"}}, "AssumeRole")


def test_a_role_that_can_be_assumed_tells_where_it_leads() -> None:
    sts = Sts()

    attempt = StsAssume(lambda: sts)(ROLE, "hush-hush")

    assert attempt.outcome == "assumed"
    assert (attempt.account, attempt.arn.rpartition("/")[2]) == ("111122223333", "findstream-test")
    assert sts.asked == [
        {"RoleArn": ROLE, "RoleSessionName": "findstream-test", "DurationSeconds": 900, "ExternalId": "hush-hush"}
    ]


def test_a_role_without_an_external_id_is_asked_for_none() -> None:
    sts = Sts()
    StsAssume(lambda: sts)(ROLE, "")

    assert "ExternalId" not in sts.asked[0]


@pytest.mark.parametrize(
    ("failure", "outcome", "message"),
    [
        (refused("AccessDenied"), "refused", "AccessDenied: you may not"),
        (NoCredentialsError(), "no_credentials", "no AWS credentials"),
        (NoRegionError(), "no_credentials", "no AWS credentials or region"),
        (ConnectTimeoutError(endpoint_url="https://sts"), "unreachable", "could not be asked"),
    ],
)
def test_what_hinders_is_told(failure: Exception, outcome: str, message: str) -> None:
    attempt = StsAssume(lambda: Sts(failure))(ROLE, "")

    assert attempt.outcome == outcome
    assert message in attempt.message


def test_without_boto3_a_server_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "botocore.exceptions", None)

    assert StsAssume(Sts)(ROLE, "") == Attempt(
        "no_credentials", "this server cannot call AWS: boto3 is not installed (findstream[aws])"
    )


def test_a_role_of_a_local_server_is_assumed(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {
        "AWS_ENDPOINT_URL": moto.url,
        "AWS_ACCESS_KEY_ID": "111122223333",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "eu-central-1",
    }.items():
        monkeypatch.setenv(name, value)

    assert StsAssume(sts_client)(ROLE, "hush-hush").outcome == "assumed"
