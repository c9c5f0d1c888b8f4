"""``python -m tests.bench.aws``: measure on local AWS servers, print a table, write ``bench-aws.json``."""

import argparse
import gc
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console

from tests.aws import servers
from tests.bench.aws.doors import imports
from tests.bench.aws.kinesis import kinesis
from tests.bench.aws.units import write_units
from tests.bench.material import sample
from tests.bench.table import show, write

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.bench.figures import Figure

_EVENTS, _EVENTS_QUICK = 20_000, 3_000
_ROUNDS = 3


def main() -> None:
    """Run all figures."""
    parser = argparse.ArgumentParser(prog="make bench-aws", description="Measure findstream on local AWS servers.")
    parser.add_argument("--quick", action="store_true", help="few events: a look, not a measurement")
    parser.add_argument("--events", type=int, help=f"events of each comparison (default {_EVENTS:,})")
    parser.add_argument("--only", action="append", help="a group: kinesis units imports; repeatable")
    options = parser.parse_args()
    events = options.events or (_EVENTS_QUICK if options.quick else _EVENTS)
    material = sample(events)
    gc.collect()
    gc.freeze()  # the material is not the measured parts' to walk through
    console = Console(width=180)
    figures: list[Figure] = []
    with servers.kinesalite() as streams, servers.ministack() as tables:
        groups: dict[str, Callable[[], Iterator[Figure]]] = {
            "kinesis": lambda: kinesis(streams, material, _ROUNDS),
            "units": lambda: write_units(tables),
            "imports": lambda: imports(_ROUNDS),
        }
        for name, group in groups.items():
            if options.only and name not in options.only:
                continue
            for figure in group():
                figures.append(figure)
                console.print(f"[dim]{figure.name}: {figure.ours:,.4g} {figure.unit}[/]", highlight=False)
    show(figures, console)
    write(figures, Path("bench-aws.json"), sizes={"events": events, "rounds": _ROUNDS})


if __name__ == "__main__":
    main()
