"""``report``: the daily report on demand."""

from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer

from consumers.cli.arguments import day
from consumers.cli.freshness import remark_on_lag
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, plain, remark, severity
from consumers.composition import now_us, open_catalog, open_log, settings_of_data
from consumers.reports.daily import FOLDED, DailyReport
from consumers.reports.reporter import Reporter
from consumers.reports.routed import Routed


def report(
    *,
    on: Annotated[
        Any, typer.Option("--date", parser=day, metavar="DAY", help="As it is issued on this day; by default up to this hour.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="Which of the routing's reports; by default the first.")] = "",
    issue: Annotated[bool, typer.Option("--issue", help="Also put it on the log, so that the notifier tells it.")] = False,
    as_json: Json = False,
) -> None:
    """Show a daily report: over the last 24 hours, or as it is issued on a day, at its time in its readers' time zone.

    Examples:
      findstream report
      findstream report --date 2026-01-31 --json
      findstream report --name europe --issue
    """
    settings = settings_of_data()
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        reporter = Reporter(log, catalog, clock=now_us, reports=Routed(catalog))
        built = reporter.report(on, name)
        states = [state for state in catalog.states() if state.name in FOLDED]
        event = reporter.issue(built) if issue else None
    remark_on_lag(settings, states, "the report")
    if as_json:
        emit_json(built.body() | ({"event_id": event.id} if event else {}))
        return
    _show_report(built)
    if event:
        remark(f"issued as {event.id}")


def _show_report(built: DailyReport) -> None:
    zone = ZoneInfo(built.zone)
    since, until = (_local(moment_us, zone) for moment_us in (built.window.since_us, built.window.until_us))
    emit(f"{since} to {until}: {counted(built.total, 'finding')} ({built.total_change:+,})")
    emit("")
    emit_table(
        ("Severity", "Findings", "Change"),
        (
            (severity(n), built.totals.severity.get(str(n), 0), f"{built.change.severity.get(str(n), 0):+}")
            for n in range(4, -1, -1)
        ),
    )
    for title, now, change in (
        ("Source", built.totals.source, built.change.source),
        ("Account", built.totals.account, built.change.account),
    ):
        emit("")
        emit_table(
            (title, "Findings", "Change"), ((name or "-", count, f"{change.get(name, 0):+}") for name, count in now.items())
        )
    emit("")
    emit_table(("Resource", "Findings"), ((top.resource, top.count) for top in built.top_resources))
    emit(plain(counted(built.open_tasks, "open task")))


def _local(moment_us: int, zone: ZoneInfo) -> str:
    """A time as people of this zone read it, to the minute."""
    when = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=moment_us)
    return f"{when.astimezone(zone):%Y-%m-%d %H:%M %Z}"
