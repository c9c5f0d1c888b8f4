"""What each kind of finding tells: kind, subject, summary, resources, facts."""

from typing import Any

import pytest

from pipeline.errors import ItemRejected
from pipeline.sources.reading import Header, about, distinct, line
from tests.sources import items
from tests.sources.items import ACCOUNT, ALARM_ARN, REGION, STACK_ARN, TIME_US, body, facts, read


def test_an_alarm_from_eventbridge() -> None:
    event = read(items.alarm())

    assert (event.source, event.account, event.region, event.time_us) == ("aws.cloudwatch", ACCOUNT, REGION, TIME_US)
    assert body(event)["kind"] == "cloudwatch_alarm"
    assert body(event)["form"] == "eventbridge"
    assert event.subject == f"alarm/{ALARM_ARN}"
    assert event.summary == "Alarm queue-age is ALARM (was OK): Threshold Crossed: 640 was greater than 600"
    assert event.resources == (ALARM_ARN, "orders")
    assert facts(event) == {
        "alarm_name": "queue-age",
        "state": "ALARM",
        "previous_state": "OK",
        "reason": "Threshold Crossed: 640 was greater than 600",
        "description": "Orders wait too long",
        "namespace": "AWS/SQS",
        "metric": "Age",
        "threshold": 600.0,
    }


def test_the_three_shapes_of_an_alarm_have_one_subject() -> None:
    subjects = {read(item).subject for item in (items.alarm(), items.alarm_for_lambda(), items.alarm_by_sns())}

    assert subjects == {f"alarm/{ALARM_ARN}"}


def test_an_alarm_for_lambda() -> None:
    event = read(items.alarm_for_lambda())

    assert body(event)["form"] == "alarm_lambda"
    assert body(event)["detail_type"] == "CloudWatch Alarm State Change"
    assert (event.account, event.region, event.time_us) == (ACCOUNT, REGION, TIME_US)
    assert facts(event)["threshold"] == 600.0


def test_an_alarm_by_sns() -> None:
    event = read(items.alarm_by_sns())

    assert body(event)["form"] == "alarm_sns"
    assert (event.account, event.region, event.time_us) == (ACCOUNT, REGION, TIME_US)
    assert event.resources == (ALARM_ARN, "orders")
    assert facts(event)["comparison"] == "GreaterThanThreshold"
    assert facts(event)["threshold"] == 600.0


@pytest.mark.parametrize(
    ("region", "partition"),
    [
        ("eu-central-1", "aws"),
        ("cn-north-1", "aws-cn"),
        ("us-gov-west-1", "aws-us-gov"),
        ("us-iso-east-1", "aws-iso"),
        ("us-isob-east-1", "aws-iso-b"),
    ],
)
def test_an_old_alarm_message_without_arn_gets_the_one_that_its_parts_make(region: str, partition: str) -> None:
    event = read(items.alarm_by_sns(AlarmArn=None, Region=region))

    assert event.subject == f"alarm/arn:{partition}:cloudwatch:{region}:{ACCOUNT}:alarm:queue-age"


def test_an_old_alarm_message_with_a_regions_display_name_is_refused() -> None:
    with pytest.raises(ItemRejected, match=r"Region 'Europe .Frankfurt.' is not an AWS region"):
        read(items.alarm_by_sns(AlarmArn=None))


def test_an_alarm_over_an_expression_finds_the_metric_behind_it() -> None:
    metric = {"MetricName": "Errors", "Namespace": "AWS/Lambda", "Dimensions": [{"name": "FunctionName", "value": "export"}]}
    trigger = {"Threshold": 1, "Metrics": [{"Expression": "m1*1"}, {"MetricStat": {"Metric": metric}}]}

    event = read(items.alarm_by_sns(Trigger=trigger))

    assert facts(event)["metric"] == "Errors"
    assert event.resources == (ALARM_ARN, "export")


def test_a_composite_alarm_has_no_metric() -> None:
    event = read(items.alarm(configuration={"alarmRule": "ALARM(a) OR ALARM(b)"}))

    assert "metric" not in facts(event)
    assert event.resources == (ALARM_ARN,)


def test_a_changed_alarm_is_low_whatever_its_state() -> None:
    detail = items.alarm_detail(operation="update")
    event = read(items.envelope("aws.cloudwatch", "CloudWatch Alarm Configuration Change", detail, resources=[ALARM_ARN]))

    assert event.severity == 1
    assert event.summary == "Alarm queue-age: configuration updated"


@pytest.mark.parametrize("data", ['{"threshold":1e400}', '{"threshold":"x"}', "no json", None, 7])
def test_a_threshold_that_cannot_be_read_is_left_out(data: Any) -> None:
    detail = items.alarm_detail() | {"state": {"value": "ALARM", "reason": "r", "reasonData": data}}
    event = read(items.envelope("aws.cloudwatch", "CloudWatch Alarm State Change", detail, resources=[ALARM_ARN]))

    assert "threshold" not in facts(event)


def test_a_guardduty_finding_in_both_spellings() -> None:
    for item in (items.guardduty(), items.from_sdk(items.guardduty())):
        event = read(item)

        assert body(event)["kind"] == body(event)["form"] == "guardduty"
        assert (event.source, event.account, event.region, event.time_us) == ("aws.guardduty", ACCOUNT, REGION, TIME_US)
        assert event.source_id == "f00d"
        assert event.subject == "guardduty/f00d"
        assert event.summary == "i-0abc scans ports (Recon:EC2/Portscan)"
        assert event.resources == ("i-0abc",)
        assert facts(event) == {
            "finding_type": "Recon:EC2/Portscan",
            "title": "i-0abc scans ports",
            "description": "An instance scans the ports of a remote host.",
            "score": 5.5,
            "resource_type": "Instance",
            "count": 3,
        }


def test_a_guardduty_finding_through_eventbridge_keeps_the_envelopes_account() -> None:
    event = read(items.envelope("aws.guardduty", "GuardDuty Finding", items.guardduty(accountId="000000000001")))

    assert event.account == ACCOUNT
    assert event.subject == "guardduty/f00d"


def test_all_resources_of_a_guardduty_finding_are_named() -> None:
    resource = {
        "instanceDetails": {"instanceId": "i-1"},
        "s3BucketDetails": [{"arn": "arn:aws:s3:::a"}, {"arn": "arn:aws:s3:::b"}],
        "eksClusterDetails": {"arn": "arn:eks"},
        "lambdaDetails": {"functionArn": "arn:lambda"},
        "rdsDbInstanceDetails": {"dbInstanceArn": "arn:rds"},
        "accessKeyDetails": {"accessKeyId": "AKIA1"},
    }

    assert read(items.guardduty(resource=resource)).resources == (
        "i-1",
        "arn:aws:s3:::a",
        "arn:aws:s3:::b",
        "arn:eks",
        "arn:lambda",
        "arn:rds",
        "AKIA1",
    )


@pytest.mark.parametrize(("result", "severity"), [("THREATS_FOUND", 3), ("NO_THREATS_FOUND", 1), ("UNSUPPORTED", 2)])
def test_a_malware_scan_is_as_bad_as_what_it_found(result: str, severity: int) -> None:
    detail = {
        "scanStatus": "COMPLETED",
        "resourceType": "S3_OBJECT",
        "s3ObjectDetails": {"bucketName": "inbox", "objectKey": "a.zip"},
        "scanResultDetails": {"scanResultStatus": result, "threats": [{"name": "Eicar"}]},
    }

    event = read(
        items.envelope("aws.guardduty", "GuardDuty Malware Protection Object Scan Result", detail, resources=["arn:plan"])
    )

    assert event.severity == severity
    assert event.summary == f"GuardDuty Malware Protection Object Scan Result: {result} in s3://inbox/a.zip: Eicar"
    assert event.resources == ("arn:plan", "arn:aws:s3:::inbox/a.zip")


def test_an_empty_guardduty_finding_is_told_all_the_same() -> None:
    event = read(items.envelope("aws.guardduty", "GuardDuty Finding"))

    assert (body(event)["kind"], event.severity, event.summary) == ("guardduty", 0, "GuardDuty Finding")


def test_a_bare_health_detail() -> None:
    event = read(items.health(affectedAccount=ACCOUNT, endTime="Wed, 4 Mar 2026 06:06:07 GMT", statusCode="open"))

    assert body(event)["kind"] == body(event)["form"] == "health"
    assert (event.source, event.account, event.region, event.time_us) == ("aws.health", ACCOUNT, REGION, TIME_US)
    assert event.source_id == f"arn:aws:health:{REGION}::event/EC2/DEGRADED/1"
    assert event.subject == f"health/arn:aws:health:{REGION}::event/EC2/DEGRADED/1"
    assert event.summary == "EC2 issue AWS_EC2_DEGRADED: A host is slow."
    assert event.resources == ("i-0abc", "i-0def")
    assert facts(event) == {
        "service": "EC2",
        "event_type_code": "AWS_EC2_DEGRADED",
        "category": "issue",
        "description": "A host is\nslow.",
        "status": "open",
        "start_time": "Wed, 4 Mar 2026 05:06:07 GMT",
        "end_time": "Wed, 4 Mar 2026 06:06:07 GMT",
        "affected": 2,
    }


def test_a_public_health_event_has_no_account_and_a_global_one_no_region() -> None:
    event = read(items.health(eventArn="arn:aws:health:global::event/IAM/X/1"))

    assert (event.account, event.region) == ("", "")


def test_a_health_detail_counts_from_its_last_update() -> None:
    assert read(items.health(lastUpdatedTime="Wed, 4 Mar 2026 05:06:08 GMT")).time_us == TIME_US + 1_000_000


def test_health_speaks_english_if_it_can() -> None:
    told = [{"language": "ja_JP", "latestDescription": "?"}, {"language": "en_GB", "latestDescription": "Slow."}]

    assert facts(read(items.health(eventDescription=told)))["description"] == "Slow."
    assert facts(read(items.health(eventDescription=told[:1])))["description"] == "?"
    assert "description" not in facts(read(items.health(eventDescription=None)))


def test_a_stack() -> None:
    event = read(
        items.stack("UPDATE_ROLLBACK_COMPLETE", **{"status-details": {"status": "UPDATE_FAILED", "status-reason": "No."}})
    )

    assert body(event)["kind"] == "cloudformation"
    assert event.subject == f"stack/{STACK_ARN}"
    assert event.summary == "Stack billing: UPDATE_FAILED - No."
    assert facts(event) == {"stack_name": "billing", "stack_id": STACK_ARN, "status": "UPDATE_FAILED", "status_reason": "No."}


def test_a_resource_of_a_stack_is_ordered_with_its_stack() -> None:
    more = {"logical-resource-id": "Bucket", "resource-type": "AWS::S3::Bucket", "physical-resource-id": "arn:aws:s3:::b"}

    event = read(items.stack("CREATE_FAILED", **more))

    assert event.subject == f"stack/{STACK_ARN}"
    assert event.summary == "Stack billing/Bucket (AWS::S3::Bucket): CREATE_FAILED"
    assert event.resources == (STACK_ARN, "arn:aws:s3:::b")
    assert facts(event)["logical_id"] == "Bucket"


def test_drift_of_a_stack_and_an_operation_of_a_stack_set() -> None:
    drift = {"stack-drift-status": "DRIFTED", "detection-status": "DETECTION_COMPLETE"}
    details: items.Item = {"status-details": drift}
    assert facts(read(items.stack(**details)))["status"] == "DRIFTED"

    arn = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stackset/roles:77"
    operation = {"stack-set-arn": arn, "status-details": {"status": "FAILED"}}
    event = read(items.envelope("aws.cloudformation", "CloudFormation StackSet Operation Status Change", operation))
    assert (event.subject, event.summary, event.severity) == (f"stackset/{arn}", "Stack set roles: FAILED", 3)


def test_a_bare_security_hub_finding() -> None:
    event = read(items.asff())

    assert body(event)["kind"] == "securityhub"
    assert body(event)["form"] == "asff"
    assert (event.source, event.account, event.region, event.time_us) == ("aws.securityhub", ACCOUNT, REGION, TIME_US)
    assert (event.source_id, event.subject) == ("arn:finding/1", "securityhub/arn:finding/1")
    assert event.summary == "S3.1 Block public access (FAILED)"
    assert event.resources == ("arn:aws:s3:::backups",)
    assert facts(event) == {
        "title": "S3.1 Block public access",
        "description": "The bucket can be read by anybody.",
        "product": "Security Hub",
        "compliance": "FAILED",
        "workflow": "NEW",
        "severity_label": "HIGH",
        "generator": "control/S3.1",
        "remediation_url": "https://docs.example/S3.1",
    }


def test_a_security_hub_finding_without_region_has_its_products() -> None:
    item = items.asff()
    del item["Region"], item["ProductName"]

    event = read(item)

    assert event.region == REGION
    assert facts(event)["product"] == "aws/securityhub"


def test_the_provider_s_severity_counts_where_security_hub_has_none() -> None:
    assert read(items.asff(Severity=None, FindingProviderFields={"Severity": {"Label": "CRITICAL"}})).severity == 4


def test_a_security_hub_envelope_is_about_what_its_finding_is_about() -> None:
    item = items.envelope(
        "aws.securityhub", "Security Hub Findings - Imported", {"findings": [items.asff()]}, resources=["arn:finding/1"]
    )

    event = read(item)

    assert event.subject == "securityhub/arn:finding/1"
    assert event.resources == ("arn:aws:s3:::backups", "arn:finding/1")


def test_insight_results_have_no_finding() -> None:
    item = items.envelope(
        "aws.securityhub", "Security Hub Insight Results", {"insightName": "Top users"}, resources=["arn:action"]
    )

    event = read(item)

    assert (body(event)["kind"], event.subject, event.severity) == ("securityhub", "resource/arn:action", 0)


def test_a_line_from_cloudwatch_logs() -> None:
    request = "0a1b2c3d-1111-4222-8333-444455556666"
    event = read(items.logs(items.log_event(f"2026-03-04T05:06:07Z\t{request}\tERROR\tit broke\n  at line 1")))

    assert body(event)["kind"] == "agent_logs"
    assert body(event)["form"] == "cwlogs"
    assert (event.source, event.account, event.region, event.time_us) == ("aws.logs", ACCOUNT, "", TIME_US)
    assert event.source_id == "3720"
    assert event.subject == f"logs/{ACCOUNT}///aws/lambda/orders/2026/03/04/[1]abc"
    assert event.summary == f"/aws/lambda/orders: 2026-03-04T05:06:07Z {request} ERROR it broke at line 1"
    assert event.resources == ("/aws/lambda/orders",)
    assert facts(event) == {
        "log_group": "/aws/lambda/orders",
        "log_stream": "2026/03/04/[1]abc",
        "message": f"2026-03-04T05:06:07Z\t{request}\tERROR\tit broke\n  at line 1",
        "level": "ERROR",
        "request_id": request,
    }


def test_a_subscription_may_tell_account_and_region_of_a_line() -> None:
    extracted = {"@aws.account": "000000000009", "@aws.region": "us-west-2"}

    event = read(items.logs(items.log_event(extractedFields=extracted)))

    assert (event.account, event.region) == ("000000000009", "us-west-2")


def test_a_message_that_is_an_object_is_written_out() -> None:
    assert facts(read(items.logs(items.log_event({"level": "error", "a": 1}))))["message"] == '{"level":"error","a":1}'
    assert "message" not in facts(read(items.logs(items.log_event(None))))


def test_a_line_from_an_agent() -> None:
    detail = {"logGroup": "/ecs/api", "logStream": "s/1", "message": "it broke", "level": "error", "requestId": "r-1"}

    event = read(items.envelope("monitoring.agent.logs", "Error Log Line", detail, resources=["arn:log-group"]))

    assert body(event)["kind"] == "agent_logs"
    assert (event.subject, event.severity) == (f"logs/{ACCOUNT}/{REGION}//ecs/api/s/1", 3)
    assert event.resources == ("arn:log-group", "/ecs/api")
    assert facts(event) == {
        "log_group": "/ecs/api",
        "log_stream": "s/1",
        "message": "it broke",
        "level": "ERROR",
        "request_id": "r-1",
    }


@pytest.mark.parametrize(
    ("detail", "severity"),
    [({"message": "x"}, 3), ({"message": "x", "severity": "LOW"}, 1), ({"message": "WARN x"}, 2), ({"level": "odd"}, 3)],
)
def test_agents_publish_errors_unless_they_say_otherwise(detail: dict[str, Any], severity: int) -> None:
    assert read(items.envelope("monitoring.agent.logs", "Error Log Line", detail)).severity == severity


def test_a_bare_record_of_cloudtrail() -> None:
    event = read(items.trail(errorCode="AccessDenied", errorMessage="No."))

    assert body(event)["kind"] == body(event)["form"] == "cloudtrail"
    assert body(event)["detail_type"] == "AWS API Call via CloudTrail"
    assert (event.source, event.account, event.region, event.time_us) == ("aws.s3", ACCOUNT, REGION, TIME_US)
    assert event.source_id == "77aa"
    assert event.subject == f"cloudtrail/{ACCOUNT}/arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci"
    assert event.summary == "deploy called DeleteBucket on s3.amazonaws.com - AccessDenied - No."
    assert event.resources == ("arn:aws:s3:::backups",)
    assert facts(event) == {
        "event_name": "DeleteBucket",
        "event_source": "s3.amazonaws.com",
        "user": "deploy",
        "source_ip": "192.0.2.7",
        "error_code": "AccessDenied",
        "error_message": "No.",
    }


def test_a_record_through_eventbridge_is_of_the_same_kind_whatever_its_source() -> None:
    event = read(items.envelope("aws.guardduty", "AWS API Call via CloudTrail", items.trail()))

    assert body(event)["kind"] == "cloudtrail"


def test_a_custom_source_cannot_pass_for_cloudtrail() -> None:
    item = items.envelope("Shop", "Order via CloudTrail", {"eventName": "x"})

    assert body(read(item, frozenset({"Shop"})))["kind"] == "generic"


@pytest.mark.parametrize(
    ("event_type", "detail_type"),
    [
        ("AwsConsoleSignIn", "AWS Console Sign In via CloudTrail"),
        ("AwsServiceEvent", "AWS Service Event via CloudTrail"),
        ("AwsCloudTrailInsight", "AWS Insight via CloudTrail"),
        (None, "AWS API Call via CloudTrail"),
    ],
)
def test_a_record_gets_the_detail_type_that_eventbridge_gives_it(event_type: str | None, detail_type: str) -> None:
    assert body(read(items.trail(eventType=event_type)))["detail_type"] == detail_type


def test_a_record_of_an_old_version_has_its_callers_account() -> None:
    item = items.trail()
    del item["recipientAccountId"]

    assert read(item).account == ACCOUNT


@pytest.mark.parametrize(
    ("identity", "user", "subject"),
    [
        ({"type": "IAMUser", "userName": "ada", "arn": "arn:aws:iam::1:user/ada"}, "ada", "arn:aws:iam::1:user/ada"),
        ({"type": "AWSService", "invokedBy": "ec2.amazonaws.com"}, "ec2.amazonaws.com", "ec2.amazonaws.com"),
        ({"type": "Root", "principalId": "99"}, "Root", "99"),
        ({"arn": "arn:aws:sts::1:assumed-role/r/session"}, "session", "arn:aws:sts::1:assumed-role/r/session"),
    ],
)
def test_who_called_is_told_by_the_best_name(identity: dict[str, str], user: str, subject: str) -> None:
    event = read(items.trail(userIdentity=identity))

    assert facts(event)["user"] == user
    assert event.subject == f"cloudtrail/{ACCOUNT}/{subject}"


def test_a_record_of_nobody_goes_by_its_place() -> None:
    event = read(items.trail(userIdentity=None, resources=None))

    assert event.summary.startswith("Somebody called DeleteBucket")
    assert event.subject == f"aws.s3/{ACCOUNT}/{REGION}/AWS API Call via CloudTrail"


def test_a_record_of_no_service_is_refused() -> None:
    with pytest.raises(ItemRejected, match=r"eventSource '...' names no AWS service"):
        read(items.trail(eventSource="..."))


def test_any_other_event_of_aws() -> None:
    detail = {"state": "stopped", "instance-id": "i-1", "description": "By its owner"}

    event = read(items.envelope("aws.ec2", "EC2 Instance State-change Notification", detail, resources=["arn:aws:ec2:i-1"]))

    assert body(event)["kind"] == "generic"
    assert event.subject == "resource/arn:aws:ec2:i-1"
    assert event.summary == "EC2 Instance State-change Notification: stopped: By its owner: arn:aws:ec2:i-1"
    assert event.resources == ("arn:aws:ec2:i-1", "i-1")
    assert facts(event) == {"title": "EC2 Instance State-change Notification", "description": "By its owner"}


def test_what_names_no_resource_goes_by_source_and_place() -> None:
    event = read(items.envelope("aws.events", "Scheduled Event", region=""))

    assert event.subject == f"aws.events/{ACCOUNT}//Scheduled Event"
    assert event.summary == "Scheduled Event"


def test_the_order_of_keys_decides_nothing() -> None:
    detail = {"title": "a", "name": "b", "message": "c", "reason": "d", "state": "e", "result": "f"}

    assert read(items.envelope(detail=detail)).summary == "Something Happened: a: e: c"
    assert read(items.envelope(detail=dict(reversed(detail.items())))).summary == "Something Happened: a: e: c"


def test_a_heartbeat_is_a_beat() -> None:
    event = read(items.envelope("monitoring.agent", "Agent Heartbeat", {"version": "1.4.0", "queue": 3}))

    assert (event.type, event.subject, event.severity) == ("agent.beat", f"agent/{ACCOUNT}", 0)
    assert body(event) == {"version": "1.4.0"}
    assert event.summary == f"Agent in {ACCOUNT} {REGION} is alive"


@pytest.mark.parametrize(
    ("status", "severity"), [("pending", 1), ("deploying", 1), ("active", 1), ("failed", 3), ("disabled", 2), ("ACTIVE", 1)]
)
def test_a_deployment_reaches_a_status(status: str, severity: int) -> None:
    detail = {"status": status, "version": "1.4.0", "stackId": STACK_ARN, "reason": "No room"}

    event = read(items.envelope("monitoring.agent", "Agent Status Change", detail))

    assert (event.type, event.subject, event.severity) == ("agent.deployed", f"agent/{ACCOUNT}", severity)
    assert body(event) == {"status": status.lower(), "version": "1.4.0", "stack_id": STACK_ARN, "reason": "No room"}
    assert event.resources == (STACK_ARN,)
    assert event.summary == f"Agent 1.4.0 in {ACCOUNT} {REGION} is {status.lower()} (No room)"


def test_deployed_without_a_status_means_active() -> None:
    assert body(read(items.envelope("monitoring.agent", "Agent Deployed"))) == {"status": "active"}


def test_an_unknown_status_of_an_agent_is_refused() -> None:
    with pytest.raises(ItemRejected, match=r"detail.status 'gone' is none of: pending, deploying, active, failed, disabled"):
        read(items.envelope("monitoring.agent", "Agent Status Change", {"status": "gone"}))


def test_anything_else_from_an_agent_is_a_finding() -> None:
    event = read(items.envelope("monitoring.agent", "Agent Is Thirsty", {"severity": 2}))

    assert (event.type, body(event)["kind"], event.severity) == ("finding.observed", "generic", 2)


def test_details_of_the_wrong_form_are_read_gently() -> None:
    odd = {"a": [{}], "b": 1}
    for source in (
        "aws.cloudwatch",
        "aws.guardduty",
        "aws.health",
        "aws.cloudformation",
        "aws.securityhub",
        "monitoring.agent.logs",
    ):
        for detail in (
            {},
            {"alarmName": "a", "state": odd, "configuration": {"metrics": [1, {"metricStat": {"metric": {"dimensions": [1]}}}]}},
            {"alarmName": 7, "configuration": []},
            {"type": "t", "title": odd, "severity": "much", "service": [], "resource": {"s3BucketDetails": odd}},
            {"eventArn": odd, "eventTypeCode": "x", "affectedEntities": odd, "eventDescription": [odd, 1]},
            {"stack-id": "no arn", "status-details": 5},
            {"findings": [{"Severity": [], "Resources": odd, "Compliance": "x", "Id": 5}]},
            {"findings": "none"},
            {"message": odd, "logGroup": 5},
        ):
            if source == "monitoring.agent.logs" and "severity" in detail:
                continue
            assert read(items.envelope(source, "Some Detail", detail)).summary


@pytest.mark.parametrize(
    ("told", "expected"),
    [
        ("plain", "plain"),
        ("  two\r\n lines\t", "two lines"),
        ("a\x00b\x1b[31mc\u202ed", "a b [31mc d"),
        ("x" * 200, "x" * 200),
        ("x" * 201, "x" * 199 + "…"),
        ("x " * 400, "x " * 99 + "x…"),
        ("", ""),
        ("\u2028", ""),
    ],
)
def test_a_summary_is_one_line_of_200_characters(told: str, expected: str) -> None:
    assert line(told) == expected


def test_resources_are_distinct_trimmed_and_bounded() -> None:
    assert distinct(["a", " b", "a", "", None, 7, "x" * 2049], ["c", "b"]) == ("a", "b", "c")
    assert distinct(map(str, range(500))) == tuple(map(str, range(100)))


def test_a_long_subject_ends_in_its_digest() -> None:
    long, longer = about("logs/" + "x" * 2000), about("logs/" + "x" * 2001)

    assert len(long) == len(longer) == 1024
    assert long != longer
    assert about("short") == "short"


def test_long_texts_of_facts_are_cut() -> None:
    event = read(items.logs(items.log_event("ERROR " + "x" * 5000)))

    assert len(facts(event)["message"]) == 4000
    assert len(body(event)["raw"]["logEvents"][0]["message"]) == 5006


def test_a_header_is_what_readers_are_given() -> None:
    header = Header("aws.ec2", ACCOUNT, REGION, TIME_US, "id", "type", [])
    assert header.region == REGION
