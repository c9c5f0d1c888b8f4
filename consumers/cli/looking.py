"""``events``: asks the index for findings."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Annotated, Any, Literal

import typer

from consumers.cli.arguments import Account, Severity, Since, Until, check_range
from consumers.cli.freshness import remark_on_lag
from consumers.cli.output import Json, emit_json, emit_table, moment, remark, severity
from consumers.composition import now_us, open_catalog, open_log, settings_of_data
from projections.event_index import Entry, EventIndex, EventQuery

Source = Annotated[str, typer.Option("--source", help="Only this source, for example aws.guardduty.")]


def events(
    *,
    event_id: Annotated[str, typer.Option("--id", help="The event with this id: ours, or the one that its source gave it.")] = "",
    since: Since = None,
    until: Until = None,
    source: Source = "",
    account: Account = "",
    resource: Annotated[str, typer.Option("--resource", help="Only findings that name this resource, an ARN or id.")] = "",
    min_severity: Severity = 0,
    text: Annotated[str, typer.Option("--text", "-t", help="Only summaries that hold all these words.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=1000, help="At most so many.")] = 50,
    direction: Annotated[Literal["asc", "desc"], typer.Option("--direction", help="Oldest or newest first.")] = "desc",
    cursor: Annotated[str, typer.Option("--cursor", help="Go on from here: a page's next or previous.")] = "",
    as_json: Json = False,
) -> None:
    """Ask the event index for findings.

    Examples:
      findstream events -s HIGH --since 2h
      findstream events --text "disk full" --account 123456789012
      findstream events --json | jq -r '.events[].id'
    """
    check_range(since, until)
    settings = settings_of_data()
    query = EventQuery(
        since_us=since,
        until_us=until,
        source=source,
        account=account,
        resource=resource,
        min_severity=min_severity,
        text=text,
        limit=limit,
        direction=direction,
        cursor=cursor,
    )
    with open_log(settings) as log, open_catalog(settings, log) as catalog:
        if event_id:
            entries, cursors = catalog.event(event_id, now_us=now_us()), {"next": "", "previous": ""}
        else:
            page = catalog.events(query, now_us=now_us())
            entries, cursors = page.entries, {"next": page.next, "previous": page.previous}
        states = [state for state in catalog.states() if state.name == EventIndex.name]
    remark_on_lag(settings, states, "the index")
    if as_json:
        emit_json({"events": [_entry(entry) for entry in entries], **cursors})
        return
    emit_table(
        ("Time (UTC)", "Severity", "Account", "Source", "Summary", "Id"),
        (
            (moment(entry.time_us), severity(entry.severity), entry.account or "-", entry.source, entry.summary, entry.id)
            for entry in entries
        ),
    )
    _remark_on(entries, cursors)


def _entry(entry: Entry) -> Mapping[str, Any]:
    return asdict(entry) | {"position": str(entry.position)}


def _remark_on(entries: object, cursors: Mapping[str, str]) -> None:
    if not entries:
        remark("no event matches")
    elif cursors["next"]:
        remark(f"more: --cursor {cursors['next']}")
