"""Ids for what commands make, drawn by the doors."""

from uuid import UUID

from uuid6 import uuid7


def draw_id() -> UUID:
    """A UUID of version 7, so that ids sort by time."""
    return UUID(int=uuid7().int)
