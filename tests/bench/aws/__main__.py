"""``python -m tests.bench.aws``: measure on local AWS servers, print a table, write ``bench-aws.json``."""

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.aws import servers
from tests.bench.aws.kinesis import kinesis
from tests.bench.material import sample
from tests.bench.table import show, write

if TYPE_CHECKING:
    from tests.bench.figures import Figure

_EVENTS, _EVENTS_QUICK = 20_000, 3_000
_ROUNDS = 3


def main() -> None:
    """Run all figures."""
    parser = argparse.ArgumentParser(prog="make bench-aws", description="Measure findstream on local AWS servers.")
    parser.add_argument("--quick", action="store_true", help="few events: a look, not a measurement")
    parser.add_argument("--events", type=int, help=f"events of each comparison (default {_EVENTS:,})")
    options = parser.parse_args()
    events = options.events or (_EVENTS_QUICK if options.quick else _EVENTS)
    material = sample(events)
    gc.collect()
    gc.freeze()  # the material is not the measured parts' to walk through
    console = Console(width=180)
    figures: list[Figure] = []
    with servers.kinesalite() as server:
        for figure in kinesis(server, material, _ROUNDS):
            figures.append(figure)
            console.print(f"[dim]{figure.name}: {figure.ours:,.4g} {figure.unit}[/]", highlight=False)
    show(figures, console)
    write(figures, Path("bench-aws.json"), sizes={"events": events, "rounds": _ROUNDS})


if __name__ == "__main__":
    main()
