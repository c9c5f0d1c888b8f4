"""Security Hub findings: EventBridge's envelope with one finding, and bare findings in ASFF.

Subject:  ``securityhub/<finding id>``; what carries no finding (insight results) has the fallback.
Severity: the label; without one the normalised number: 0 and INFORMATIONAL are LOW (looked at, nothing found),
          1-39 LOW, 40-69 MEDIUM, 70-89 HIGH, 90-100 CRITICAL.
Bare:     account ``AwsAccountId``; region ``Region``, else the one in ``ProductArn``; time ``UpdatedAt``; id ``Id``.
          An envelope keeps its own account, which for a delegated administrator is not the finding's.
Sources:  AWS Security Hub API Reference, "Severity"; User Guide, "EventBridge event formats for Security Hub".
"""

from typing import Final

from pipeline.sources import fields, generic, severity
from pipeline.sources.reading import (
    Header,
    Json,
    Reading,
    about,
    arn_part,
    clip,
    distinct,
    each,
    facts,
    line,
    number,
    sub,
    text,
    texts,
)

KIND: Final = "securityhub"
IMPORTED: Final = "Security Hub Findings - Imported"

_STEPS: Final = ((90, severity.CRITICAL), (70, severity.HIGH), (40, severity.MEDIUM), (0, severity.LOW))


def read(detail: Json, header: Header) -> Reading:
    """The reading of an envelope's detail: of its first finding (an envelope with several was split before)."""
    found = each(detail.get("findings"))
    return read_finding(found[0], header) if found else generic.plain(detail, header, KIND, "title", "description")


def read_finding(finding: Json, header: Header) -> Reading:
    """The reading of one finding in ASFF."""
    finding_id, title, description, generator = texts(finding, "Id", "Title", "Description", "GeneratorId")
    stated = sub(finding, "Severity") or sub(sub(finding, "FindingProviderFields"), "Severity")
    affected = [resource.get("Id") for resource in each(finding.get("Resources"))]
    compliance = text(sub(finding, "Compliance").get("Status"))
    return Reading(
        KIND,
        about(f"securityhub/{finding_id or header.source_id or header.account}"),
        of_severity(stated),
        line(f"{title or finding_id or header.detail_type}{f' ({compliance})' if compliance else ''}"),
        distinct(affected, header.resources),
        facts(
            title=clip(title),
            description=clip(description),
            product=text(finding.get("ProductName")) or arn_part(finding.get("ProductArn"), 5).removeprefix("product/"),
            compliance=compliance,
            workflow=text(sub(finding, "Workflow").get("Status")) or text(finding.get("WorkflowState")),
            severity_label=text(stated.get("Label")),
            generator=generator,
            remediation_url=text(sub(sub(finding, "Remediation"), "Recommendation").get("Url")),
        ),
    )


def bare(item: Json) -> tuple[Header, Reading]:
    """The header and reading of a finding that stands alone."""
    region = item.get("Region")
    header = Header(
        "aws.securityhub",
        fields.account(item.get("AwsAccountId"), "AwsAccountId"),
        fields.region(region, "Region") if region else fields.region(arn_part(item.get("ProductArn"), 3), "ProductArn"),
        fields.time(item.get("UpdatedAt"), "UpdatedAt"),
        fields.source_id(item.get("Id"), "Id"),
        IMPORTED,
        (),
    )
    return header, read_finding(item, header)


def of_severity(stated: Json) -> int:
    """The severity of ASFF's ``Severity`` object."""
    named = severity.of_word(stated.get("Label"))
    if named is not None:
        return named
    normalised = number(stated.get("Normalized"))
    return (
        severity.UNKNOWN
        if normalised is None
        else next((level for least, level in _STEPS if normalised >= least), severity.UNKNOWN)
    )
