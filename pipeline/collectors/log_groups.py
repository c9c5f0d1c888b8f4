"""Which log groups to look through: those of the account's Lambda functions, and those that the operator names.

A function logs to the group of its ``LoggingConfig``, else to ``/aws/lambda/<name>``. A group comes into being with its first
line, so one that is not there has no lines. Groups of the DELIVERY class cannot be queried; those of STANDARD and
INFREQUENT_ACCESS can, each class by itself.
Source: AWS Lambda Developer Guide, "Configuring CloudWatch log groups"; Amazon CloudWatch Logs User Guide, "Log classes".
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, Protocol

CHUNK: Final = 10

_FUNCTIONS: Final = "/aws/lambda/"
_STANDARD: Final = "STANDARD"
_NOT_QUERIED: Final = "DELIVERY"


class FunctionsClient(Protocol):
    """What is needed of boto3's ``lambda`` client."""

    def list_functions(self, **page: Any) -> Any:
        """A page of functions; see the API reference."""
        ...


class GroupsClient(Protocol):
    """What is needed of boto3's ``logs`` client."""

    def describe_log_groups(self, **page: Any) -> Any:
        """A page of log groups; see the API reference."""
        ...


@dataclass(frozen=True, slots=True)
class LogGroups:
    """``classes`` are the groups to query, by class, sorted; ``skipped`` were named by the operator and cannot be."""

    classes: dict[str, list[str]]
    skipped: tuple[str, ...]

    def chunks(self) -> list[tuple[str, ...]]:
        """At most ten groups of one class each."""
        return [chunk for names in self.classes.values() for chunk in _chunked(names)]


def find(named: Sequence[str], functions: FunctionsClient | None, logs: GroupsClient) -> LogGroups:
    """The groups of all ``functions`` (None: of none) and of ``named``, of which one ending in ``*`` is a beginning.

    Raises what boto3 raises.
    """
    beginnings = tuple(name.removesuffix("*") for name in named if name.endswith("*"))
    asked = {name for name in named if not name.endswith("*")}
    wanted = asked | (set(_of_functions(functions)) if functions else set())
    there = {name: of_class for prefix in _prefixes({*wanted, *beginnings}) for name, of_class in _described(logs, prefix)}
    classes: dict[str, list[str]] = {}
    for name in sorted(there):
        if there[name] != _NOT_QUERIED and (name in wanted or name.startswith(beginnings)):
            classes.setdefault(there[name], []).append(name)
    return LogGroups(classes, tuple(sorted(name for name in asked if there.get(name, _NOT_QUERIED) == _NOT_QUERIED)))


def _of_functions(client: FunctionsClient) -> Iterator[str]:
    page: dict[str, Any] = {}
    while True:
        answer = client.list_functions(**page)
        for function in answer["Functions"]:
            own = (function.get("LoggingConfig") or {}).get("LogGroup")
            yield own or f"{_FUNCTIONS}{function['FunctionName']}"
        if not answer.get("NextMarker"):
            return
        page = {"Marker": answer["NextMarker"]}


def _prefixes(names: set[str]) -> list[str]:
    """Beginnings that cover all ``names``, none of which covers another."""
    found: list[str] = []
    for name in sorted(_FUNCTIONS if name.startswith(_FUNCTIONS) else name for name in names):
        if not (found and name.startswith(found[-1])):
            found.append(name)
    return found


def _described(client: GroupsClient, prefix: str) -> Iterator[tuple[str, str]]:
    page: dict[str, Any] = {"logGroupNamePrefix": prefix} if prefix else {}
    while True:
        answer = client.describe_log_groups(**page)
        for group in answer["logGroups"]:
            yield group["logGroupName"], group.get("logGroupClass", _STANDARD)
        if not answer.get("nextToken"):
            return
        page["nextToken"] = answer["nextToken"]


def _chunked(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    rest = iter(names)
    while chunk := tuple(islice(rest, CHUNK)):
        yield chunk
