"""What folding takes of DynamoDB: write units an event, counted from the sizes of what is written."""

from collections.abc import Iterator

from tests.aws.clients import Server
from tests.bench.figures import Figure
from tests.infra.measuring import SIZES, commit_counts

_CLASSIC_UNITS = 5.0
"""An item an event and three indexes: two kilobytes once, and a unit an index."""


def write_units(server: Server) -> Iterator[Figure]:
    """By projection, for commits of some sizes."""
    for events in SIZES:
        told = commit_counts(server, events)["write_units"]
        total = sum(told.values()) / events
        yield Figure(
            f"write units an event, commits of {events:,}",
            "WRU",
            total,
            _CLASSIC_UNITS,
            times_plain=_CLASSIC_UNITS / total,
            note=", ".join(f"{name} {units / events:.3f}" for name, units in told.items()),
        )
