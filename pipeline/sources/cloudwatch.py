"""CloudWatch alarms, in the three shapes in which AWS tells of them.

Shapes:   EventBridge (``detail``), the SNS message of an alarm action, the event of a Lambda alarm action (``alarmData``).
Subject:  ``alarm/<alarm ARN>``, the same in all shapes; an SNS message without ``AlarmArn`` gets the ARN that region, account
          and name make.
Severity: ALARM is HIGH. INSUFFICIENT_DATA is MEDIUM: the watch is blind, which somebody should see, but nobody be woken for.
          OK is LOW. A change of an alarm's configuration is LOW, whatever the state.
Sources:  Amazon CloudWatch User Guide, "Alarm events and EventBridge", "Invoke a Lambda function from an alarm";
          ``Region`` in the SNS message is a display name, so the region comes from ``AlarmArn``.
"""

import re
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

KIND: Final = "cloudwatch_alarm"
STATE_CHANGE: Final = "CloudWatch Alarm State Change"

SEVERITY: Final = {"ALARM": severity.HIGH, "INSUFFICIENT_DATA": severity.MEDIUM, "OK": severity.LOW}

_IN_REASON_DATA: Final = re.compile(r'"threshold" ?: ?(-?\d{1,15}(?:\.\d{1,15})?(?:[eE][+-]?\d{1,2})?)[,}]')
_PARTITIONS: Final = (
    ("cn-", "aws-cn"),
    ("us-gov-", "aws-us-gov"),
    ("us-iso-", "aws-iso"),
    ("us-isob-", "aws-iso-b"),
    ("us-isof-", "aws-iso-f"),
    ("eu-isoe-", "aws-iso-e"),
    ("eusc-", "aws-eusc"),
)
_NAMES_A_RESOURCE: Final = ("Id", "Identifier", "Name", "Arn", "ARN")


def read(detail: Json, header: Header) -> Reading:
    """The reading of EventBridge's ``detail`` or of a Lambda action's ``alarmData``, which have one form."""
    name = text(detail.get("alarmName"))
    if not name:
        return generic.plain(detail, header, KIND, "description")
    state, configuration = sub(detail, "state"), sub(detail, "configuration")
    value, reason = texts(state, "value", "reason")
    before = text(sub(detail, "previousState").get("value"))
    operation = text(detail.get("operation"))
    metric, dimensions = _metric(configuration)
    given = header.resources
    arn = given[0] if given and ":alarm:" in given[0] else _arn(header, name)
    return Reading(
        KIND,
        about(f"alarm/{arn}"),
        severity.LOW if operation else SEVERITY.get(value, severity.UNKNOWN),
        line(f"Alarm {name}: configuration {operation}d" if operation else _told(name, value, before, reason)),
        distinct(given, dimensions),
        facts(
            alarm_name=name,
            state=value,
            previous_state=before,
            reason=clip(reason),
            description=clip(text(configuration.get("description"))),
            namespace=text(metric.get("namespace")),
            metric=text(metric.get("name")),
            threshold=_threshold(configuration, state),
        ),
    )


def from_lambda(item: Json) -> tuple[Header, Reading]:
    """The header and reading of the event that an alarm's Lambda action gets."""
    arn = text(item.get("alarmArn"))
    header = Header(
        fields.source(item.get("source", "aws.cloudwatch"), frozenset()),
        fields.account(item.get("accountId"), "accountId"),
        fields.region(item.get("region")),
        fields.time(item.get("time")),
        "",
        STATE_CHANGE,
        distinct([arn]),
    )
    return header, read(sub(item, "alarmData"), header)


def from_sns(item: Json) -> tuple[Header, Reading]:
    """The header and reading of the message that an alarm's SNS action sends."""
    name, arn = text(item.get("AlarmName")), item.get("AlarmArn")
    account = fields.account(item.get("AWSAccountId"), "AWSAccountId")
    region = fields.region(arn_part(arn, 3), "AlarmArn") if arn else fields.region(item.get("Region"), "Region")
    moment = fields.time(item.get("StateChangeTime"), "StateChangeTime")
    header = Header("aws.cloudwatch", account, region, moment, "", STATE_CHANGE, distinct([arn]))
    value, before, reason = texts(item, "NewStateValue", "OldStateValue", "NewStateReason")
    trigger = sub(item, "Trigger")
    metric, dimensions = _sns_metric(trigger)
    reading = Reading(
        KIND,
        about(f"alarm/{arn if isinstance(arn, str) else _arn(header, name)}"),
        SEVERITY.get(value, severity.UNKNOWN),
        line(_told(name, value, before, reason)),
        distinct(header.resources, dimensions),
        facts(
            alarm_name=name,
            state=value,
            previous_state=before,
            reason=clip(reason),
            description=clip(text(item.get("AlarmDescription"))),
            namespace=text(metric.get("Namespace")),
            metric=text(metric.get("MetricName")),
            threshold=number(trigger.get("Threshold")),
            comparison=text(trigger.get("ComparisonOperator")),
        ),
    )
    return header, reading


def _told(name: str, value: str, before: str, reason: str) -> str:
    was = f" (was {before})" if before and before != value else ""
    return f"Alarm {name} is {value or 'in an unknown state'}{was}: {reason}" if reason else f"Alarm {name} is {value}{was}"


def _arn(header: Header, name: str) -> str:
    partition = next((long for prefix, long in _PARTITIONS if header.region.startswith(prefix)), "aws")
    return f"arn:{partition}:cloudwatch:{header.region}:{header.account}:alarm:{name}"


def _metric(configuration: Json) -> tuple[Json, list[str]]:
    """The first metric of an alarm and the resources that its dimensions name."""
    for query in each(configuration.get("metrics")):
        metric = sub(sub(query, "metricStat"), "metric")
        if metric:
            dimensions = metric.get("dimensions")
            if not dimensions or type(dimensions) is not dict:
                return metric, []
            return metric, [value for key, value in dimensions.items() if key.endswith(_NAMES_A_RESOURCE)]
    return {}, []


def _sns_metric(trigger: Json) -> tuple[Json, list[str]]:
    metric = trigger
    if "MetricName" not in trigger:
        metrics = (sub(sub(query, "MetricStat"), "Metric") for query in each(trigger.get("Metrics")))
        metric = next((found for found in metrics if found), trigger)
    named = [item for item in each(metric.get("Dimensions")) if text(item.get("name")).endswith(_NAMES_A_RESOURCE)]
    return metric, [item.get("value", "") for item in named]


def _threshold(configuration: Json, state: Json) -> float | None:
    """The threshold, which EventBridge tells only inside ``state.reasonData``, a text of JSON."""
    stated, data = configuration.get("threshold"), state.get("reasonData")
    if stated is not None or type(data) is not str:
        return number(stated)
    found = _IN_REASON_DATA.search(data)
    return float(found[1]) if found else None
