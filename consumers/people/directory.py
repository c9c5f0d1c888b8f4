"""Whose name belongs to an id: names resolve on reading, since events tell ids only."""

from collections.abc import Collection, Mapping
from typing import Final, Protocol

REMOVED: Final = "a removed user"


class Directory(Protocol):
    """Names by id."""

    def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """The full name of each id; ``REMOVED`` for ids that nobody has any more. One question to the store."""
        ...
