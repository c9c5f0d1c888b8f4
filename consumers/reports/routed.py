"""Which reports there are, as the routing says. Its text is read once a version, however often it is asked."""

from collections.abc import Sequence

from consumers.notifier.routing.policies import routing_of
from consumers.notifier.routing.tree import Report
from projections.decided import Decided


class Routed:
    """Answers the reports of the routing that holds."""

    def __init__(self, decided: Decided) -> None:
        self._decided = decided
        self._number: int | None = None
        self._reports: Sequence[Report] = ()

    def __call__(self) -> Sequence[Report]:
        """The reports. Raises ``StoreUnavailable``."""
        known = self._decided.routing()
        number = known.current.number if known else 0
        if number != self._number:
            self._reports, self._number = routing_of(self._decided).reports, number
        return self._reports
