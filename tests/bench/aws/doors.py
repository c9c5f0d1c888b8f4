"""How long each function takes to import, from its package alone, in a process of its own."""

from collections.abc import Iterator
from statistics import median

from tests.aws.built import unpacked
from tests.bench.figures import Figure
from tests.infra.test_doors import COLLECTOR, SETTINGS, packages
from tests.infra.test_functions import DOORS


def imports(rounds: int) -> Iterator[Figure]:
    """Seconds to import each door, the median of ``rounds``; what a cold start pays before its first event."""
    folder = packages()
    for name, doors in (("central", sorted(DOORS.values())), ("agent", [COLLECTOR])):
        with unpacked(folder / f"{name}.zip") as built:
            for door in doors:
                seconds = median(built.imported(f"{door}.handler", SETTINGS).seconds for _ in range(rounds))
                yield Figure(f"import of {door}", "s", seconds, note=f"{name}.zip")
