"""What can break in the pipeline, named for the broken expectation. The docstring says when, then what the operator does."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

_SHOWN: Final = 60


def quoted(value: Any) -> str:
    """An untrusted value for a message: in quotes, on one line, at most 60 characters of it."""
    text = str(value)
    return ascii(text if len(text) <= _SHOWN else text[: _SHOWN - 1] + "…")


class PipelineError(Exception):
    """The base of all below."""


class LogUnavailable(PipelineError):
    """The log cannot be reached or written just now (locked, full disk, network). Nothing of the call was accepted.

    Do: mend the cause that the message names; producers retry, retrying is safe.
    """


class LogFull(LogUnavailable):
    """The disk under the log is full. What was acknowledged is safe; nothing new is accepted.

    Do: free or add space; appends resume by themselves.
    """


class LogCorrupted(PipelineError):
    """A stored block cannot be read back. Do: run ``findstream doctor``; restore from a backup what it names."""


class SettingRejected(PipelineError):
    """A setting has no acceptable value. The message names the variable and the accepted form. Do: correct it."""


class UnknownFormat(PipelineError):
    """A file is not what it should be, or was written by a newer version. Do: check its path; upgrade."""


class OpenedBeforeFork(PipelineError):
    """A file that was opened before a fork is used after it, which could corrupt it.

    Do: open files in the process that uses them; start that process anew (spawn) instead of forking with files open.
    """


class QuarantineUnavailable(PipelineError):
    """The quarantine cannot be read or written just now (locked, full disk, damaged). Nothing of the call was kept.

    Do: mend the cause that the message names; what came in is to be put again.
    """


class BackupFailed(PipelineError):
    """A backup could not be written, or its source not be read; what was there before is untouched.

    Do: mend what the message names, repeat.
    """


class BackupRejected(PipelineError):
    """What was to be restored is no backup, or is damaged. Nothing was changed. Do: take another backup."""


class NotATime(PipelineError):
    """A value names no moment between 1970 and 9999 in any form that ``pipeline.timestamps`` knows. Do: mend the source."""

    def __init__(self, value: Any, why: str = "is no time (expected for example 2024-02-17T11:53:08Z)") -> None:
        super().__init__(f"{quoted(value)} {why}")


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one field. ``field`` is a dotted path ("": the whole item); ``reason`` is a sentence for people."""

    field: str
    reason: str


class ItemRejected(PipelineError):
    """An item of input cannot become an event. ``Ingest`` turns it into a quarantine entry or an ``InputRejected``.

    Do: mend the source, or the setting that the reason names, then re-ingest the item.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(fault.reason for fault in faults))
        self.faults = tuple(faults)

    @classmethod
    def of(cls, field: str, reason: str) -> "ItemRejected":
        """The rejection for one field."""
        return cls((Fault(field, reason),))


@dataclass(frozen=True, slots=True)
class RejectedItem:
    """One bad item of an input. ``index`` counts the items after unwrapping, from 0."""

    index: int
    field: str
    reason: str


class InputRejected(PipelineError):
    """Input that had to be good in full was not; nothing of it was accepted or kept. ``items`` are the bad ones, in order.

    A stream that breaks off is the exception: ``taken`` counts what came before, as read, accepted, duplicate, quarantined.
    ``several`` says that the input was an array or held more than one item, so that an index tells something.

    Do: mend the named fields and send the whole again.
    """

    def __init__(
        self, items: Sequence[RejectedItem], taken: tuple[int, int, int, int] = (0, 0, 0, 0), *, several: bool = False
    ) -> None:
        super().__init__("; ".join(f"item {item.index}: {item.reason}" for item in items[:5]))
        self.items = tuple(items)
        self.taken = taken
        self.several = several


class QuarantineItemUnknown(PipelineError):
    """The quarantine has no item with this id. Do: see ``findstream quarantine list``."""


class NotUnpacked(PipelineError):
    """Packed data cannot be opened: damaged, or it unpacks to too much. The message says what it is. Do: mend the sender."""


class PlaceUnknown(PipelineError):
    """An agent was started by something that does not tell where it runs. Do: start it as a Lambda function."""

    def __init__(self, arn: str) -> None:
        super().__init__(f"{quoted(arn)} is not the ARN of a Lambda function")


class WindowRejected(PipelineError):
    """An agent was asked to collect a stretch of time that is none. Do: give since and until as in 2024-02-17T11:53:08Z."""


class BusUnavailable(PipelineError):
    """Events were not taken by the event bus, after retries. The message says how many and why.

    Do: mend the cause (permission, the bus's policy, throttling); the next run puts again what lies within its window.
    """


class QueryRejected(PipelineError):
    """Logs Insights takes the query for malformed. Do: correct ``FINDSTREAM_ERROR_PATTERN``."""


class BodiesUnavailable(PipelineError):
    """Events cannot be kept, or found, by position just now. Do: mend the cause that the message names; projectors go on then."""
