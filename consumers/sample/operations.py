"""What happens to things that run: Health, CloudFormation, any other ``aws.*`` service, and sources of one's own.

Sources: AWS Health User Guide, "Amazon EventBridge event schema for AWS Health"; AWS CloudFormation User Guide, "CloudFormation
events detail reference"; the event references of the services named below; CloudEvents 1.0, "JSON event format".
"""

from collections.abc import Callable, Iterator, Sequence
from random import Random
from typing import Any, Final

from consumers.sample.template import Cycle, compiled
from consumers.sample.world import Place, hexes, uuid

_HEALTH: Final = (
    ("EC2", "issue", "AWS_EC2_OPERATIONAL_ISSUE", "Some instances in one zone answer slowly. Work on it goes on."),
    ("RDS", "scheduledChange", "AWS_RDS_MAINTENANCE_SCHEDULED", "The database gets a security update in its window."),
    ("LAMBDA", "accountNotification", "AWS_LAMBDA_PLANNED_LIFECYCLE_EVENT", "A runtime that you use reaches its end of life."),
    ("ACM", "accountNotification", "AWS_ACM_RENEWAL_STATE_CHANGE", "A certificate will not renew without your approval."),
    ("S3", "issue", "AWS_S3_OPERATIONAL_ISSUE", "Requests fail more often than usual. The cause is known."),
    ("EC2", "scheduledChange", "AWS_EC2_INSTANCE_RETIREMENT_SCHEDULED", "The host under an instance is worn out; move it."),
)


def health(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """What AWS tells about itself, opened and later closed."""
    found = []
    for place in places:
        for service, category, code, text in rng.sample(_HEALTH, 3):
            arn = f"arn:{place.partition}:health:{place.region}::event/{service}/{code}/{code}_{hexes(rng, 16)}"
            entity = f"{place.team}-{service.lower()}-{hexes(rng, 8)}"
            documents = []
            for status in ("open", "closed"):
                detail = {
                    "eventArn": arn,
                    "service": service,
                    "eventTypeCode": code,
                    "eventTypeCategory": category,
                    "eventScopeCode": "ACCOUNT_SPECIFIC",
                    "communicationId": "«hex»",
                    "startTime": "«maildate»",
                    "endTime": "«later»" if category == "scheduledChange" else "«maildate»",
                    "lastUpdatedTime": "«maildate»",
                    "statusCode": status,
                    "eventRegion": place.region,
                    "eventDescription": [{"language": "en_US", "latestDescription": f"{text} Affected here: {entity}."}],
                    "affectedEntities": [{"entityValue": entity, "status": "IMPAIRED" if status == "open" else "UNIMPAIRED"}],
                    "affectedAccount": place.account,
                    "page": "1",
                    "totalPages": "1",
                }
                documents.append(place.event("aws.health", "AWS Health Event", [entity], detail))
            found.append(Cycle(place.account, [compiled(document) for document in documents]))
    return found


_STACK_LIVES: Final = (
    (("UPDATE_IN_PROGRESS", "User Initiated"), ("UPDATE_COMPLETE", "")),
    (("CREATE_IN_PROGRESS", "User Initiated"), ("CREATE_COMPLETE", "")),
    (
        ("UPDATE_IN_PROGRESS", "User Initiated"),
        ("UPDATE_ROLLBACK_IN_PROGRESS", "The following resource(s) failed to update: [Service]."),
        ("UPDATE_ROLLBACK_COMPLETE", ""),
    ),
    (("CREATE_IN_PROGRESS", "User Initiated"), ("CREATE_FAILED", "The bucket name is taken by somebody else.")),
)


def cloudformation(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Stacks that are created, updated and rolled back, and their resources."""
    found = []
    for place in places:
        for name in rng.sample(("network", "database", "service", "pipeline", "dns"), 3):
            stack = place.arn("cloudformation", f"stack/{place.name}-{name}/{uuid(rng)}")
            token = f"Console-{hexes(rng, 12)}"
            documents: list[dict[str, Any]] = []
            for status, reason in rng.choice(_STACK_LIVES):
                documents.extend(_stack(place, stack, token, (status, reason)))
            found.append(Cycle(place.account, [compiled(document) for document in documents]))
    return found


def _stack(place: Place, stack: str, token: str, status: tuple[str, str]) -> Iterator[dict[str, Any]]:
    resource = {
        "stack-id": stack,
        "logical-resource-id": "Service",
        "physical-resource-id": place.arn("ecs", f"service/{place.team}/{place.name}"),
        "status-details": {"status": status[0], "status-reason": status[1]},
        "resource-type": "AWS::ECS::Service",
        "client-request-token": token,
    }
    if status[0].removesuffix("_IN_PROGRESS").removesuffix("_COMPLETE").removesuffix("_FAILED") in {"CREATE", "UPDATE", "DELETE"}:
        yield place.event("aws.cloudformation", "CloudFormation Resource Status Change", [stack], resource)
    whole = {
        "stack-id": stack,
        "status-details": {"status": status[0], "status-reason": status[1], "detailed-status": ""},
        "client-request-token": token,
    }
    yield place.event("aws.cloudformation", "CloudFormation Stack Status Change", [stack], whole)


def services(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Events of services that nobody wrote a reader for."""
    return [
        Cycle(place.account, [compiled(document) for document in life(rng, place)])
        for place in places
        for life in rng.sample(_SERVICES, 5)
    ]


def _instance(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    instance = f"i-0{hexes(rng, 16)}"
    for state in ("pending", "running", "shutting-down", "terminated"):
        detail = {"instance-id": instance, "state": state}
        resources = [place.arn("ec2", f"instance/{instance}")]
        yield place.event("aws.ec2", "EC2 Instance State-change Notification", resources, detail)


def _container(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    cluster = place.arn("ecs", f"cluster/{place.team}")
    task = place.arn("ecs", f"task/{place.team}/{hexes(rng, 32)}")
    for status, reason in (("RUNNING", ""), ("STOPPED", "Essential container in task exited")):
        detail = {
            "clusterArn": cluster,
            "taskArn": task,
            "taskDefinitionArn": place.arn("ecs", f"task-definition/{place.team}-web:41"),
            "containers": [
                {
                    "containerArn": place.arn("ecs", f"container/{uuid(rng)}"),
                    "name": "web",
                    "image": f"{place.account}.dkr.ecr.{place.region}.amazonaws.com/{place.team}:4.12.0",
                    "lastStatus": status,
                    "exitCode": 137 if reason else None,
                    "cpu": "512",
                    "memory": "1024",
                }
            ],
            "desiredStatus": status,
            "lastStatus": status,
            "stoppedReason": reason,
            "group": f"service:{place.team}-web",
            "launchType": "FARGATE",
            "availabilityZone": f"{place.region}b",
            "createdAt": "«before»",
            "updatedAt": "«stamp»Z",
            "version": "«#count»",
        }
        yield place.event("aws.ecs", "ECS Task State Change", [task], detail)


def _scaling(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    group = f"{place.team}-workers"
    for kind, word in (("Launch", "Launching a new"), ("Terminate", "Terminating")):
        instance = f"i-0{hexes(rng, 16)}"
        detail = {
            "StatusCode": "InProgress",
            "Description": f"{word} EC2 instance: {instance}",
            "AutoScalingGroupName": group,
            "ActivityId": "«request»",
            "EC2InstanceId": instance,
            "Details": {"Availability Zone": f"{place.region}a", "Subnet ID": f"subnet-0{hexes(rng, 16)}"},
            "StartTime": "«before»",
            "EndTime": "«stamp»Z",
            "Cause": f"At «before» the desired size of {group} was changed by a policy that follows the processor's load.",
        }
        resources = [place.arn("autoscaling", f"autoScalingGroup:{uuid(rng)}:autoScalingGroupName/{group}")]
        yield place.event("aws.autoscaling", f"EC2 Instance {kind} Successful", resources, detail)


def _database(_rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    arn = place.arn("rds", f"db:{place.team}-db")
    for code, message in (("RDS-EVENT-0006", "DB instance restarted"), ("RDS-EVENT-0049", "Multi-AZ failover completed")):
        detail = {
            "EventCategories": ["availability"],
            "SourceType": "DB_INSTANCE",
            "SourceArn": arn,
            "Date": "«stamp»Z",
            "Message": f"{message} ({place.team}-db)",
            "SourceIdentifier": f"{place.team}-db",
            "EventID": code,
        }
        yield place.event("aws.rds", "RDS DB Instance Event", [arn], detail)


def _pipeline(_rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    for state in ("STARTED", "SUCCEEDED", "STARTED", "FAILED"):
        detail = {"pipeline": f"{place.name}-release", "execution-id": "«request»", "state": state, "version": 7.0}
        resources = [place.arn("codepipeline", f"{place.name}-release")]
        yield place.event("aws.codepipeline", "CodePipeline Pipeline Execution State Change", resources, detail)


def _object(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    bucket = f"{place.name}-uploads-{hexes(rng, 6)}"
    detail = {
        "version": "0",
        "bucket": {"name": bucket},
        "object": {"key": "incoming/«hex».csv", "size": "«#port»", "etag": "«hex»", "sequencer": "«hex»"},
        "request-id": "«request»",
        "requester": place.account,
        "source-ip-address": "«ip»",
        "reason": "PutObject",
    }
    yield place.event("aws.s3", "Object Created", [f"arn:{place.partition}:s3:::{bucket}"], detail)


def _backup(rng: Random, place: Place) -> Iterator[dict[str, Any]]:
    for state in ("RUNNING", "COMPLETED", "RUNNING", "ABORTED"):
        detail = {
            "backupJobId": uuid(rng),
            "backupVaultName": "nightly",
            "bytesTransferred": "«port»",
            "creationDate": "«before»",
            "percentDone": "«#count»",
            "resourceType": "EBS",
            "state": state,
        }
        yield place.event("aws.backup", "Backup Job State Change", [place.arn("ec2", f"volume/vol-0{hexes(rng, 16)}")], detail)


_SERVICES: Final[tuple[Callable[[Random, Place], Iterator[dict[str, Any]]], ...]] = (
    _instance,
    _container,
    _scaling,
    _database,
    _pipeline,
    _object,
    _backup,
)


def own(rng: Random, places: Sequence[Place]) -> list[Cycle]:
    """Sources of one's own: EventBridge envelopes, and CloudEvents as a small producer sends them."""
    found = []
    for place in places:
        detail = {
            "check": "certificate-expiry",
            "severity": rng.choice(("LOW", "MEDIUM", "HIGH")),
            "title": f"The certificate of {place.name}.example.com ends soon",
            "description": f"It was read from {place.name}.example.com:443 and ends on «later». Renew it before.",
            "endpoint": f"https://{place.name}.example.com/",
            "days_left": "«#count»",
        }
        document: dict[str, Any] = place.event("monitoring.probes", "Probe Result", [], detail)
        if rng.random() < 0.3:  # noqa: PLR2004 -- a share that speaks CloudEvents
            document = {
                "specversion": "1.0",
                "id": "«id»",
                "source": "monitoring.probes",
                "type": "Probe Result",
                "time": "«micros»Z",
                "subject": f"probe/{place.name}",
                "account": place.account,
                "region": place.region,
                "datacontenttype": "application/json",
                "data": detail,
            }
        found.append(Cycle(place.account, [compiled(document)]))
    return found
