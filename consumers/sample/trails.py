"""CloudTrail: calls that were denied, risky calls that were not, and sign-ins to the console.

Source: AWS CloudTrail User Guide, "CloudTrail record contents" and "AWS Management Console sign-in events".
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final

from consumers.sample.template import Cycle, compiled
from consumers.sample.world import Place, hexes

_CALLS: Final[tuple[tuple[str, str, bool, dict[str, Any]], ...]] = (
    ("ec2", "AuthorizeSecurityGroupIngress", False, {"groupId": "sg-0«hex»", "cidrIp": "0.0.0.0/0", "fromPort": 22}),
    ("iam", "CreateAccessKey", False, {"userName": "nightly-export"}),
    ("iam", "AttachRolePolicy", False, {"roleName": "build", "policyArn": "arn:aws:iam::aws:policy/AdministratorAccess"}),
    ("s3", "PutBucketPolicy", False, {"bucketName": "assets-«hex»", "policy": {"Statement": [{"Effect": "Allow"}]}}),
    ("kms", "ScheduleKeyDeletion", False, {"keyId": "«request»", "pendingWindowInDays": 7}),
    ("cloudtrail", "StopLogging", False, {"name": "organisation-trail"}),
    ("ec2", "RunInstances", True, {"instanceType": "p4d.24xlarge", "minCount": 4, "maxCount": 4}),
    ("secretsmanager", "GetSecretValue", True, {"secretId": "production/database"}),
    ("sts", "AssumeRole", True, {"roleArn": "arn:aws:iam::aws:role/break-glass", "roleSessionName": "«hex»"}),
    ("lambda", "UpdateFunctionCode20150331v2", True, {"functionName": "invoice-export", "dryRun": False}),
)
_AGENT: Final = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36"


def trails(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """API calls, most by EventBridge, some as bare records."""
    found = []
    for place in places:
        for service, name, denied, parameters in rng.sample(_CALLS, 5):
            record = _call(rng, place, (service, name, denied, parameters))
            document = record
            if rng.random() < 0.7:  # noqa: PLR2004 -- the rest are bare records, as a trail's files hold them
                document = place.event(f"aws.{service}", "AWS API Call via CloudTrail", [], record)
            found.append(Cycle(place.account, [compiled(document)]))
    return found


def sign_ins(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Failed sign-ins to the console, a user an account; a burst of these shares one address (the hole ``ip``)."""
    return [Cycle(place.account, [compiled(_sign_in(place, rng.choice(("maria", "jonas", "li", "amara"))))]) for place in places]


def _record(place: Place, service: str, name: str) -> dict[str, Any]:
    return {
        "eventVersion": "1.09",
        "eventTime": "«time»",
        "eventSource": f"{service}.amazonaws.com",
        "eventName": name,
        "awsRegion": place.region,
        "sourceIPAddress": "«ip»",
        "eventID": "«request»",
        "recipientAccountId": place.account,
        "managementEvent": True,
        "eventCategory": "Management",
    }


def _call(rng: Random, place: Place, call: tuple[str, str, bool, dict[str, Any]]) -> dict[str, Any]:
    service, name, denied, parameters = call
    role = f"{place.team}-{rng.choice(('deploy', 'build', 'support'))}"
    session = f"{rng.choice(('ci', 'laptop', 'runner'))}-{hexes(rng, 6)}"
    record = _record(place, service, name) | {
        "userIdentity": {
            "type": "AssumedRole",
            "principalId": f"AROASAMPLE0000000000:{session}",
            "arn": place.iam(f"assumed-role/{role}/{session}", "sts"),
            "accountId": place.account,
            "accessKeyId": "ASIASAMPLE0000000000",
            "sessionContext": {
                "sessionIssuer": {
                    "type": "Role",
                    "principalId": "AROASAMPLE0000000000",
                    "arn": place.iam(f"role/{role}"),
                    "accountId": place.account,
                    "userName": role,
                },
                "attributes": {"creationDate": "«before»", "mfaAuthenticated": "false"},
            },
        },
        "userAgent": "aws-cli/2.17.9 md/awscrt#0.20.11 ua/2.0 os/linux#6.1 md/arch#x86_64 lang/python#3.11.9",
        "requestParameters": parameters,
        "responseElements": None,
        "requestID": "«hex»",
        "readOnly": False,
        "eventType": "AwsApiCall",
        "tlsDetails": {"tlsVersion": "TLSv1.3", "cipherSuite": "TLS_AES_128_GCM_SHA256"},
    }
    if denied:
        record |= {
            "errorCode": "AccessDenied",
            "errorMessage": f"{place.iam(f'assumed-role/{role}/{session}', 'sts')} may not do {service}:{name} here",
        }
    return record


def _sign_in(place: Place, user: str) -> dict[str, Any]:
    record = _record(place, "signin", "ConsoleLogin") | {
        "userIdentity": {"type": "IAMUser", "accountId": place.account, "accessKeyId": "", "userName": user},
        "userAgent": _AGENT,
        "errorMessage": "Failed authentication",
        "requestParameters": None,
        "responseElements": {"ConsoleLogin": "Failure"},
        "additionalEventData": {
            "LoginTo": "https://console.aws.amazon.com/console/home?state=hashArgs%23&isauthcode=true",
            "MobileVersion": "No",
            "MFAUsed": "No",
        },
        "readOnly": False,
        "eventType": "AwsConsoleSignIn",
    }
    return place.event("aws.signin", "AWS Console Sign In via CloudTrail", [], record)
