"""Which reader tells of a finding: by its source and, for API calls, which every service has, by its detail-type."""

from collections.abc import Callable, Mapping
from typing import Final

from pipeline.sources import (
    agent_logs,
    agents,
    cloudformation,
    cloudtrail,
    cloudwatch,
    generic,
    guardduty,
    health,
    securityhub,
)
from pipeline.sources.reading import Header, Json, Reading

Reader = Callable[[Json, Header], Reading]

BY_SOURCE: Final[Mapping[str, Reader]] = {
    "aws.cloudwatch": cloudwatch.read,
    "aws.guardduty": guardduty.read,
    "aws.health": health.read,
    "aws.cloudformation": cloudformation.read,
    "aws.securityhub": securityhub.read,
    agent_logs.SOURCE: agent_logs.read,
    agents.SOURCE: agents.read,
}


def reader(source: str, detail_type: str) -> Reader:
    """The reader for details of this source and detail-type."""
    if detail_type.endswith(cloudtrail.SUFFIX) and source.startswith("aws."):
        return cloudtrail.read
    return BY_SOURCE.get(source, generic.read)
