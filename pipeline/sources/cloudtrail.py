"""CloudTrail: who did what by the AWS API, as bare records (log files, ``LookupEvents``) and through EventBridge.

Source:   a bare record gets the source that EventBridge would give it, ``aws.`` and the service of ``eventSource``.
Account:  of a bare record ``recipientAccountId``; records of versions that lack it have their caller's account.
Subject:  ``cloudtrail/<account>/<who>``: what one identity does in an account is in order; without one the fallback.
Severity: a record claims none, so UNKNOWN; LOW for a call that was refused or failed. Rules judge.
Sources:  AWS CloudTrail User Guide, "CloudTrail record contents"; Amazon EventBridge User Guide, "AWS service events
          delivered via AWS CloudTrail".
"""

import re
from collections.abc import Iterator
from typing import Any, Final

from pipeline.errors import ItemRejected, quoted
from pipeline.sources import fields, severity
from pipeline.sources.reading import Header, Json, Reading, about, clip, distinct, each, facts, fallback, line, sub, text, texts

KIND: Final = "cloudtrail"
SUFFIX: Final = " via CloudTrail"

_DETAIL_TYPES: Final = {
    "AwsConsoleSignIn": "AWS Console Sign In via CloudTrail",
    "AwsConsoleSignin": "AWS Console Sign In via CloudTrail",
    "AwsConsoleAction": "AWS Console Action via CloudTrail",
    "AwsServiceEvent": "AWS Service Event via CloudTrail",
    "AwsCloudTrailInsight": "AWS Insight via CloudTrail",
    "AwsVpceEvent": "AWS Network Activity Event via CloudTrail",
}
_CALL: Final = "AWS API Call via CloudTrail"
_SERVICE: Final = re.compile(r"[a-z0-9][a-z0-9.-]{0,200}", re.ASCII)


def read(detail: Json, header: Header) -> Reading:
    """The reading of a record."""
    name, event_source, error, message = texts(detail, "eventName", "eventSource", "errorCode", "errorMessage")
    identity = sub(detail, "userIdentity")
    who, user = _principal(identity), _user(identity)
    told = f"{user or 'Somebody'} called {name} on {event_source}" + "".join(f" - {part}" for part in (error, message) if part)
    failed = error or text(sub(detail, "responseElements").get("ConsoleLogin")) == "Failure"
    return Reading(
        KIND,
        about(f"cloudtrail/{header.account}/{who}") if who else fallback(header, header.resources),
        severity.LOW if failed else severity.UNKNOWN,
        line(told),
        distinct(header.resources, _resources(detail)),
        facts(
            event_name=name,
            event_source=event_source,
            user=user,
            source_ip=text(detail.get("sourceIPAddress")),
            error_code=error,
            error_message=clip(message),
        ),
    )


def bare(item: Json) -> tuple[Header, Reading]:
    """The header and reading of a record that stands alone."""
    recipient, caller = item.get("recipientAccountId"), sub(item, "userIdentity").get("accountId")
    account = fields.account(caller, "userIdentity.accountId") if recipient is None and caller is not None else None
    event_source = text(item.get("eventSource"))
    service = event_source.removesuffix(".amazonaws.com")
    if not _SERVICE.fullmatch(service):
        reason = f"eventSource {quoted(event_source)} names no AWS service (such as s3.amazonaws.com)"
        raise ItemRejected.of(field="eventSource", reason=reason)
    header = Header(
        f"aws.{service}",
        account or fields.account(recipient, "recipientAccountId"),
        fields.region(item.get("awsRegion"), "awsRegion"),
        fields.time(item.get("eventTime"), "eventTime"),
        fields.source_id(item.get("eventID"), "eventID"),
        _DETAIL_TYPES.get(text(item.get("eventType")), _CALL),
        (),
    )
    return header, read(item, header)


def _principal(identity: Json) -> str:
    return next((text(identity.get(key)) for key in ("arn", "principalId", "invokedBy", "userName") if identity.get(key)), "")


def _user(identity: Json) -> str:
    """The name that people know: of the user, else of the role that was assumed, else the ARN's end, else the service."""
    issuer = sub(sub(identity, "sessionContext"), "sessionIssuer")
    named = text(identity.get("userName")) or text(issuer.get("userName"))
    arn = text(identity.get("arn"))
    return named or arn.rpartition("/")[2] or text(identity.get("invokedBy")) or text(identity.get("type"))


def _resources(detail: Json) -> Iterator[Any]:
    for resource in each(detail.get("resources")):
        yield resource.get("ARN")
