"""What a backend of the desks is made of.

``events`` and its tracking are ``eventsourcing``'s process recorder, and pass its published cases. Beyond these it promises:
durable:    what ``insert_events`` returned from outlives a crash and a power cut;
contiguous: notification ids are 1, 2, 3… in the order of commits, without a gap; who reads up to ``n`` has seen all up to ``n``.
"""

from collections.abc import Callable
from dataclasses import dataclass

from eventsourcing.persistence import AggregateRecorder, ProcessRecorder


@dataclass(frozen=True, slots=True)
class Recorders:
    """A backend. ``wait`` returns once something may have been stored behind a notification id, or after so many seconds."""

    events: ProcessRecorder
    snapshots: AggregateRecorder
    wait: Callable[[int, float], None]
    close: Callable[[], None]
