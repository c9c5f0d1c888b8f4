"""An event as notifying sees it: what it is about, whether that fires, and what matchers may ask of it.

Lasting: what begins and ends: an alert, a CloudWatch alarm, a Health event, a finding of Security Hub. It fires until another
         event says that it is over. Its fingerprint is its subject, the same for all its events.
Moments: everything else: an error line, a stack's status, a report. It is told once; its fingerprint is the event's id.
Fields:  ``type``, ``source``, ``kind``, ``severity`` (a word), ``account``, ``region``, ``subject``, ``resource`` (the first);
         ``rule`` of an alert, with ``label.<name>`` and ``group.<name>``; ``report`` of a report. What does not apply is missing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from consumers.notifier.notice import Cause


class Turn(StrEnum):
    """What an event says of what it is about."""

    MOMENT = "moment"
    """It happened; there is no end to wait for."""
    FIRING = "firing"
    ACKNOWLEDGED = "acknowledged"
    """Somebody has seen to it: it fires on, but is not repeated."""
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Item:
    """An event, read. ``at_us`` is when it happened. What ends something may know fewer ``fields`` than what began it."""

    fingerprint: str
    turn: Turn
    cause: Cause
    at_us: int
    fields: Mapping[str, str]

    @property
    def is_lasting(self) -> bool:
        """Whether it is about something that begins and ends."""
        return self.turn is not Turn.MOMENT
