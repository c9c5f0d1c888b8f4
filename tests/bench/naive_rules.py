"""The naive loop over rules: every event parsed and validated, every rule's pattern interpreted on it.

The interpreter is what one writes from AWS's page in an hour: right for what the benchmark's rules use, and no index.
"""

import json
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

from tests.bench.naive import Event


def hits(texts: Sequence[str], patterns: Sequence[Mapping[str, Any]]) -> int:
    """How often a rule matches an event."""
    found = 0
    for text in texts:
        event = Event.model_validate(json.loads(text))
        if event.type != "finding.observed":
            continue
        document = {**event.body["raw"], "finding": {"severity": event.severity, "facts": event.body["facts"]}}
        for pattern in patterns:
            found += _matches(pattern, document)
    return found


def _matches(pattern: Mapping[str, Any], event: Any) -> bool:
    if isinstance(event, list):
        return any(_matches(pattern, item) for item in event)
    if not isinstance(event, dict):
        event = {}
    for key, wanted in pattern.items():
        if key == "$or":
            if not any(_matches(branch, event) for branch in wanted):
                return False
        elif isinstance(wanted, dict):
            if not _matches(wanted, event.get(key)):
                return False
        elif not _one_of(wanted, key in event, event.get(key)):
            return False
    return True


def _one_of(wanted: Sequence[Any], there: bool, value: Any) -> bool:  # noqa: FBT001
    values = value if isinstance(value, list) else [value] if there else []
    for one in wanted:
        if isinstance(one, dict) and "exists" in one:
            if one["exists"] == bool(values):
                return True
        elif any(_fits(one, item) for item in values):
            return True
    return False


def _fits(wanted: Any, value: Any) -> bool:  # noqa: PLR0911 - an operator each
    if not isinstance(wanted, dict):
        return bool(wanted == value)
    ((operator, of),) = wanted.items()
    if operator == "anything-but":
        return value not in (of if isinstance(of, list) else [of])
    if operator == "numeric":
        signs = {">": value > of[1], ">=": value >= of[1], "<": value < of[1], "<=": value <= of[1], "=": value == of[1]}
        return bool(signs[of[0]])
    if not isinstance(value, str):
        return False
    if operator == "prefix":
        return value.lower().startswith(of["equals-ignore-case"].lower()) if isinstance(of, dict) else value.startswith(of)
    if operator == "suffix":
        return value.endswith(of)
    if operator == "wildcard":
        return fnmatchcase(value, of)
    return ip_address(value) in ip_network(of)
