"""Commands that look: ``tail`` at the log itself, ``events`` at the index."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Annotated, Any, Final, Literal

import typer

from consumers.cli.arguments import Account, Severity, Since, Until, check_range
from consumers.cli.freshness import remark_on_lag
from consumers.cli.last import Filter, before_last
from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.composition import now_us, open_catalog, open_log, settings_of_data
from consumers.errors import Refused
from pipeline.log.port import Log, Position, Record
from pipeline.log.sqlite import SqliteLog
from projections.event_index import Entry, EventIndex, EventQuery
from schemas.registry import REGISTRY

_LAST: Final = 10
_READ_AT_ONCE = 1000
_WAIT_SECONDS = 1.0

Source = Annotated[str, typer.Option("--source", help="Only this source, for example aws.guardduty.")]


def tail(
    *,
    source: Source = "",
    kind: Annotated[str, typer.Option("--type", help="Only this type, for example finding.observed.")] = "",
    account: Account = "",
    min_severity: Severity = 0,
    last: Annotated[
        int | None, typer.Option("-n", "--last", min=0, help="Begin with the last N events that pass.", show_default="10")
    ] = None,
    since_start: Annotated[bool, typer.Option("--since-start", help="Begin with the first event of the log.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on as events arrive, until Ctrl-C.")] = True,
    as_json: Json = False,
) -> None:
    """Follow the event log as it grows.

    Shows what is on the log, whether or not it was folded yet; order holds within a shard. All filters must hold.
    On AWS it begins with what comes from now on, or with --since-start: a stream is not read backwards.

    Examples:
      findstream tail -s HIGH
      findstream tail --source aws.guardduty -n 100
      findstream tail --since-start --no-follow --json | jq .summary
    """
    settings = settings_of_data()
    if kind and not REGISTRY.newest(kind):
        remark(f"no event has the type {kind!r} so far; there are {', '.join(sorted({name for name, _ in REGISTRY}))}")
    wanted = Filter(source, kind, account, min_severity)
    with open_log(settings) as log:
        seen = {} if since_start else _beginning(log, wanted, last)
        while True:
            for record in _behind(log, seen, wanted):
                _show(record, as_json=as_json)
            if not follow:
                return
            log.wait(seen, _WAIT_SECONDS)


def _beginning(log: Log, wanted: Filter, last: int | None) -> dict[str, Position]:
    """Behind what to begin. Raises ``Refused`` if the log cannot tell which events are the last."""
    if isinstance(log, SqliteLog):
        return before_last(log, wanted, _LAST if last is None else last)
    if last:
        message = "a stream is not read backwards: leave --last out, ask findstream events, or read all with --since-start"
        raise Refused(message)
    return dict(log.heads())


def _behind(log: Log, seen: dict[str, Position], wanted: Filter) -> Iterator[Record]:
    """What stands behind ``seen`` now, which moves along, and passes; by recorded time as far as one read reaches."""
    while True:
        records: list[Record] = []
        moved = False
        for shard in log.shards():
            batch = log.read(shard.id, seen.get(shard.id), _READ_AT_ONCE)
            if len(batch):
                records.extend(batch.select(wanted.places(batch)).records())
                seen[shard.id] = batch.positions[-1]
                moved = True
        if not moved:
            return
        yield from sorted(records, key=lambda record: record.recorded_us)


def _show(record: Record, *, as_json: bool) -> None:
    if as_json:
        emit_json(_document(record))
        return
    event = record.event
    word = severity(event.severity).plain
    emit(plain(f"{moment(event.time_us)} {word:<8} {event.account or '-':<12} {event.source:<22} {event.type}: {event.summary}"))


def _document(record: Record) -> dict[str, Any]:
    event = record.event
    header = {name: getattr(event, name) for name in type(event).__slots__ if name != "body"}
    return {"position": str(record.position), "recorded_us": record.recorded_us, **header, "body": event.data}


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
