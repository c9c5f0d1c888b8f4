"""Commands that look: ``tail`` at the log itself, ``events`` at the index."""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Annotated, Any, Literal

import typer

from consumers.cli.arguments import Account, Severity, Since, Until
from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.composition import now_us, open_catalog, open_log, settings_of_data
from consumers.home import Home
from pipeline.log.port import Log, Position, Record
from projections.event_index import Entry, EventIndex, EventQuery

_READ_AT_ONCE = 1000
_WAIT_SECONDS = 1.0

Source = Annotated[str, typer.Option("--source", help="Only this source, for example aws.guardduty.")]


@dataclass(frozen=True, slots=True)
class _Filter:
    """What ``tail`` shows. Empty fields do not filter."""

    source: str
    kind: str
    account: str
    min_severity: int

    def wants(self, record: Record) -> bool:
        """Whether all filters hold."""
        event = record.event
        return (
            event.severity >= self.min_severity
            and self.source in {"", event.source}
            and self.kind in {"", event.type}
            and self.account in {"", event.account}
        )


def tail(
    *,
    source: Source = "",
    kind: Annotated[str, typer.Option("--type", help="Only this type, for example finding.observed.")] = "",
    account: Account = "",
    min_severity: Severity = 0,
    last: Annotated[int, typer.Option("-n", "--last", min=0, help="Begin with about the last N events of the log.")] = 10,
    since_start: Annotated[bool, typer.Option("--since-start", help="Begin with the first event of the log.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on as events arrive, until Ctrl-C.")] = True,
    as_json: Json = False,
) -> None:
    """Follow the event log as it grows.

    Shows what is on the log, whether or not it was folded yet; order holds within a shard.

    Examples:
      findstream tail -s HIGH
      findstream tail --source aws.guardduty -n 100
      findstream tail --since-start --no-follow --json | jq .summary
    """
    settings = settings_of_data()
    wanted = _Filter(source, kind, account, min_severity)
    with open_log(settings) as log:
        seen = {} if since_start else _before_last(log, last)
        while True:
            for record in _behind(log, seen):
                if wanted.wants(record):
                    _show(record, as_json=as_json)
            if not follow:
                return
            log.wait(seen, _WAIT_SECONDS)


def _before_last(log: Log, last: int) -> dict[str, Position]:
    """Positions behind which about the last ``last`` events stand, evenly over the shards. The embedded log counts from 0."""
    heads = log.heads()
    share = -(-last // max(len(heads), 1))
    starts = {shard: head.sequence - share for shard, head in heads.items()}
    return {shard: Position(shard, start) for shard, start in starts.items() if start >= 0}


def _behind(log: Log, seen: dict[str, Position]) -> Iterator[Record]:
    """What stands behind ``seen`` now, which moves along; by recorded time as far as one read reaches."""
    while True:
        records: list[Record] = []
        for shard in log.shards():
            batch = log.read(shard.id, seen.get(shard.id), _READ_AT_ONCE)
            if len(batch):
                records.extend(batch.records())
                seen[shard.id] = batch.positions[-1]
        if not records:
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
        behind = sum(state.lag_events for state in catalog.states() if state.name == EventIndex.name)
    if behind and Home(settings.home.absolute()).running() is None:
        remark(f"the index is {behind:,} events behind the log: findstream run folds them")
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
