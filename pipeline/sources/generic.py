"""Findings of any other source: AWS services without a module of their own, our own agents, and custom sources.

Subject:  ``resource/<first resource>``, else ``<source>/<account>/<region>/<detail-type>``.
Severity: our own and custom sources state it in ``detail.severity``, a word or a number 0-5 (``severity.of_custom``).
          AWS services: a severity in words if there is one (``severity``, or its ``label``, ``description`` or ``name``);
          else MEDIUM for what failed (``state``, ``status`` and the like), else UNKNOWN.
Summary:  the detail-type, then what the detail says of itself, then where.
"""

import re
from dataclasses import replace
from functools import lru_cache
from typing import Final

from pipeline.sources import severity
from pipeline.sources.reading import Header, Json, Reading, clip, distinct, facts, fallback, line

KIND: Final = "generic"

_TITLE: Final = ("title", "Title", "name", "check-name", "alarmName", "eventName")
_DESCRIPTION: Final = (
    "description",
    "Description",
    "message",
    "Message",
    "summary",
    "reason",
    "cause",
    "Cause",
    "stoppedReason",
    "notificationBody",
)
_STATE: Final = (
    "state",
    "status",
    "Status",
    "result",
    "lastStatus",
    "build-status",
    "test-run-status",
    "compliance-status",
    "event",
)
_RESOURCE: Final = ("instance-id", "EC2InstanceId", "resource-id", "resource_id")
_TELLING: Final = {
    key: (part, rank) for part, keys in enumerate((_TITLE, _DESCRIPTION, _STATE)) for rank, key in enumerate(keys, start=1)
}
"""Which keys tell the title (0), the description (1) and the state (2), and which of several counts: that of least rank."""

_FAILED: Final = re.compile("FAIL|ERROR|TIMED_OUT|TIMEOUT|ABORTED|UNSUCCESSFUL|NON[_-]COMPLIANT|ALARM", re.IGNORECASE)
_NEVER: Final = 1_000
_LONGEST_STATE: Final = 256


def read(detail: Json, header: Header) -> Reading:
    """The reading of any detail."""
    (title, description, state), named = _parts(detail)
    resources = distinct(header.resources, named)
    told = [header.detail_type, title, state, description, resources[0] if resources else ""]
    return Reading(
        KIND,
        fallback(header, header.resources),
        _severity(detail, header, state),
        line(": ".join(part for part in dict.fromkeys(told) if part)),
        resources,
        facts(title=clip(title or header.detail_type), description=clip(description)),
    )


def plain(detail: Json, header: Header, kind: str, *known: str) -> Reading:
    """The reading of a detail that does not tell what details of its ``kind`` tell; ``known`` are the kind's facts among ours."""
    told = read(detail, header)
    return replace(told, kind=kind, facts={name: told.facts[name] for name in known if name in told.facts})


def _parts(detail: Json) -> tuple[list[str], list[str]]:
    """Title, description and state; and the resources that the detail names by the keys that AWS services use for them."""
    parts, ranks, named = ["", "", ""], [_NEVER, _NEVER, _NEVER], []
    for key, value in detail.items():
        if type(value) is not str or not value:
            continue
        if value.startswith("arn:") or key in _RESOURCE:
            named.append(value)
        telling = _TELLING.get(key)
        if telling and telling[1] < ranks[telling[0]]:
            parts[telling[0]], ranks[telling[0]] = value, telling[1]
    return parts, named


def _severity(detail: Json, header: Header, state: str) -> int:
    stated = detail.get("severity")
    if not header.source.startswith("aws."):
        return severity.of_custom(stated, field="detail.severity")
    if stated is not None:
        if isinstance(stated, dict):
            stated = next((stated[key] for key in ("label", "Label", "description", "name") if key in stated), None)
        named = severity.of_word(stated)
        if named is not None:
            return named
    return severity.MEDIUM if _failed(state[:_LONGEST_STATE]) or _failed(header.detail_type) else severity.UNKNOWN


@lru_cache(maxsize=1024)
def _failed(told: str) -> bool:
    return _FAILED.search(told) is not None
