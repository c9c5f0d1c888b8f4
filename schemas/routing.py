"""What happens to the routes of notifications. Subject: ``routing``; its facts stand on the log in the order they came about."""

from typing import Annotated

from pydantic import Field

from schemas.body import Body, UserId, Version


class RoutingPublished(Body):
    """The routing was replaced. ``text`` is the whole document as its author wrote it: routes, times, inhibitions, reports."""

    version: Version
    text: Annotated[str, Field(min_length=1, max_length=262_144)]
    comment: Annotated[str, Field(max_length=1000)] = ""
    by: UserId
