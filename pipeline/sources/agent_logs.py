"""Lines of logs: what our agents publish as ``monitoring.agent.logs``, and CloudWatch Logs subscription payloads.

Subject:  ``logs/<account>/<region>/<log group>/<log stream>``.
Severity: ``detail.severity`` where an agent states it; else by the line's level: FATAL and CRITICAL are CRITICAL, ERROR is HIGH,
          WARN MEDIUM, INFO and below LOW. A line without a level is UNKNOWN, but HIGH from our agents, which publish errors only.
Level:    of a JSON line its ``level`` (or ``severity``, ``status``, ``levelname``, ``log_level``), of other lines the first level
          in capitals or ``level=…`` within the first 1,000 characters; a traceback and a Lambda timeout are errors.
Payload:  account is ``owner``, region unknown (empty), unless the subscription emits ``@aws.account`` and ``@aws.region``;
          the time is the log event's; its id is the event's. Two subscriptions that deliver one log event tell one finding.
Sources:  Amazon CloudWatch Logs User Guide, "Log group-level subscription filters"; AWS Lambda Developer Guide, "Using Lambda
          with CloudWatch Logs".
"""

import re
from typing import Final

import orjson

from pipeline.sources import fields, severity
from pipeline.sources.reading import Header, Json, Reading, about, clip, distinct, each, facts, line, sub, text, texts

KIND: Final = "agent_logs"
SOURCE: Final = "monitoring.agent.logs"
LINE: Final = "CloudWatch Logs Event"

_LOOKED_AT: Final = 1000
_LEVEL: Final = re.compile(
    r"\b(FATAL|CRITICAL|EMERGENCY|ERROR|WARN(?:ING)?|NOTICE|INFO|DEBUG|TRACE)\b"
    r"|\blevel[\"']?\s*[=:]\s*[\"']?([a-zA-Z]{4,9})\b"
    r"|(Traceback \(most recent call last\)|Task timed out after)",
)
_REQUEST: Final = re.compile(
    r"(?:RequestId:? ?|request_?id[\"']?[=:] ?[\"']?|Z[\t ])([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})", re.IGNORECASE
)
_LEVEL_KEYS: Final = ("level", "severity", "status", "levelname", "log_level")


def read(detail: Json, header: Header) -> Reading:
    """The reading of a line that an agent published."""
    get = detail.get
    stated = get("severity")
    message = text(get("message", get("Message")))
    level = text(get("level", get("logLevel"))).upper() or _level(message) or "ERROR"
    return _reading(
        header,
        severity.WORDS.get(level, severity.HIGH) if stated is None else severity.of_custom(stated, field="detail.severity"),
        text(get("logGroup", get("log_group"))),
        text(get("logStream", get("log_stream"))),
        message,
        level,
        text(get("requestId", get("request_id"))) or _request(message),
    )


def bare(item: Json) -> tuple[Header, Reading, Json]:
    """The header, the reading and the identity of a subscription payload with one log event."""
    event = next(iter(each(item.get("logEvents"))), {})
    extracted = sub(event, "extractedFields")
    account, region = extracted.get("@aws.account"), extracted.get("@aws.region")
    header = Header(
        "aws.logs",
        fields.account(account, "extractedFields.@aws.account") if account else fields.account(item.get("owner"), "owner"),
        fields.region(region, "extractedFields.@aws.region"),
        fields.time(event.get("timestamp"), "logEvents.timestamp"),
        fields.source_id(event.get("id"), "logEvents.id"),
        LINE,
        (),
    )
    group, stream = texts(item, "logGroup", "logStream")
    told = event.get("message")
    message = told if isinstance(told, str) else orjson.dumps(told).decode() if told else ""
    level = _level(message)
    known = severity.WORDS.get(level, severity.UNKNOWN)
    reading = _reading(header, known, group, stream, message, level, _request(message))
    return header, reading, {"logGroup": group, "logStream": stream, "message": told, "timestamp": event.get("timestamp")}


def _reading(header: Header, known: int, group: str, stream: str, message: str, level: str, request: str) -> Reading:  # noqa: PLR0917
    return Reading(
        KIND,
        about(f"logs/{header.account}/{header.region}/{group}/{stream}"),
        known,
        line(f"{group}: {message}"),
        distinct(header.resources, [group]),
        facts(log_group=group, log_stream=stream, message=clip(message), level=level, request_id=request),
    )


def _level(message: str) -> str:
    """The level of a line in capitals, "" if it tells none."""
    if message.startswith("{"):
        try:
            parsed = orjson.loads(message)
        except orjson.JSONDecodeError:
            parsed = {}
        named = next((parsed[key] for key in _LEVEL_KEYS if isinstance(parsed.get(key), str)), "")
        if named.upper() in severity.WORDS:
            return str(named.upper())
    found = _LEVEL.search(message[:_LOOKED_AT])
    if not found:
        return ""
    level = (found[1] or found[2] or "ERROR").upper()
    return level if level in severity.WORDS else ""


def _request(message: str) -> str:
    found = _REQUEST.search(message[:_LOOKED_AT])
    return found[1] if found else ""
