"""How long rows are kept, as the TTL that items get. DynamoDB deletes what has expired within days, and for nothing.

Source: Amazon DynamoDB Developer Guide, "Using time to live (TTL) in DynamoDB".
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from pipeline.dynamodb_table import EXPIRES, Item

_SECOND_US: Final = 1_000_000
_DAY_SECONDS: Final = 86_400
_MERGED_SECONDS: Final = 3_600


@dataclass(frozen=True, slots=True)
class Keeping:
    """Days for which rows are kept. Entries: from the recorded time on; None: for ever. Readers ask for no older ones.

    Markers: from their writing on, which must be more than the thirty days of ``projections.guard`` and the days for which the
    log keeps what may still come to be folded, together. So none that could decide something goes, in a rebuild neither.
    """

    entry_days: int | None = None
    marker_days: int = 30 + 7 + 1


@dataclass(frozen=True, slots=True)
class Expiry:
    """``keeping`` at the time that ``clock`` tells (microseconds since the epoch)."""

    keeping: Keeping
    clock: Callable[[], int]

    def entries(self, recorded_us: int) -> Item:
        """Of entries, the last of which was recorded then."""
        days = self.keeping.entry_days
        return {} if days is None else {EXPIRES: recorded_us // _SECOND_US + days * _DAY_SECONDS}

    def markers(self) -> Item:
        """Of a marker that is written now."""
        return {EXPIRES: self.clock() // _SECOND_US + self.keeping.marker_days * _DAY_SECONDS}

    def merged(self) -> Item:
        """Of a segment that was merged into another just now: readers that found it listed before may still come for it."""
        return {EXPIRES: self.clock() // _SECOND_US + _MERGED_SECONDS}
