"""What can be wrong with a command. The docstring says when, then what whoever sent it does."""

from collections.abc import Sequence
from typing import Self

from pydantic import ValidationError

from pipeline.errors import Fault, PipelineError


class DeskError(PipelineError):
    """The base of all below. Nothing of the command was done."""


class CommandRefused(DeskError):
    """A rule does not allow the command. ``faults`` name each field and why. Do: correct the fields."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(f"{fault.field} {fault.reason}" for fault in faults))
        self.faults = tuple(faults)

    @classmethod
    def of(cls, field: str, reason: str) -> Self:
        """The refusal for one field."""
        return cls((Fault(field, reason),))

    @classmethod
    def by(cls, broken: ValidationError) -> Self:
        """The refusal for what pydantic complains of."""
        errors = broken.errors(include_url=False, include_context=False, include_input=False)
        return cls([Fault(".".join(map(str, error["loc"])), error["msg"].removeprefix("Value error, ")) for error in errors])


class Over(CommandRefused):
    """What was to be changed has ended, for good. Do: as the fault says; make another."""


class NothingThere(DeskError):
    """There is no such thing, or it was removed. Do: check the id."""


class AlreadyThere(DeskError):
    """What was to be made is there already, at ``version``. Do: change it instead."""

    def __init__(self, what: str, version: int) -> None:
        super().__init__(f"{what} is there already, at version {version}")
        self.version = version


class VersionConflict(DeskError):
    """Somebody was faster: the thing is at ``version`` by now, the command was made against another.

    Do: read it again, decide anew.
    """

    def __init__(self, what: str, version: int) -> None:
        super().__init__(f"{what} is at version {version} by now")
        self.version = version


class KeyReused(DeskError):
    """An idempotency key came with another command than before. Do: draw a new key for each command."""


class DesksUnavailable(DeskError):
    """The recorder cannot be reached or written just now. It may hold the command all the same, if its answer was lost.

    Do: send the command again with the same idempotency key.
    """


class RelayStuck(DeskError):
    """A fact of the desks cannot come onto the log, now and ever, or is missing among the recorder's. None is passed over.

    Do: see what the message names.
    """
