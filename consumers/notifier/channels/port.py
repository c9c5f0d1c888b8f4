"""The port of a channel: one request, one answer.

Retrying: none in here. A sender makes at most one request a call and never sleeps; who calls decides about another.
Time:     a call ends within the sender's time-out for each step (connect, send, receive).
Secrets:  an answer holds no part of the channel's address.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Protocol


@dataclass(frozen=True, slots=True)
class Delivered:
    """The channel has the message."""


@dataclass(frozen=True, slots=True)
class RateLimited:
    """Too much just now; the message was not taken. ``wait_seconds``: as the channel asked, None if it did not say."""

    wait_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """The channel will never take this message. ``detail`` is a few words, for people."""

    detail: str


@dataclass(frozen=True, slots=True)
class Unavailable:
    """The channel did not do its work. ``unsure``: it may have taken the message all the same."""

    detail: str
    unsure: bool


Answer = Delivered | RateLimited | Refused | Unavailable


class Sender(Protocol):
    """Sends to one channel. Called by one thread at a time."""

    def send(self, payload: Mapping[str, Any]) -> Answer:
        """Make one request with this message."""
        ...
