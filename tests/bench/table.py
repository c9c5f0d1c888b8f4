"""The table on the terminal, and ``bench.json``."""

import os
import platform
import sqlite3
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import orjson
from rich.console import Console
from rich.table import Table

from tests.bench.figures import Figure


def show(figures: Sequence[Figure], console: Console) -> None:
    """Print one line a figure."""
    table = Table(title="findstream beside the naive baselines of the same run", title_justify="left")
    for heading in ("figure", "unit", "ours", "naive plain", "x plain", "naive equal", "x equal", "target", ""):
        table.add_column(heading, justify="left" if heading in {"figure", "unit", "target", ""} else "right")
    for f in figures:
        met = {None: "", True: "[green]met[/]", False: "[red]not met[/]"}[f.met]
        values = (_number(f.ours), _number(f.plain), _number(f.times_plain), _number(f.equal), _number(f.times_equal))
        name = f"{f.name}\n[dim]{f.note}[/]" if f.note else f.name
        table.add_row(name, f.unit, *values, f.target.text if f.target else "", met)
    console.print(table)
    console.print(
        "plain: time, source, account indexed; drops no repeats. equal: answers every question of ours."
        " Ratios above 1: ours is better."
    )


def write(figures: Sequence[Figure], path: Path, *, sizes: dict[str, int]) -> None:
    """Write all figures with what they were measured on."""
    machine = {
        "cpus": os.cpu_count(),
        "load": os.getloadavg(),
        "python": platform.python_version(),
        "sqlite": sqlite3.sqlite_version,
        "platform": platform.platform(),
    }
    told = [asdict(f) | {"met": f.met} for f in figures]
    path.write_bytes(orjson.dumps({"machine": machine, "sizes": sizes, "figures": told}, option=orjson.OPT_INDENT_2) + b"\n")


def _number(value: float | None) -> str:
    if value is None:
        return ""
    if abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}"
