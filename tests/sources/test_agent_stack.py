"""What CloudFormation says of the stack that deploys an agent."""

import pytest

from tests.sources import items
from tests.sources.items import ACCOUNT, REGION, body, read


def arn(name: str) -> str:
    return f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{name}/1f2e"


AGENT = arn("findstream-agent")


def told(
    status: str, stack: str = AGENT, detail_type: str = "CloudFormation Stack Status Change", reason: str = ""
) -> items.Item:
    detail = {"stack-id": stack, "status-details": {"status": status, "status-reason": reason}}
    return items.envelope("aws.cloudformation", detail_type, detail, resources=[stack])


@pytest.mark.parametrize(
    ("stack_status", "status", "severity"),
    [
        ("REVIEW_IN_PROGRESS", "pending", 1),
        ("CREATE_IN_PROGRESS", "deploying", 1),
        ("CREATE_COMPLETE", "active", 1),
        ("CREATE_FAILED", "failed", 3),
        ("ROLLBACK_COMPLETE", "failed", 3),
        ("UPDATE_IN_PROGRESS", "deploying", 1),
        ("UPDATE_COMPLETE", "active", 1),
        ("UPDATE_ROLLBACK_COMPLETE", "active", 3),
        ("UPDATE_ROLLBACK_FAILED", "failed", 3),
        ("DELETE_IN_PROGRESS", "disabled", 2),
        ("DELETE_COMPLETE", "disabled", 2),
        ("DELETE_FAILED", "failed", 3),
    ],
)
def test_the_status_of_its_stack_is_the_status_of_an_agent(stack_status: str, status: str, severity: int) -> None:
    event = read(told(stack_status))

    assert (event.type, event.subject, event.severity) == ("agent.deployed", f"agent/{ACCOUNT}", severity)
    assert body(event) == {"status": status, "stack_id": AGENT, "reason": stack_status}
    assert event.resources == (AGENT,)


def test_the_reason_of_a_status_is_told() -> None:
    event = read(told("CREATE_FAILED", reason="Limit exceeded"))

    assert body(event)["reason"] == "CREATE_FAILED: Limit exceeded"
    assert event.summary == f"Agent in {ACCOUNT} {REGION} is failed (CREATE_FAILED: Limit exceeded)"


@pytest.mark.parametrize("name", ["findstream-agent", "findstream-agent-eu", "StackSet-findstream-agent-1f2e"])
def test_an_agents_stack_is_told_by_its_name(name: str) -> None:
    assert read(told("CREATE_COMPLETE", arn(name))).type == "agent.deployed"


@pytest.mark.parametrize(
    "item",
    [
        told("CREATE_COMPLETE", arn("findstream-agents")),
        told("CREATE_COMPLETE", arn("my-findstream-agent")),
        told("CREATE_COMPLETE", detail_type="CloudFormation Resource Status Change"),
        told("SOMETHING_NEW"),
    ],
)
def test_all_else_about_stacks_stays_a_finding(item: items.Item) -> None:
    event = read(item)

    assert (event.type, body(event)["kind"]) == ("finding.observed", "cloudformation")
