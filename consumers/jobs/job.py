"""A job: long work that somebody asked for, from the asking to its result.

    waiting ──► running ──► done | failed
       │           └──────► cancelled (once its worker has seen that it was asked to end)
       └──────────────────► cancelled

Turn: how often a worker has taken it. A worker that was overtaken, or came back from the dead, cannot write any more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any


class State(StrEnum):
    """Where a job is in its life."""

    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def settled(self) -> bool:
        """Whether nothing will become of it any more."""
        return self in {State.DONE, State.FAILED, State.CANCELLED}


@dataclass(frozen=True, slots=True)
class Job:
    """A job. ``id`` is a UUID of version 7, ``by`` a user id; times are microseconds since the epoch.

    ``parameters`` and ``result`` are JSON, their form told by ``kind``; ``error`` is a sentence for people. ``done`` of ``total``
    are in the kind's own unit, 0 of 0 while nobody knows.
    """

    id: str
    kind: str
    parameters: Mapping[str, Any]
    by: str
    asked_us: int
    changed_us: int
    state: State = State.WAITING
    turn: int = 0
    done: int = 0
    total: int = 0
    cancelling: bool = False
    result: Mapping[str, Any] | None = field(default=None)
    error: str = ""
