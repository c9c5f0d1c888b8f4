"""AWS Health: issues, scheduled changes and account notifications, in EventBridge's envelope or the bare detail.

Subject:  ``health/<event ARN>``.
Severity: by category: issue HIGH, investigation and scheduledChange MEDIUM, accountNotification LOW; whatever is closed is LOW.
Bare:     a detail alone has its ``lastUpdatedTime``, else its ``startTime``; its region from ``eventRegion``, else from the ARN.
          Its account is ``affectedAccount``; without it the account stays empty, as it is for AWS's public events. The id is
          the event ARN.
Source:   AWS Health User Guide, "Reference: AWS Health events Amazon EventBridge schema".
"""

from typing import Final

from pipeline.sources import fields, generic, severity
from pipeline.sources.reading import Header, Json, Reading, about, arn_part, clip, distinct, each, facts, line, sub, text, texts

KIND: Final = "health"
EVENT: Final = "AWS Health Event"

SEVERITY: Final = {
    "issue": severity.HIGH,
    "investigation": severity.MEDIUM,
    "scheduledChange": severity.MEDIUM,
    "accountNotification": severity.LOW,
}


def read(detail: Json, header: Header) -> Reading:
    """The reading of a Health event's detail."""
    arn, code = texts(detail, "eventArn", "eventTypeCode")
    if not (arn or code):
        return generic.plain(detail, header, KIND, "description")
    service, category, status, start, end = texts(detail, "service", "eventTypeCategory", "statusCode", "startTime", "endTime")
    affected = [text(entity.get("entityValue")) for entity in each(detail.get("affectedEntities"))]
    description = _description(detail)
    return Reading(
        KIND,
        about(f"health/{arn or code}"),
        severity.LOW if status == "closed" else SEVERITY.get(category, severity.UNKNOWN),
        line(f"{service} {category} {code}: {description}" if description else f"{service} {category} {code}"),
        distinct(header.resources, affected),
        facts(
            service=service,
            event_type_code=code,
            category=category,
            description=clip(description),
            status=status,
            start_time=start,
            end_time=end,
            affected=len(affected) or None,
        ),
    )


def bare(item: Json) -> tuple[Header, Reading]:
    """The header and reading of a detail that stands alone."""
    arn, told = text(item.get("eventArn")), "lastUpdatedTime" if item.get("lastUpdatedTime") else "startTime"
    account = item.get("affectedAccount")
    region = item.get("eventRegion")
    header = Header(
        "aws.health",
        "" if account is None else fields.account(account, "affectedAccount"),
        fields.region(region, "eventRegion") if region else fields.region(arn_part(arn, 3), "eventArn"),
        fields.time(item.get(told), told),
        fields.source_id(item.get("eventArn"), "eventArn"),
        EVENT,
        (),
    )
    return header, read(item, header)


def _description(detail: Json) -> str:
    """The description in English, else the first there is."""
    told = each(detail.get("eventDescription"))
    best = next((one for one in told if text(one.get("language")).startswith("en")), told[0] if told else sub(detail, ""))
    return text(best.get("latestDescription")).strip()
