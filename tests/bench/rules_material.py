"""Rules as teams for security and operations keep them: fifty over the sample's sources, and as many more as asked for.

About a third of them name a severity, as ``docs/rules.md`` advises; half of the findings match some rule all the same.
"""

from collections.abc import Iterator, Mapping, Sequence
from itertools import count, islice
from typing import Any, Final

from consumers.rules.rule import Rule, Version

Pattern = Mapping[str, Any]

_CALL: Final = ["AWS API Call via CloudTrail"]
_HIGH: Final = {"severity": [{"numeric": [">=", 3]}]}
_CRITICAL: Final = {"severity": [4]}
_SIGN_IN: Final = ["AWS Console Sign In via CloudTrail"]
_SERVICES: Final = {
    "ec2": ("AuthorizeSecurityGroupIngress", "RunInstances", "CreateKeyPair", "ModifyImageAttribute", "DeleteFlowLogs"),
    "iam": ("CreateAccessKey", "AttachRolePolicy", "CreateUser", "DeactivateMFADevice", "UpdateAssumeRolePolicy"),
    "s3": ("PutBucketPolicy", "DeleteBucket", "PutBucketAcl"),
    "kms": ("ScheduleKeyDeletion", "DisableKey"),
    "cloudtrail": ("StopLogging", "DeleteTrail", "UpdateTrail"),
    "secretsmanager": ("GetSecretValue", "DeleteSecret"),
    "sts": ("AssumeRole", "GetFederationToken"),
    "lambda": ("UpdateFunctionCode20150331v2", "AddPermission20150331v2"),
}


def _calls() -> Iterator[Pattern]:
    for service, names in _SERVICES.items():
        for name in names:
            yield {"source": [f"aws.{service}"], "detail-type": _CALL, "detail": {"eventName": [name]}}


def _others() -> Iterator[Pattern]:
    denied = {"detail-type": _CALL, "detail": {"errorCode": [{"wildcard": "*AccessDenied*"}, {"prefix": "Client.Unauthorized"}]}}
    yield denied
    yield {"detail-type": _CALL, "detail": {"userIdentity": {"type": ["Root"]}}}
    yield {"source": ["aws.signin"], "detail-type": _SIGN_IN, "detail": {"responseElements": {"ConsoleLogin": ["Failure"]}}}
    yield {"source": ["aws.signin"], "detail": {"additionalEventData": {"MFAUsed": ["No"]}, "errorMessage": [{"exists": False}]}}
    yield {"source": ["aws.signin"], "detail": {"sourceIPAddress": [{"cidr": "198.51.100.0/24"}]}}
    yield {"source": ["aws.guardduty"], "finding": _HIGH}
    yield {"source": ["aws.guardduty"], "detail": {"severity": [{"numeric": [">=", 7]}]}}
    for family in ("UnauthorizedAccess:", "CryptoCurrency:", "Backdoor:", "Recon:"):
        yield {"source": ["aws.guardduty"], "detail": {"type": [{"prefix": family}]}}
    yield {"source": ["aws.securityhub"], "finding": _CRITICAL, "detail": {"findings": {"Severity": {"Label": ["CRITICAL"]}}}}
    yield {
        "source": ["aws.securityhub"],
        "finding": _HIGH,
        "detail": {"findings": {"Compliance": {"Status": ["FAILED"]}, "Workflow": {"Status": [{"anything-but": "SUPPRESSED"}]}}},
    }
    for namespace in ("AWS/RDS", "AWS/Lambda", "AWS/ApplicationELB", "AWS/SQS"):
        yield {
            "source": ["aws.cloudwatch"],
            "finding": _HIGH,
            "detail": {
                "state": {"value": ["ALARM"]},
                "configuration": {"metrics": {"metricStat": {"metric": {"namespace": [namespace]}}}},
            },
        }
    yield {"source": ["aws.cloudwatch"], "detail": {"alarmName": [{"suffix": "-p1"}, {"prefix": {"equals-ignore-case": "prod"}}]}}
    yield {
        "source": ["aws.health"],
        "detail": {"eventTypeCategory": ["issue"], "service": [{"anything-but": ["BILLING", "ACCOUNT"]}]},
    }
    yield {"source": ["aws.cloudformation"], "detail": {"status-details": {"status": [{"suffix": "ROLLBACK_COMPLETE"}]}}}
    yield {"source": ["monitoring.agent.logs"], "finding": _CRITICAL, "detail": {"level": ["FATAL", "CRITICAL"]}}
    yield {
        "source": ["monitoring.agent.logs"],
        "detail": {"message": [{"wildcard": "*OutOfMemory*"}, {"wildcard": "*Task timed out*"}]},
    }
    yield {"source": ["aws.ecs"], "detail": {"lastStatus": ["STOPPED"], "stoppedReason": [{"prefix": "Essential container"}]}}
    yield {"source": ["aws.rds"], "detail": {"EventCategories": ["failover", "failure"]}}
    yield {"source": ["aws.backup"], "detail": {"$or": [{"state": ["FAILED", "EXPIRED"]}, {"state": ["ABORTED"]}]}}
    yield {"source": ["aws.codepipeline"], "detail": {"state": ["FAILED"]}}


FIFTY: Final = tuple(islice((*_calls(), *_others()), 50))


def versions(number: int) -> Sequence[Version]:
    """The fifty as they are; beyond these the same again, each for one team's accounts, names or addresses, as rules multiply."""
    made = (_narrowed(pattern, turn) if turn else pattern for turn in count() for pattern in FIFTY)
    return [
        Version(Rule(id=f"rule-{index}", title="A rule", severity=3, match=pattern), number=1)
        for index, pattern in enumerate(islice(made, number))
    ]


def _narrowed(pattern: Pattern, turn: int) -> Pattern:
    """Every third copy is another team's (by account), another user's or role's, or tells another name of event."""
    detail = dict(pattern.get("detail", {}))
    if turn % 3 == 0:
        return {**pattern, "account": [f"{100_000_000_000 + 7919 * turn + at}" for at in range(3)]}
    if turn % 3 == 1:
        detail["userIdentity"] = {
            "sessionContext": {"sessionIssuer": {"userName": [f"team-{turn}-deploy", f"team-{turn}-build"]}}
        }
    else:
        detail["sourceIPAddress"] = [{"cidr": f"203.0.113.{2 * turn}/31"}]
    return {**pattern, "detail": detail}
