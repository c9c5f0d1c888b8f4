"""``python -m tests.bench``: measure, print a table, write ``bench.json``."""

import argparse
import gc
from collections.abc import Callable, Iterator
from pathlib import Path

from rich.console import Console

from consumers.garbage import collect_seldom
from tests.bench import appending, backtesting, folding, latency, pages, ruling, storage, telling
from tests.bench.figures import Figure
from tests.bench.material import sample
from tests.bench.setting import fill, folder
from tests.bench.table import show, write

_COMPARED, _COMPARED_QUICK = 100_000, 10_000
_LARGE, _LARGE_QUICK = 1_000_000, 50_000
_JUDGED, _JUDGED_QUICK = 200_000, 10_000
_SECONDS, _SECONDS_QUICK = 10.0, 3.0
_ROUNDS = 3


def main() -> None:
    """Run all groups of figures, or those named by ``--only``."""
    options = _options()
    compared = options.events or (_COMPARED_QUICK if options.quick else _COMPARED)
    large = _LARGE_QUICK if options.quick else _LARGE
    length = _SECONDS_QUICK if options.quick else _SECONDS
    material = sample(compared)
    gc.collect()
    collect_seldom()  # ours and the baselines alike; the material is not theirs to walk through
    console = Console(width=180)

    def on_many() -> Iterator[Figure]:
        with folder() as path:
            fill(path, large)
            yield from folding.memory(path, large)
            yield from pages.pages(material, path, large, _ROUNDS)

    groups: dict[str, Callable[[], Iterator[Figure]]] = {
        "append": lambda: appending.append(material, _ROUNDS),
        "ingest": lambda: appending.ndjson(material, _ROUNDS),
        "live": lambda: folding.live(material, _ROUNDS),
        "rebuild": lambda: folding.rebuild(material, _ROUNDS),
        "backtest": lambda: backtesting.from_the_log(material, _ROUNDS),
        "latency": lambda: latency.visible(length),
        "telling": lambda: telling.told(length),
        "storage": lambda: storage.stored(material, _ROUNDS),
        "rules": lambda: ruling.judged(sample(_JUDGED_QUICK if options.quick else _JUDGED), _ROUNDS),
        "large": on_many,
    }
    figures: list[Figure] = []
    for name, group in groups.items():
        if not options.only or name in options.only:
            for figure in group():
                figures.append(figure)
                console.print(f"[dim]{figure.name}: {figure.ours:,.4g} {figure.unit}[/]", highlight=False)
    show(figures, console)
    write(figures, Path("bench.json"), sizes={"compared": compared, "large": large, "rounds": _ROUNDS})


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make bench", description="Measure findstream beside naive baselines.")
    parser.add_argument("--quick", action="store_true", help="few events: a look, not a measurement")
    parser.add_argument(
        "--only",
        action="append",
        help="a group: append ingest live rebuild backtest latency telling storage rules large; repeatable",
    )
    parser.add_argument("--events", type=int, help=f"events of each comparison (default {_COMPARED:,})")
    return parser.parse_args()


if __name__ == "__main__":
    main()
