"""CloudFormation: stacks, their resources, drift, and stack sets.

Agents:   what it says of a stack that deploys one becomes a fact about that agent, no finding (``agent_stack``).
Subject:  ``stack/<stack id>``, for a stack set ``stackset/<stack set ARN>``: a stack's resources are ordered with the stack.
Severity: a status that failed or rolls back is HIGH, a drifted stack and a stopped operation MEDIUM, all else (completed, or
          still in progress) LOW, no status UNKNOWN.
Source:   AWS CloudFormation User Guide, "Managing events with Amazon EventBridge".
"""

from typing import Final

from pipeline.sources import agent_stack, agents, generic, severity
from pipeline.sources.reading import Header, Json, Reading, about, arn_part, clip, distinct, facts, line, sub, text, texts

KIND: Final = "cloudformation"

_STATUS: Final = ("status", "stack-drift-status", "detection-status")
_ARN: Final = 2048
_WORSE: Final = {"DRIFTED": severity.MEDIUM, "STOPPED": severity.MEDIUM, "FAILED": severity.HIGH}


def read(detail: Json, header: Header) -> Reading:
    """The reading of a status change."""
    stack, stack_set, logical, of_type = texts(detail, "stack-id", "stack-set-arn", "logical-resource-id", "resource-type")
    if not (stack or stack_set):
        return generic.plain(detail, header, KIND)
    details = sub(detail, "status-details")
    status = next(filter(None, texts(details, *_STATUS)), "")
    reason = text(details.get("status-reason"))
    name = stack_name(stack or stack_set)
    of_agent = agent_stack.status_of(header.detail_type, name, status) if stack else None
    if of_agent:
        told = clip(f"{status}: {reason}" if reason else status)
        return agents.deployed(header, of_agent, stack=stack[:_ARN], reason=told, worse=of_status(status))
    what = f"{name}/{logical} ({of_type})" if logical else name
    return Reading(
        KIND,
        about(f"stack/{stack}" if stack else f"stackset/{stack_set}"),
        of_status(status),
        line(f"{'Stack' if stack else 'Stack set'} {what}: {status}{' - ' if reason else ''}{reason}"),
        distinct(header.resources, [stack or stack_set, detail.get("physical-resource-id")]),
        facts(
            stack_name=name,
            stack_id=stack or stack_set,
            status=status,
            status_reason=clip(reason),
            resource_type=of_type,
            logical_id=logical,
        ),
    )


def of_status(status: str) -> int:
    """The severity of a stack's, resource's or operation's status."""
    if not status:
        return severity.UNKNOWN
    if status in _WORSE:
        return _WORSE[status]
    return severity.HIGH if status.endswith("_FAILED") or "ROLLBACK" in status else severity.LOW


def stack_name(arn: str) -> str:
    """The name in ``…:stack/<name>/<uuid>`` and in ``…:stackset/<name>:<uuid>``, else the text itself."""
    resource = arn_part(arn, 5)
    return resource.partition("/")[2].partition("/")[0].partition(":")[0] or arn
