"""What an agent observed in a watched account: one body a kind of finding, told apart by ``kind``.

``facts`` is what templates and people need, flat; all of it is optional, because sources leave out what they please.
``raw`` is the item as its source gave it, after SNS, SQS, Kinesis and Firehose wrappings are taken off: nothing is lost by
what we do not understand. A new kind is a compatible change: a build that does not know it reads ``Unknown``.
"""

from typing import Annotated, Any, Literal

from pydantic import Field

from schemas.body import Body


class Facts(Body):
    """The facts of some kind. Texts are empty and numbers None where the source does not tell."""


class AlarmFacts(Facts):
    """States are CloudWatch's: OK, ALARM, INSUFFICIENT_DATA. ``comparison`` is the operator's name."""

    alarm_name: str = ""
    state: str = ""
    previous_state: str = ""
    reason: str = ""
    description: str = ""
    namespace: str = ""
    metric: str = ""
    threshold: float | None = None
    comparison: str = ""


class GuardDutyFacts(Facts):
    """``score`` is GuardDuty's severity, 0 to 10; ``count`` how often it saw the same."""

    finding_type: str = ""
    title: str = ""
    description: str = ""
    score: float | None = None
    resource_type: str = ""
    count: int | None = None


class HealthFacts(Facts):
    """Times are texts as AWS Health gave them; ``affected`` counts the entities it names."""

    service: str = ""
    event_type_code: str = ""
    category: str = ""
    status: str = ""
    description: str = ""
    start_time: str = ""
    end_time: str = ""
    affected: int | None = None


class CloudFormationFacts(Facts):
    """``resource_type`` and ``logical_id`` are empty where the stack itself changed its status."""

    stack_name: str = ""
    stack_id: str = ""
    status: str = ""
    status_reason: str = ""
    resource_type: str = ""
    logical_id: str = ""


class SecurityHubFacts(Facts):
    """``severity_label`` is Security Hub's own: INFORMATIONAL to CRITICAL."""

    title: str = ""
    description: str = ""
    product: str = ""
    compliance: str = ""
    workflow: str = ""
    severity_label: str = ""
    generator: str = ""
    remediation_url: str = ""


class AgentLogsFacts(Facts):
    """One line of a log."""

    log_group: str = ""
    log_stream: str = ""
    message: str = ""
    level: str = ""
    request_id: str = ""


class CloudTrailFacts(Facts):
    """Who called what. ``user`` is the principal as CloudTrail names it."""

    event_name: str = ""
    event_source: str = ""
    user: str = ""
    source_ip: str = ""
    error_code: str = ""
    error_message: str = ""


class GenericFacts(Facts):
    """What anything has."""

    title: str = ""
    description: str = ""


class FindingObserved(Body):
    """A finding. ``form`` names the shape of ``raw``; ``detail_type`` is EventBridge's, or what it would be."""

    kind: str
    form: Annotated[str, Field(min_length=1, max_length=64)]
    detail_type: Annotated[str, Field(max_length=256)] = ""
    facts: Facts
    raw: Any


class AlarmObserved(FindingObserved):
    """An alarm of CloudWatch changed its state."""

    kind: Literal["cloudwatch_alarm"]
    facts: AlarmFacts


class GuardDutyObserved(FindingObserved):
    """GuardDuty found a threat."""

    kind: Literal["guardduty"]
    facts: GuardDutyFacts


class HealthObserved(FindingObserved):
    """AWS Health tells of an issue, a notification or a scheduled change."""

    kind: Literal["health"]
    facts: HealthFacts


class CloudFormationObserved(FindingObserved):
    """A stack, or a resource in it, changed its status."""

    kind: Literal["cloudformation"]
    facts: CloudFormationFacts


class SecurityHubObserved(FindingObserved):
    """Security Hub imported a finding, in its format (ASFF)."""

    kind: Literal["securityhub"]
    facts: SecurityHubFacts


class AgentLogsObserved(FindingObserved):
    """An agent found an error line in a log."""

    kind: Literal["agent_logs"]
    facts: AgentLogsFacts


class CloudTrailObserved(FindingObserved):
    """CloudTrail recorded a call that somebody wanted to hear of."""

    kind: Literal["cloudtrail"]
    facts: CloudTrailFacts


class GenericObserved(FindingObserved):
    """Any other event of AWS, of our agents or of a custom source."""

    kind: Literal["generic"]
    facts: GenericFacts


AnyFinding = Annotated[
    AlarmObserved
    | GuardDutyObserved
    | HealthObserved
    | CloudFormationObserved
    | SecurityHubObserved
    | AgentLogsObserved
    | CloudTrailObserved
    | GenericObserved,
    Field(discriminator="kind", title="FindingObserved", description="What an agent observed in a watched account."),
]
"""The body of ``finding.observed``: one of the kinds."""
