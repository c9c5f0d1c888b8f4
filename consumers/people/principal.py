"""Who asks: the person behind a request, as the routes know them."""

from dataclasses import dataclass
from enum import StrEnum


class Role(StrEnum):
    """What a person is here for. An admin may do everything; what a user may do, the table of permissions says."""

    ADMIN = "admin"
    USER = "user"


@dataclass(frozen=True, slots=True)
class Principal:
    """A person who signed in. ``user_id`` is a UUID (version 7) in lower case: all that an event may tell of them."""

    user_id: str
    role: Role

    @property
    def is_admin(self) -> bool:
        """Whether everything is allowed."""
        return self.role is Role.ADMIN
