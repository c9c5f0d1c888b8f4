"""What our own agents say of themselves, and CloudFormation of their stacks: that they live, and how their deployment goes.

Types:    "Agent Heartbeat" becomes ``agent.beat``; "Agent Deployed" and "Agent Status Change" become ``agent.deployed``; anything
          else from ``monitoring.agent`` is a generic finding.
Subject:  ``agent/<account>``.
Time:     when the agent was deployed, or reached the status, is the envelope's time.
Severity: of a deployment: failed HIGH, disabled MEDIUM, else LOW; a heartbeat is UNKNOWN.
"""

from typing import Any, Final

from pipeline.errors import ItemRejected, quoted
from pipeline.sources import generic, severity
from pipeline.sources.reading import Header, Json, Reading, clip, distinct, facts, line, text

KIND: Final = "agent"
SOURCE: Final = "monitoring.agent"
BEAT: Final = "agent.beat"
DEPLOYED: Final = "agent.deployed"

_NAME: Final = 256
_ARN: Final = 2048
_STATUSES: Final = {
    "pending": severity.LOW,
    "deploying": severity.LOW,
    "active": severity.LOW,
    "failed": severity.HIGH,
    "disabled": severity.MEDIUM,
}


def read(detail: Json, header: Header) -> Reading:
    """The reading of an agent's message."""
    version = text(detail.get("version"))[:_NAME]
    match header.detail_type:
        case "Agent Heartbeat":
            told = line(f"Agent in {_where(header)} is alive")
            return Reading(
                KIND, _subject(header), severity.UNKNOWN, told, distinct(header.resources), facts(version=version), BEAT
            )
        case "Agent Deployed" | "Agent Status Change":
            stack, reason = text(_either(detail, "stack_id", "stackId"))[:_ARN], clip(text(detail.get("reason")))
            return deployed(header, _status(detail, header), version=version, stack=stack, reason=reason)
        case _:
            return generic.read(detail, header)


def deployed(
    header: Header, status: str, *, stack: str, reason: str, version: str = "", worse: int = severity.UNKNOWN
) -> Reading:
    """The reading of a deployment that reached ``status``, at least as severe as ``worse``."""
    return Reading(
        KIND,
        _subject(header),
        max(_STATUSES[status], worse),
        line(" ".join(filter(None, ("Agent", version, "in", _where(header), "is", status, reason and f"({reason})")))),
        distinct(header.resources, [stack]),
        facts(status=status, version=version, stack_id=stack, reason=reason),
        DEPLOYED,
    )


def _subject(header: Header) -> str:
    return f"agent/{header.account}"


def _where(header: Header) -> str:
    return f"{header.account} {header.region}".strip()


def _status(detail: Json, header: Header) -> str:
    """The status that a message states; "Agent Deployed" without one means active."""
    stated = detail.get("status")
    if stated is None and header.detail_type == "Agent Deployed":
        return "active"
    status = text(stated).lower()
    if status not in _STATUSES:
        accepted = ", ".join(_STATUSES)
        raise ItemRejected.of(field="detail.status", reason=f"detail.status {quoted(stated)} is none of: {accepted}")
    return status


def _either(detail: Json, *keys: str) -> Any:
    return next((detail[key] for key in keys if detail.get(key)), None)
