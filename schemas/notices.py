"""What became of a notice: one message to one channel. Subject: ``notice/<route>/<group>``.

A notice is told apart by (route, group, flush); the facts repeat that key, so that the ledger can be refolded from the log.
"""

from typing import Annotated

from pydantic import Field

from schemas.body import Body, Name

EventIds = Annotated[tuple[Annotated[str, Field(max_length=128)], ...], Field(max_length=1000, strict=False)]
"""Ids of the events that a notice tells of, oldest first; of more than 1,000 the newest."""


class Notice(Body):
    """What the three fates of a notice have in common.

    ``flush`` numbers the messages of a group from 0. ``reason`` is a named one: why it was due, was held back or failed.
    ``attempts`` counts the sends that were tried. ``resent`` marks a repetition of a send whose outcome a crash left unknown.
    ``detail`` is what the channel answered last, or what went wrong, in a few words without secrets; empty if it adds nothing.
    """

    route: Name
    group: Annotated[str, Field(max_length=2048)]
    flush: Annotated[int, Field(ge=0)]
    channel: Name
    event_ids: EventIds
    reason: Annotated[str, Field(min_length=1, max_length=1000)]
    attempts: Annotated[int, Field(ge=0)] = 0
    resent: bool = False
    detail: Annotated[str, Field(max_length=1000)] = ""


class NoticeSent(Notice):
    """The channel has accepted the message."""


class NoticeSuppressed(Notice):
    """No message went out, and none will: the reason says what held it back."""


class NoticeFailed(Notice):
    """The channel refused the message for good, or retries ran out; it waits in the dead letters for a person."""
