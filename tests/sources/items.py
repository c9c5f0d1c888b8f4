"""Items made up for tests: one of each shape, right in all parts unless a test says otherwise."""

from typing import Any

import orjson

from pipeline.sources import forms
from schemas.envelope import Envelope
from schemas.registry import REGISTRY

Item = dict[str, Any]

ACCOUNT = "210987654321"
REGION = "eu-central-1"
TIME = "2026-03-04T05:06:07Z"
TIME_US = 1_772_600_767_000_000
ALARM_ARN = f"arn:aws:cloudwatch:{REGION}:{ACCOUNT}:alarm:queue-age"
STACK_ARN = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/billing/1f2e"


def read(item: Item, custom: frozenset[str] = frozenset()) -> Envelope:
    """The event of an item, held to the published schemas."""
    return REGISTRY.check(forms.event(item, None, custom))


def body(event: Envelope) -> Item:
    return dict(event.data)


def facts(event: Envelope) -> Item:
    found: Item = event.data["facts"]
    return found


def envelope(source: str = "aws.ec2", detail_type: str = "Something Happened", detail: Any = None, **header: Any) -> Item:
    known = {
        "version": "0",
        "id": "0a1b2c3d-0000-4000-8000-000000000001",
        "detail-type": detail_type,
        "source": source,
        "account": ACCOUNT,
        "time": TIME,
        "region": REGION,
        "resources": [],
        "detail": {} if detail is None else detail,
    }
    return {key: value for key, value in (known | header).items() if value is not ...}


def alarm_detail(state: str = "ALARM", before: str = "OK", **more: Any) -> Item:
    data = orjson.dumps({"version": "1.0", "recentDatapoints": [640.0], "threshold": 600.0}).decode()
    return {
        "alarmName": "queue-age",
        "state": {"value": state, "reason": "Threshold Crossed: 640 was greater than 600", "reasonData": data},
        "previousState": {"value": before},
        "configuration": {
            "description": "Orders wait too long",
            "metrics": [
                {
                    "id": "m1",
                    "metricStat": {
                        "metric": {"namespace": "AWS/SQS", "name": "Age", "dimensions": {"QueueName": "orders", "Stage": "prod"}},
                        "period": 60,
                        "stat": "Maximum",
                    },
                }
            ],
        },
    } | more


def alarm(state: str = "ALARM", **more: Any) -> Item:
    return envelope("aws.cloudwatch", "CloudWatch Alarm State Change", alarm_detail(state, **more), resources=[ALARM_ARN])


def alarm_for_lambda(**more: Any) -> Item:
    return {
        "source": "aws.cloudwatch",
        "alarmArn": ALARM_ARN,
        "accountId": ACCOUNT,
        "time": "2026-03-04T05:06:07.000+0000",
        "region": REGION,
        "alarmData": alarm_detail(),
    } | more


def alarm_by_sns(**more: Any) -> Item:
    return {
        "AlarmName": "queue-age",
        "AlarmDescription": "Orders wait too long",
        "AWSAccountId": ACCOUNT,
        "NewStateValue": "ALARM",
        "NewStateReason": "Threshold Crossed",
        "StateChangeTime": "2026-03-04T05:06:07.000+0000",
        "Region": "Europe (Frankfurt)",
        "AlarmArn": ALARM_ARN,
        "OldStateValue": "OK",
        "Trigger": {
            "MetricName": "Age",
            "Namespace": "AWS/SQS",
            "Dimensions": [{"name": "QueueName", "value": "orders"}, {"name": "Stage", "value": "prod"}],
            "ComparisonOperator": "GreaterThanThreshold",
            "Threshold": 600.0,
        },
    } | more


def guardduty(**more: Any) -> Item:
    """A finding as EventBridge's detail has it."""
    return {
        "schemaVersion": "2.0",
        "accountId": ACCOUNT,
        "region": REGION,
        "id": "f00d",
        "arn": f"arn:aws:guardduty:{REGION}:{ACCOUNT}:detector/d/finding/f00d",
        "type": "Recon:EC2/Portscan",
        "resource": {"resourceType": "Instance", "instanceDetails": {"instanceId": "i-0abc"}},
        "service": {"serviceName": "guardduty", "count": 3},
        "severity": 5.5,
        "createdAt": "2026-03-04T05:00:00.000Z",
        "updatedAt": TIME,
        "title": "i-0abc scans ports",
        "description": "An instance scans the ports of a remote host.",
    } | more


def from_sdk(value: Any) -> Any:
    """The same in the SDK's spelling: keys begin with a capital."""
    if isinstance(value, dict):
        return {key[0].upper() + key[1:]: from_sdk(inner) for key, inner in value.items()}
    return value


def asff(**more: Any) -> Item:
    return {
        "SchemaVersion": "2018-10-08",
        "Id": "arn:finding/1",
        "ProductArn": f"arn:aws:securityhub:{REGION}::product/aws/securityhub",
        "ProductName": "Security Hub",
        "GeneratorId": "control/S3.1",
        "AwsAccountId": ACCOUNT,
        "Region": REGION,
        "CreatedAt": "2026-03-01T00:00:00Z",
        "UpdatedAt": TIME,
        "Severity": {"Label": "HIGH", "Normalized": 70},
        "Title": "S3.1 Block public access",
        "Description": "The bucket can be read by anybody.",
        "Remediation": {"Recommendation": {"Url": "https://docs.example/S3.1"}},
        "Resources": [{"Type": "AwsS3Bucket", "Id": "arn:aws:s3:::backups"}],
        "Compliance": {"Status": "FAILED"},
        "Workflow": {"Status": "NEW"},
    } | more


def health(**more: Any) -> Item:
    """A detail of AWS Health."""
    return {
        "eventArn": f"arn:aws:health:{REGION}::event/EC2/DEGRADED/1",
        "service": "EC2",
        "eventTypeCode": "AWS_EC2_DEGRADED",
        "eventTypeCategory": "issue",
        "startTime": "Wed, 4 Mar 2026 05:06:07 GMT",
        "eventDescription": [{"language": "en_US", "latestDescription": "A host is\nslow."}],
        "affectedEntities": [{"entityValue": "i-0abc"}, {"entityValue": "i-0def"}],
    } | more


def stack(status: str = "UPDATE_COMPLETE", **more: Any) -> Item:
    detail = {"stack-id": STACK_ARN, "status-details": {"status": status, "status-reason": ""}} | more
    return envelope("aws.cloudformation", "CloudFormation Stack Status Change", detail, resources=[STACK_ARN])


def log_event(message: Any = "[ERROR] it broke", **more: Any) -> Item:
    return {"id": "3720", "timestamp": 1_772_600_767_000, "message": message} | more


def logs(*events: Item, **more: Any) -> Item:
    """A subscription payload of CloudWatch Logs."""
    return {
        "messageType": "DATA_MESSAGE",
        "owner": ACCOUNT,
        "logGroup": "/aws/lambda/orders",
        "logStream": "2026/03/04/[1]abc",
        "subscriptionFilters": ["errors"],
        "logEvents": list(events or (log_event(),)),
    } | more


def trail(**more: Any) -> Item:
    """A record of CloudTrail."""
    return {
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "AssumedRole",
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deploy/ci",
            "accountId": ACCOUNT,
            "sessionContext": {"sessionIssuer": {"userName": "deploy"}},
        },
        "eventTime": TIME,
        "eventSource": "s3.amazonaws.com",
        "eventName": "DeleteBucket",
        "awsRegion": REGION,
        "sourceIPAddress": "192.0.2.7",
        "eventID": "77aa",
        "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT,
        "resources": [{"ARN": "arn:aws:s3:::backups", "type": "AWS::S3::Bucket"}],
    } | more


def cloudevent(**more: Any) -> Item:
    return {
        "specversion": "1.0",
        "id": "ce-1",
        "source": "monitoring.probes",
        "type": "Certificate Ends",
        "subject": "www.example.com",
        "time": TIME,
        "account": ACCOUNT,
        "data": {"severity": "HIGH", "title": "A certificate ends in 3 days"},
    } | more
