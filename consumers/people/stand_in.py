"""Who commands, and what people are called, where there is no sign-in: one operator, and ids instead of names."""

from collections.abc import Collection, Mapping
from typing import Final

from consumers.people.principal import Principal, Role

OPERATOR: Final = Principal(user_id="", role=Role.ADMIN)
"""Whoever reaches the loopback address of this machine."""


class IdsOnly:
    """A directory that knows nobody: each id stands for itself."""

    def names(self, user_ids: Collection[str]) -> Mapping[str, str]:
        """The ids themselves."""
        return {user_id: user_id for user_id in user_ids}
