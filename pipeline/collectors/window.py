"""Which stretch of time a run looks through.

A run reaches back ``overlap`` before the time that it was scheduled for, up to now. So
- a line that is delivered to CloudWatch Logs late, or that two runs in a row did not get, is still found by a later one
  (15 minutes against a schedule of 5);
- a run that is tried again, however late, looks through its own stretch, for its event says when it was scheduled;
- an operator may name any stretch: ``{"since": "2026-03-04T05:00:00Z", "until": "2026-03-04T06:00:00Z"}``.
What is found again is put again, with the same id.
"""

import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from pipeline.collectors.insights import Window
from pipeline.errors import WindowRejected, quoted

_NOT_ONE: Final = "is no time (expected for example 2024-02-17T11:53:08Z)"


def window(event: Mapping[str, Any], *, now_ms: int, overlap_seconds: int) -> Window:
    """The stretch that ``event`` asks for; ``time`` is when the run was scheduled. Raises ``WindowRejected``."""
    now = math.ceil(now_ms / 1000)
    until = min(_seconds(event, "until", now), now)
    since = _seconds(event, "since", min(_seconds(event, "time", now), now) - overlap_seconds)
    if since > until:
        message = "since lies behind until, or in the future"
        raise WindowRejected(message)
    return Window(since, until)


def _seconds(event: Mapping[str, Any], key: str, default: int) -> int:
    if key not in event:
        return default
    try:
        moment = datetime.fromisoformat(event[key])
    except (TypeError, ValueError):
        message = f"{key} {quoted(event[key])} {_NOT_ONE}"
        raise WindowRejected(message) from None
    return math.floor((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
