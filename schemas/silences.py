"""What happens to a silence. Subject: ``silence/<silence_id>``.

A silence begins and ends by itself, at the times that it names; ``revision`` counts what people said of it: 1, 2, 3…
"""

from typing import Annotated

from pydantic import Field

from schemas.body import Body, TimeUs, UserId, Version

SilenceId = Annotated[str, Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$")]
"""A UUID (version 7) in lower case."""

Matchers = Annotated[
    tuple[Annotated[str, Field(min_length=1, max_length=2048)], ...], Field(min_length=1, max_length=32, strict=False)
]
"""Matchers as text, such as ``source=aws.guardduty`` or ``severity<=HIGH``. All must match."""


class SilenceCreated(Body):
    """What all ``matchers`` match is told to nobody from ``starts_us`` until ``ends_us`` (exclusive)."""

    silence_id: SilenceId
    revision: Version
    matchers: Matchers
    starts_us: TimeUs
    ends_us: TimeUs
    comment: Annotated[str, Field(min_length=1, max_length=1000)]
    by: UserId


class SilenceChanged(Body):
    """It ends at another time, or says something else; what it matches never changes."""

    silence_id: SilenceId
    revision: Version
    ends_us: TimeUs
    comment: Annotated[str, Field(min_length=1, max_length=1000)]
    by: UserId


class SilenceExpired(Body):
    """Somebody ended it before its time, at the time of this fact."""

    silence_id: SilenceId
    revision: Version
    comment: Annotated[str, Field(max_length=1000)] = ""
    by: UserId
