"""GuardDuty findings: EventBridge's ``detail`` (camelCase) and what the SDK's ``GetFindings`` returns (CamelCase).

Subject:  ``guardduty/<finding id>``, else the fallback (a scan result has no finding id).
Severity: from the score: LOW 1.0-3.9, MEDIUM 4.0-6.9, HIGH 7.0-8.9, CRITICAL 9.0-10.0; below 1 LOW, 0 and no score UNKNOWN.
          A malware scan that found threats is HIGH, one that found none LOW, one that could not look MEDIUM.
Time:     of a bare finding its last update (``updatedAt``), else its creation.
Sources:  Amazon GuardDuty User Guide, "Severity levels for GuardDuty findings", "Monitoring S3 object scans with EventBridge".
"""

from collections.abc import Iterator
from typing import Any, Final

from pipeline.sources import fields, generic, severity
from pipeline.sources.reading import (
    Header,
    Json,
    Reading,
    about,
    clip,
    distinct,
    each,
    facts,
    fallback,
    line,
    number,
    sub,
    text,
    whole,
)

KIND: Final = "guardduty"
FINDING: Final = "GuardDuty Finding"

_STEPS: Final = ((9.0, severity.CRITICAL), (7.0, severity.HIGH), (4.0, severity.MEDIUM))
_SCANS: Final = {"THREATS_FOUND": severity.HIGH, "NO_THREATS_FOUND": severity.LOW}


def read(detail: Json, header: Header) -> Reading:
    """The reading of a finding, or of anything else that GuardDuty sends."""
    if "scanResultDetails" in detail:
        return _scan(detail, header)
    kind, title, finding_id = (text(_either(detail, key)) for key in ("type", "title", "id"))
    if not (kind or title):
        return generic.plain(detail, header, KIND, "title", "description")
    score = number(_either(detail, "severity"))
    resource, service = _part(detail, "resource"), _part(detail, "service")
    return Reading(
        KIND,
        about(f"guardduty/{finding_id}") if finding_id else fallback(header, header.resources),
        of_score(score),
        line(f"{title} ({kind})" if title and kind else title or kind),
        distinct(header.resources, _resources(resource)),
        facts(
            finding_type=kind,
            title=title,
            description=clip(text(_either(detail, "description"))),
            score=score,
            resource_type=text(_either(resource, "resourceType")),
            count=whole(_either(service, "count")),
        ),
    )


def bare(item: Json) -> tuple[Header, Reading]:
    """The header and reading of a finding that stands alone."""
    updated = "updatedAt" if _either(item, "updatedAt") else "createdAt"
    header = Header(
        "aws.guardduty",
        fields.account(_either(item, "accountId"), "accountId"),
        fields.region(_either(item, "region")),
        fields.time(_either(item, updated), updated),
        fields.source_id(_either(item, "id")),
        FINDING,
        (),
    )
    return header, read(item, header)


def of_score(score: float | None) -> int:
    """The severity of GuardDuty's score, 0-10."""
    if not score or score < 0:
        return severity.UNKNOWN
    return next((level for least, level in _STEPS if score >= least), severity.LOW)


def _scan(detail: Json, header: Header) -> Reading:
    result = text(sub(detail, "scanResultDetails").get("scanResultStatus")) or text(detail.get("scanStatus"))
    place = sub(detail, "s3ObjectDetails")
    bucket, key = text(place.get("bucketName")), text(place.get("objectKey"))
    threats = [text(threat.get("name")) for threat in each(sub(detail, "scanResultDetails").get("threats"))]
    title = f"{header.detail_type}: {result}"
    where = f" in s3://{bucket}/{key}" if bucket else ""
    return Reading(
        KIND,
        fallback(header, header.resources),
        _SCANS.get(result, severity.MEDIUM),
        line(f"{title}{where}{': ' if threats else ''}{', '.join(threats)}"),
        distinct(header.resources, [f"arn:aws:s3:::{bucket}/{key}"] if bucket else []),
        facts(
            finding_type=result, title=title, description=clip(", ".join(threats)), resource_type=text(detail.get("resourceType"))
        ),
    )


def _either(item: Json, key: str) -> Any:
    """The value under ``key``, or under ``Key`` as the SDK spells it."""
    return item[key] if key in item else item.get(key[0].upper() + key[1:])


def _part(item: Json, key: str) -> Json:
    part = _either(item, key)
    return part if isinstance(part, dict) else {}


def _resources(resource: Json) -> Iterator[Any]:
    """The ARNs and ids of what a finding is about."""
    yield _either(_part(resource, "instanceDetails"), "instanceId")
    for bucket in each(_either(resource, "s3BucketDetails")):
        yield _either(bucket, "arn")
    for part, key in (
        ("eksClusterDetails", "arn"),
        ("ecsClusterDetails", "arn"),
        ("lambdaDetails", "functionArn"),
        ("rdsDbInstanceDetails", "dbInstanceArn"),
        ("accessKeyDetails", "accessKeyId"),
    ):
        yield _either(_part(resource, part), key)
