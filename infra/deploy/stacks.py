"""One stack: brought to a template and parameters by a change set, described, deleted.

Parameters: those that are not given keep the values they have; a new stack takes the template's defaults.
Repeating:  a deployment that changes nothing is no error, and changes nothing.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from botocore.exceptions import ClientError, WaiterError

from infra.deploy.errors import ParameterRejected, StackFailed, StackStuck

if TYPE_CHECKING:
    from types_boto3_cloudformation import CloudFormationClient

_CAPABILITIES: Final = ("CAPABILITY_NAMED_IAM",)
_FOR_AN_HOUR: Final = 3600.0
_ABSENT: Final = "does not exist"
_UNCHANGED: Final = ("didn't contain changes", "No updates are to be performed")
_FIRST_REASONS: Final = 5


@dataclass(frozen=True, slots=True)
class Template:
    """Where CloudFormation finds a template (``TemplateURL`` or ``TemplateBody``), and its parameters' names."""

    source: Mapping[str, str]
    parameters: frozenset[str]


@dataclass(frozen=True, slots=True)
class Stacks:
    """The stacks of one account and region. ``poll_seconds`` lie between two looks at what CloudFormation does."""

    client: "CloudFormationClient"
    tell: Callable[[str], None]
    poll_seconds: float = 5.0

    def deploy(self, stack: str, template: Template, parameters: Mapping[str, str], *, change: str) -> dict[str, str]:
        """Bring ``stack`` to ``template``; returns its outputs. ``change`` names the change set.

        Raises ``ParameterRejected``, ``StackStuck``, ``StackFailed``.
        """
        _check(parameters, template)
        there = self._described(stack)
        kind = self._kind(stack, there)
        request: dict[str, Any] = {
            **template.source,
            "Parameters": _parameters(parameters, template, there if kind == "UPDATE" else None),
        }
        self.client.create_change_set(
            StackName=stack, ChangeSetName=change, ChangeSetType=kind, Capabilities=_CAPABILITIES, **request
        )
        if self._is_empty(stack, change):
            self.client.delete_change_set(StackName=stack, ChangeSetName=change)
            self.tell(f"{stack}: nothing to change")
        else:
            self._execute(stack, change, kind)
        return self.outputs(stack)

    def outputs(self, stack: str) -> dict[str, str]:
        """What the stack tells of itself; empty if there is none."""
        described = self._described(stack) or {}
        return {output["OutputKey"]: output["OutputValue"] for output in described.get("Outputs", ())}

    def delete(self, stack: str) -> list[str]:
        """Delete the stack; returns what it left behind, as ``type physical-id``. One that is not there is no error.

        Raises ``StackFailed``.
        """
        if self._described(stack) is None:
            self.tell(f"{stack}: there is none")
            return []
        resources = [each for page in self._pages("list_stack_resources", stack) for each in page["StackResourceSummaries"]]
        kept = self._kept(stack)
        left = [f"{r['ResourceType']} {r['PhysicalResourceId']}" for r in resources if r["LogicalResourceId"] in kept]
        self.client.delete_stack(StackName=stack)
        self._wait("stack_delete_complete", stack)
        return left

    def _kind(self, stack: str, there: Mapping[str, Any] | None) -> Any:
        status = there["StackStatus"] if there else "REVIEW_IN_PROGRESS"
        if status in {"ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED"}:
            message = f"{stack} is {status}"
            raise StackStuck(message)
        return "CREATE" if status == "REVIEW_IN_PROGRESS" else "UPDATE"

    def _is_empty(self, stack: str, change: str) -> bool:
        try:
            self._wait_for_change(stack, change)
        except WaiterError as error:
            reason = str(error.last_response.get("StatusReason", error))
            if any(words in reason for words in _UNCHANGED):
                return True
            raise StackFailed(reason) from error
        changes = self.client.describe_change_set(StackName=stack, ChangeSetName=change)["Changes"]
        for each in (change.get("ResourceChange", {}) for change in changes):
            self.tell(f"  {each.get('Action', '?'):7} {each.get('LogicalResourceId', '?')} ({each.get('ResourceType', '?')})")
        return not changes

    def _execute(self, stack: str, change: str, kind: str) -> None:
        self.client.execute_change_set(StackName=stack, ChangeSetName=change)
        self._wait("stack_create_complete" if kind == "CREATE" else "stack_update_complete", stack)

    def _wait_for_change(self, stack: str, change: str) -> None:
        waiter = self.client.get_waiter("change_set_create_complete")
        waiter.wait(StackName=stack, ChangeSetName=change, WaiterConfig=self._pace())

    def _wait(self, event: Any, stack: str) -> None:
        try:
            self.client.get_waiter(event).wait(StackName=stack, WaiterConfig=self._pace())
        except WaiterError as error:
            raise StackFailed("\n".join([f"{stack}: {error}", *self._reasons(stack)])) from error

    def _pace(self) -> Any:
        return {"Delay": self.poll_seconds, "MaxAttempts": int(_FOR_AN_HOUR / self.poll_seconds)}

    def _reasons(self, stack: str) -> list[str]:
        """The first failures, which are the causes; the later ones are cancellations."""
        try:
            events = [each for page in self._pages("describe_stack_events", stack) for each in page["StackEvents"]]
        except ClientError:  # a stack that was never made has no events
            return []
        failed = [event for event in reversed(events) if event.get("ResourceStatus", "").endswith("FAILED")]
        return [
            f"  {e['LogicalResourceId']}: {e.get('ResourceStatusReason', e['ResourceStatus'])}" for e in failed[:_FIRST_REASONS]
        ]

    def _described(self, stack: str) -> dict[str, Any] | None:
        try:
            return dict(self.client.describe_stacks(StackName=stack)["Stacks"][0])
        except ClientError as error:
            if _ABSENT in str(error):
                return None
            raise

    def _kept(self, stack: str) -> set[str]:
        """The resources that outlive their stack."""
        body: Any = self.client.get_template(StackName=stack)["TemplateBody"]
        template = body if isinstance(body, dict) else json.loads(body)
        return {name for name, each in template["Resources"].items() if each.get("DeletionPolicy", "Delete") != "Delete"}

    def _pages(self, operation: Any, stack: str) -> Any:
        return self.client.get_paginator(operation).paginate(StackName=stack)


def _check(parameters: Mapping[str, str], template: Template) -> None:
    if unknown := sorted(parameters.keys() - template.parameters):
        message = f"unknown: {', '.join(unknown)}. Known: {', '.join(sorted(template.parameters))}"
        raise ParameterRejected(message)


def _parameters(given: Mapping[str, str], template: Template, before: Mapping[str, Any] | None) -> list[dict[str, Any]]:
    kept = {each["ParameterKey"] for each in (before or {}).get("Parameters", ())} & template.parameters - given.keys()
    return [
        *({"ParameterKey": name, "ParameterValue": value} for name, value in sorted(given.items())),
        *({"ParameterKey": name, "UsePreviousValue": True} for name in sorted(kept)),
    ]
