"""The daily report in words: its tables, the counts with their changes."""

from collections.abc import Mapping, Sequence
from typing import TypeAlias

from consumers.palette import SEVERITIES
from consumers.reports.daily import DailyReport

Rows: TypeAlias = Sequence[tuple[str, str]]


def counted(count: int | str, change: int = 0) -> str:
    """A count, and in brackets its change with a sign, if there is one. What is in words already stays so."""
    if isinstance(count, str):
        return count
    return f"{count:,} ({change:+,})" if change else f"{count:,}"


def tables(report: DailyReport) -> Sequence[tuple[str, Rows]]:
    """The tables of a report that have rows, each with its heading."""
    found = [
        ("By severity", _by_severity(report)),
        ("By source", _ranked(report.totals.source, report.change.source)),
        ("By account", _ranked(report.totals.account, report.change.account)),
        ("Top resources", [(top.resource, counted(top.count)) for top in report.top_resources]),
    ]
    return [(name, rows) for name, rows in found if rows]


def _ranked(counts: Mapping[str, int], change: Mapping[str, int]) -> Rows:
    """The largest first; what came to nothing is told too."""
    names = sorted({**counts, **change}, key=lambda name: (-counts.get(name, 0), name))
    return [(name or "none", counted(counts.get(name, 0), change.get(name, 0))) for name in names]


def _by_severity(report: DailyReport) -> Rows:
    """The worst first, all of them."""
    counts, change = report.totals.severity, report.change.severity
    worst_first = list(enumerate(SEVERITIES))[::-1]
    return [(f"{tone.emoji} {tone.word}", counted(counts.get(str(n), 0), change.get(str(n), 0))) for n, tone in worst_first]
