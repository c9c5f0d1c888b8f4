"""GuardDuty findings and Security Hub findings, their texts made up, their shapes as AWS documents them.

Sources: Amazon GuardDuty User Guide, "GuardDuty finding format" (a finding is told again with a growing count);
AWS Security Hub User Guide, "AWS Security Finding Format (ASFF)".
"""

from collections.abc import Sequence
from random import Random
from typing import Any, Final, NamedTuple

from consumers.sample.template import Cycle, compiled
from consumers.sample.world import Place, hexes, uuid


class _Threat(NamedTuple):
    """A kind of GuardDuty finding, about an instance, an access key or a bucket."""

    type: str
    severity: float
    about: str
    title: str
    description: str


_THREATS: Final = (
    _Threat("Recon:EC2/PortProbeUnprotectedPort", 2.0, "instance", "An open port is being probed.",
            "A host known for scanning knocks on a port that the security group leaves open to everyone."),
    _Threat("UnauthorizedAccess:EC2/SSHBruteForce", 2.0, "instance", "Somebody is guessing SSH passwords.",
            "Many failed log-ins over SSH within minutes, all from one address outside the company."),
    _Threat("CryptoCurrency:EC2/BitcoinTool.B!DNS", 8.0, "instance", "An instance asks for a mining pool.",
            "The instance resolved a name that belongs to a mining pool; nothing here should mine."),
    _Threat("Backdoor:EC2/C&CActivity.B!DNS", 8.9, "instance", "An instance talks to a command server.",
            "The instance resolved a name used to steer malware. Isolate it before looking closer."),
    _Threat("UnauthorizedAccess:IAMUser/ConsoleLoginSuccess.B", 5.0, "key", "A sign-in from two places at once.",
            "The same user signed in from two far apart countries within the hour."),
    _Threat("UnauthorizedAccess:IAMUser/InstanceCredentialExfiltration.OutsideAWS", 8.0, "key", "Instance keys used outside.",
            "Credentials made for an instance were used from an address that is not Amazon's."),
    _Threat("Policy:IAMUser/RootCredentialUsage", 2.5, "key", "The root user was used.",
            "An API call was signed by the account's root user, which should rest in a safe."),
    _Threat("Policy:S3/BucketAnonymousAccessGranted", 8.0, "bucket", "A bucket became public.",
            "A policy or access list now lets anyone read the bucket."),
    _Threat("Exfiltration:S3/AnomalousBehavior", 8.3, "bucket", "Unusual amounts leave a bucket.",
            "A principal reads far more objects than it ever did before."),
    _Threat("Discovery:S3/AnomalousBehavior", 4.5, "bucket", "Somebody looks around in buckets.",
            "A principal lists buckets that it never touched, from an unknown network."),
)  # fmt: skip

_CONTROLS: Final = (
    ("S3.8", "Buckets should block public access", "HIGH", "AwsS3Bucket", "s3", "Turn on block public access for the bucket."),
    (
        "EC2.19",
        "Security groups should not open risky ports",
        "CRITICAL",
        "AwsEc2SecurityGroup",
        "ec2",
        "Narrow the inbound rule.",
    ),
    ("IAM.6", "The root user should have a hardware key", "CRITICAL", "AwsAccount", "iam", "Register a hardware key for root."),
    (
        "RDS.3",
        "Databases should encrypt what they store",
        "MEDIUM",
        "AwsRdsDbInstance",
        "rds",
        "Copy the snapshot with encryption.",
    ),
    (
        "Lambda.2",
        "Functions should use a supported runtime",
        "MEDIUM",
        "AwsLambdaFunction",
        "lambda",
        "Raise the runtime's version.",
    ),
    ("CloudTrail.4", "Trails should validate their files", "LOW", "AwsCloudTrailTrail", "cloudtrail", "Switch validation on."),
    ("SSM.1", "Instances should be managed", "MEDIUM", "AwsEc2Instance", "ec2", "Attach the managed-instance role."),
    ("KMS.4", "Keys should rotate", "LOW", "AwsKmsKey", "kms", "Enable yearly rotation."),
)
_NORMALISED: Final = {"LOW": 1, "MEDIUM": 40, "HIGH": 70, "CRITICAL": 90}


def guardduty(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Some threats in each place; each keeps its finding id and is told again."""
    return [
        Cycle(place.account, [compiled(_threat_event(rng, place, threat))])
        for place in places
        for threat in rng.sample(_THREATS, 4)
    ]


def _threat_event(rng: Random, place: Place, threat: _Threat) -> dict[str, Any]:
    detector = hexes(rng, 32)
    finding = hexes(rng, 32)
    arn = place.arn("guardduty", f"detector/{detector}/finding/{finding}")
    detail = {
        "schemaVersion": "2.0",
        "accountId": place.account,
        "region": place.region,
        "partition": place.partition,
        "id": finding,
        "arn": arn,
        "type": threat.type,
        "resource": _target(rng, place, threat.about),
        "service": {
            "serviceName": "guardduty",
            "detectorId": detector,
            "action": {
                "actionType": "NETWORK_CONNECTION",
                "networkConnectionAction": {
                    "connectionDirection": "INBOUND",
                    "protocol": "TCP",
                    "localPortDetails": {"port": 22, "portName": "SSH"},
                    "remotePortDetails": {"port": "«#port»", "portName": "Unknown"},
                    "remoteIpDetails": {"ipAddressV4": "«ip»", "country": {"countryName": "Nowhere"}},
                    "blocked": False,
                },
            },
            "resourceRole": "TARGET",
            "additionalInfo": {"sample": True},
            "eventFirstSeen": "«before»",
            "eventLastSeen": "«time»",
            "archived": False,
            "count": "«#count»",
        },
        "severity": threat.severity,
        "createdAt": "«before»",
        "updatedAt": "«stamp»Z",
        "title": threat.title,
        "description": threat.description,
    }
    return place.event("aws.guardduty", "GuardDuty Finding", [], detail)


def _target(rng: Random, place: Place, about: str) -> dict[str, Any]:
    match about:
        case "instance":
            instance = {
                "instanceId": f"i-0{hexes(rng, 16)}",
                "instanceType": "m6i.large",
                "imageId": f"ami-0{hexes(rng, 16)}",
                "instanceState": "running",
                "availabilityZone": f"{place.region}a",
                "tags": [{"key": "team", "value": place.team}, {"key": "stage", "value": place.stage}],
            }
            return {"resourceType": "Instance", "instanceDetails": instance}
        case "key":
            key = {
                "accessKeyId": "ASIASAMPLE0000000000",
                "principalId": "AROASAMPLE0000000000:deploy",
                "userType": "AssumedRole",
                "userName": f"{place.team}-deploy",
            }
            return {"resourceType": "AccessKey", "accessKeyDetails": key}
        case _:
            name = f"{place.name}-assets-{hexes(rng, 6)}"
            return {
                "resourceType": "S3Bucket",
                "s3BucketDetails": [{"arn": f"arn:{place.partition}:s3:::{name}", "name": name, "type": "Destination"}],
            }


def securityhub(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Controls that fail and later pass, imported by EventBridge, and some bare findings."""
    found = []
    for place in places:
        for control in rng.sample(_CONTROLS, 4):
            failed, passed = _asff(rng, place, control)
            if rng.random() < 0.15:  # noqa: PLR2004 -- a share of bare ones, as an export gives them
                documents: list[dict[str, Any]] = [failed, passed]
            else:
                documents = [
                    place.event("aws.securityhub", "Security Hub Findings - Imported", [one["Id"]], {"findings": [one]})
                    for one in (failed, passed)
                ]
            found.append(Cycle(place.account, [compiled(document) for document in documents]))
    return found


def _asff(rng: Random, place: Place, control: tuple[str, str, str, str, str, str]) -> tuple[dict[str, Any], dict[str, Any]]:
    number, title, label, kind, service, advice = control
    standard = "aws-foundational-security-best-practices/v/1.0.0"
    finding = {
        "SchemaVersion": "2018-10-08",
        "Id": place.arn("securityhub", f"subscription/{standard}/{number}/finding/{uuid(rng)}"),
        "ProductArn": f"arn:{place.partition}:securityhub:{place.region}::product/aws/securityhub",
        "ProductName": "Security Hub",
        "CompanyName": "AWS",
        "Region": place.region,
        "GeneratorId": f"{standard}/{number}",
        "AwsAccountId": place.account,
        "AwsAccountName": place.name,
        "Types": ["Software and Configuration Checks/Industry and Regulatory Standards"],
        "FirstObservedAt": "«before»",
        "LastObservedAt": "«stamp»Z",
        "CreatedAt": "«before»",
        "UpdatedAt": "«stamp»Z",
        "Title": f"{number} {title}",
        "Description": f"This control looks at {place.name}. {title}: it fails if one does not.",
        "Remediation": {"Recommendation": {"Text": advice, "Url": f"https://wiki.example.com/controls/{number}"}},
        "ProductFields": {"StandardsControlArn": place.arn("securityhub", f"control/{standard}/{number}")},
        "Resources": [
            {
                "Type": kind,
                "Id": place.arn(service, f"{place.team}/{hexes(rng, 12)}"),
                "Partition": place.partition,
                "Region": place.region,
            }
        ],
        "RecordState": "ACTIVE",
    }
    failed = finding | {
        "Compliance": {"Status": "FAILED"},
        "WorkflowState": "NEW",
        "Workflow": {"Status": "NEW"},
        "Severity": {"Label": label, "Normalized": _NORMALISED[label], "Original": label},
    }
    passed = finding | {
        "Compliance": {"Status": "PASSED"},
        "WorkflowState": "NEW",
        "Workflow": {"Status": "RESOLVED"},
        "Severity": {"Label": "INFORMATIONAL", "Normalized": 0, "Original": "INFORMATIONAL"},
    }
    return failed, passed
