"""A finding has one shape for rules, in whatever form it came in."""

from typing import Any

from consumers.rules import document
from consumers.rules.pattern import compiled
from tests.rules.batches import batch, event, of_item, sample

ASFF: dict[str, Any] = {
    "Id": "arn:aws:securityhub:eu-central-1:111122223333:finding/1",
    "ProductArn": "arn:aws:securityhub:eu-central-1::product/aws/securityhub",
    "AwsAccountId": "111122223333",
    "Region": "eu-central-1",
    "Title": "IAM.4",
    "Severity": {"Label": "HIGH"},
    "UpdatedAt": "2024-05-01T12:00:00.5Z",
}
HEADER = {"version", "id", "detail-type", "source", "account", "time", "region", "resources", "detail", "finding"}


def test_an_event_of_a_bus_keeps_all_its_members() -> None:
    seen = document.of_envelope(event(id="c7", detail={"a": 1}, resources=["r"], replay_name="again"))

    assert seen["replay-name"] == "again"
    assert (seen["id"], seen["resources"], seen["detail"]) == ("c7", ["r"], {"a": 1})


def test_a_finding_tells_of_itself() -> None:
    one = event(
        source="aws.cloudwatch",
        detail_type="CloudWatch Alarm State Change",
        detail={"alarmName": "x", "state": {"value": "ALARM"}},
    )

    finding = document.of_envelope(one)["finding"]

    assert finding == {
        "id": one.id,
        "kind": "cloudwatch_alarm",
        "form": "eventbridge",
        "severity": one.severity,
        "summary": one.summary,
        "subject": one.subject,
        "facts": {"alarm_name": "x", "state": "ALARM"},
    }


def test_a_bare_item_is_the_detail_and_the_header_is_made_for_it() -> None:
    bare = {
        "eventVersion": "1.09",
        "eventName": "X",
        "eventSource": "iam.amazonaws.com",
        "eventTime": "2024-05-01T12:00:00Z",
        "awsRegion": "us-east-1",
        "recipientAccountId": "111122223333",
        "eventID": "e-1",
    }

    seen = document.of_envelope(of_item(bare))

    assert seen["detail"] == bare
    assert (seen["version"], seen["id"], seen["account"], seen["region"]) == ("0", "e-1", "111122223333", "us-east-1")
    assert (seen["time"], seen["resources"]) == ("2024-05-01T12:00:00.000000Z", [])


def test_one_pattern_fits_security_hub_on_a_bus_and_bare() -> None:
    match = compiled({"source": ["aws.securityhub"], "detail": {"findings": {"Severity": {"Label": ["HIGH"]}}}})
    on_a_bus = event(source="aws.securityhub", detail_type="Security Hub Findings - Imported", detail={"findings": [ASFF]})

    assert match(document.of_envelope(on_a_bus))
    assert match(document.of_envelope(of_item(ASFF)))


def test_the_header_is_the_events_even_where_an_agent_restates_it() -> None:
    restated = event(
        source="monitoring.agent.logs", region="us-east-1", detail={"eventId": "1", "region": "eu-west-1", "message": "m"}
    )

    assert document.of_envelope(restated)["region"] == restated.region == "eu-west-1"


def test_every_sample_finding_has_all_members_and_its_header() -> None:
    findings = [one for one in sample(300) if one.type == document.TYPE]

    for index, one in enumerate(findings):
        seen = document.of_batch(batch(findings), index)
        assert seen.keys() >= HEADER
        assert (seen["source"], seen["account"], seen["region"]) == (one.source, one.account, one.region)
        assert seen == document.of_envelope(one)
    assert set(document.MEMBERS) == HEADER
