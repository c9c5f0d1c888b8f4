"""What the functions of a stack say, from all their log groups in the order of time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from heapq import merge
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from types_boto3_logs import CloudWatchLogsClient

_OVERLAP_MS: Final = 10_000
"""Lines come late: each look begins so much earlier than the last one ended, and leaves out what was told."""


@dataclass(slots=True)
class Logs:
    """The log groups below ``prefix``, whose names hold ``named``."""

    client: "CloudWatchLogsClient"
    prefix: str
    named: str = ""
    _told: set[str] = field(default_factory=set)

    def since(self, start_ms: int) -> Iterator[str]:
        """The lines since ``start_ms`` that were not told yet, as ``time group line``."""
        events = [list(self._of(group, max(0, start_ms - _OVERLAP_MS) if self._told else start_ms)) for group in self._groups()]
        for _, event_id, line in merge(*map(sorted, events)):
            if event_id not in self._told:
                self._told.add(event_id)
                yield line

    def follow(self, start_ms: int, clock_ms: Callable[[], int], pause: Callable[[], None]) -> Iterator[str]:
        """Lines without end."""
        while True:
            now_ms = clock_ms()
            yield from self.since(start_ms)
            start_ms = now_ms
            pause()

    def _groups(self) -> Iterator[str]:
        for page in self.client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=self.prefix):
            yield from (group["logGroupName"] for group in page["logGroups"] if self.named in group["logGroupName"])

    def _of(self, group: str, start_ms: int) -> Iterator[tuple[int, str, str]]:
        name = group.removeprefix(self.prefix)
        for page in self.client.get_paginator("filter_log_events").paginate(logGroupName=group, startTime=start_ms):
            for event in page["events"]:
                when = datetime.fromtimestamp(event["timestamp"] / 1000, UTC).strftime("%H:%M:%S.%f")[:-3]
                yield event["timestamp"], event["eventId"], f"{when} {name:12} {event['message'].rstrip()}"
