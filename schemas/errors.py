"""What can break between a fact and its schema. The docstring says when, then what the operator does."""

from typing import Self

from pydantic import ValidationError


class SchemaError(Exception):
    """The base of all below."""


class EventRejected(SchemaError):
    """An event does not have the form that its type and version ask for. ``field`` is a dotted path ("": the whole).

    Do: mend the producer; what was refused is in quarantine, or was answered with a 4xx.
    """

    def __init__(self, reason: str, field: str = "") -> None:
        super().__init__(f"{field}: {reason}" if field else reason)
        self.reason = reason
        self.field = field

    @classmethod
    def of(cls, broken: ValidationError, within: str = "", *, skip: int = 0) -> Self:
        """The first complaint of pydantic. ``within`` is the path of what was validated; ``skip`` leading parts name no field."""
        first = broken.errors(include_url=False, include_context=False, include_input=False)[0]
        path = ".".join(part for part in (within, *map(str, first["loc"][skip:])) if part)
        more = broken.error_count() - 1
        return cls(first["msg"] + (f" (and {more} more)" if more else ""), path)


class IncompatibleSchema(SchemaError):
    """A published schema would change in a way that breaks stored facts or their readers. The message lists how.

    Do: take the change back, or raise the version of the event type and write an upcaster.
    """
