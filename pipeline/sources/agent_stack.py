"""The stack that deploys an agent: how CloudFormation fares with it is how the agent fares.

Which:    a stack named ``findstream-agent`` or ``findstream-agent-…``, and the instances that a stack set of such a name makes
          (``StackSet-findstream-agent-…``). Of its events only those of the stack itself, not of its resources.
Becomes:  ``agent.deployed``, of subject ``agent/<account>``, with the stack's status as the reason; the version is not told.
Active:   also an agent whose update was rolled back: the version before works on. Severity HIGH tells that something failed.
Else:     a status that is not listed leaves the event a finding.
Source:   AWS CloudFormation User Guide, "Stack status codes".
"""

from collections.abc import Mapping
from typing import Final

STATUS_CHANGE: Final = "CloudFormation Stack Status Change"

_NAME: Final = "findstream-agent"
_BY_STACK_SET: Final = "StackSet-"

_STATUSES: Final[Mapping[str, str]] = {
    "REVIEW_IN_PROGRESS": "pending",
    "CREATE_IN_PROGRESS": "deploying",
    "UPDATE_IN_PROGRESS": "deploying",
    "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS": "deploying",
    "UPDATE_ROLLBACK_IN_PROGRESS": "deploying",
    "UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS": "deploying",
    "IMPORT_IN_PROGRESS": "deploying",
    "IMPORT_ROLLBACK_IN_PROGRESS": "deploying",
    "CREATE_COMPLETE": "active",
    "UPDATE_COMPLETE": "active",
    "UPDATE_ROLLBACK_COMPLETE": "active",
    "IMPORT_COMPLETE": "active",
    "IMPORT_ROLLBACK_COMPLETE": "active",
    "CREATE_FAILED": "failed",
    "ROLLBACK_IN_PROGRESS": "failed",
    "ROLLBACK_COMPLETE": "failed",
    "ROLLBACK_FAILED": "failed",
    "UPDATE_FAILED": "failed",
    "UPDATE_ROLLBACK_FAILED": "failed",
    "IMPORT_ROLLBACK_FAILED": "failed",
    "DELETE_FAILED": "failed",
    "DELETE_IN_PROGRESS": "disabled",
    "DELETE_COMPLETE": "disabled",
}


def status_of(detail_type: str, stack_name: str, stack_status: str) -> str | None:
    """The agent's status that an event of CloudFormation tells, None if it is not about an agent."""
    name = stack_name.removeprefix(_BY_STACK_SET)
    if detail_type != STATUS_CHANGE or (name != _NAME and not name.startswith(f"{_NAME}-")):
        return None
    return _STATUSES.get(stack_status)
