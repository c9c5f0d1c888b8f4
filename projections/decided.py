"""What readers (API, console, notifier) may ask of what people decided about notifying.

Every answer comes from the serving generation at the time of the call, in one short read transaction.
"""

from collections.abc import Sequence
from typing import Protocol

from projections.policies import KnownRouting, KnownSilence, RoutingVersion
from projections.silence_pages import SilencePage, SilenceQuery


class Decided(Protocol):
    """The questions. Implemented by ``projections.catalog.Catalog``."""

    def routing(self) -> KnownRouting | None:
        """The routing that holds, with its last versions; None if none was ever published: then the default holds."""
        ...

    def routing_version(self, number: int) -> RoutingVersion | None:
        """A version of the routing with its text; None if there is none."""
        ...

    def silences(self, *, ending_after_us: int = 0) -> Sequence[KnownSilence]:
        """The silences that end after a time, the last to end first. Those that have not begun are among them."""
        ...

    def silence(self, silence_id: str) -> KnownSilence | None:
        """A silence, ended or not; None if none of this id was ever created."""
        ...

    def silence_page(self, query: SilenceQuery, *, now_us: int) -> SilencePage:
        """A page of silences. Raises ``CursorRejected``."""
        ...
