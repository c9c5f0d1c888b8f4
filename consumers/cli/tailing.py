"""``tail``: the log as it grows, this machine's own or, with ``--url``, a server's live feed."""

from collections.abc import Iterator, Mapping
from time import sleep
from typing import Annotated, Any, Final

import typer

from consumers.cli.arguments import Account, Severity
from consumers.cli.following import Following
from consumers.cli.last import Filter, before_last
from consumers.cli.output import Json, emit, emit_json, moment, plain, remark, severity
from consumers.cli.session import client
from consumers.composition import open_log, settings_of_data
from consumers.errors import Refused
from consumers.feed.vector import GENESIS
from pipeline.log.port import Log, Position, Record
from pipeline.log.sqlite import SqliteLog
from schemas.identity import MICROSECONDS
from schemas.registry import REGISTRY

_LAST: Final = 10
_READ_AT_ONCE: Final = 1000
_WAIT_SECONDS: Final = 1.0


def _server(text: str) -> str:
    """The base URL of a server."""
    if not text.startswith(("https://", "http://")):
        message = f"{text!r} is no server; write https://findstream.example"
        raise typer.BadParameter(message)
    return text.rstrip("/")


def tail(
    *,
    source: Annotated[str, typer.Option("--source", help="Only this source, for example aws.guardduty.")] = "",
    kind: Annotated[str, typer.Option("--type", help="Only this type, for example finding.observed.")] = "",
    account: Account = "",
    resource: Annotated[str, typer.Option("--resource", help="Only what names this resource, an ARN or id.")] = "",
    min_severity: Severity = 0,
    text: Annotated[str, typer.Option("--text", "-t", help="Only summaries that hold all these words.")] = "",
    last: Annotated[
        int | None, typer.Option("-n", "--last", min=0, help="Begin with the last N events that pass.", show_default="10")
    ] = None,
    since_start: Annotated[bool, typer.Option("--since-start", help="Begin with the first event of the log.")] = False,
    follow: Annotated[bool, typer.Option(help="Go on as events arrive, until Ctrl-C.")] = True,
    url: Annotated[
        str | None, typer.Option("--url", parser=_server, metavar="URL", help="Follow this server's live feed, signed in there.")
    ] = None,
    after: Annotated[
        str, typer.Option("--after", metavar="PLACE", help="With --url: go on behind where an earlier tail was.")
    ] = "",
    as_json: Json = False,
) -> None:
    """Follow the event log as it grows.

    Shows what is on the log, whether or not it was folded yet; order holds within a shard. All filters must hold.
    On AWS it begins with what comes from now on, or with --since-start: a stream is not read backwards.
    With --url it follows the live feed of a server, filtered there, as whom you are signed in to it
    (FINDSTREAM_API_URL=URL findstream login EMAIL). It begins with what comes from now on, and after an interruption
    goes on where it was, missing nothing.

    Examples:
      findstream tail -s HIGH
      findstream tail --source aws.guardduty -n 100
      findstream tail --since-start --no-follow --json | jq .summary
      findstream tail --url https://findstream.example -s HIGH --text "disk full"
    """
    if kind and not REGISTRY.newest(kind):
        remark(f"no event has the type {kind!r} so far; there are {', '.join(sorted({name for name, _ in REGISTRY}))}")
    wanted = Filter(source, kind, account, min_severity, resource, text)
    if url:
        _check_remote(last, follow=follow, since_start=since_start, after=after)
        _follow(url, wanted, GENESIS if since_start else after, as_json=as_json)
    elif after:
        message = "goes with --url; a tail of this machine begins with --last or --since-start"
        raise typer.BadParameter(message, param_hint="--after")
    else:
        _tail(wanted, last, follow=follow, since_start=since_start, as_json=as_json)


def _check_remote(last: int | None, *, follow: bool, since_start: bool, after: str) -> None:
    for asked, option, why in (
        (last, "--last", "a feed is not read backwards: leave it out, or ask GET /events"),
        (not follow, "--no-follow", "a feed has no end: leave it out"),
        (since_start and after, "--after", "contradicts --since-start: leave one of them out"),
    ):
        if asked:
            raise typer.BadParameter(why, param_hint=option)


def _follow(url: str, wanted: Filter, after: str, *, as_json: bool) -> None:
    with client(server=url) as api:
        following = Following(api, wanted.asked(), after, say=remark, sleep=sleep)
        try:
            for event in following:
                if as_json:
                    emit_json(event)
                else:
                    _line(round(event["time"] * MICROSECONDS), event)
        except KeyboardInterrupt:
            if following.place:
                remark(f"to go on from here: --after {following.place}")
            raise


def _tail(wanted: Filter, last: int | None, *, follow: bool, since_start: bool, as_json: bool) -> None:
    with open_log(settings_of_data()) as log:
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
    document = _document(record)
    if as_json:
        emit_json(document | {"body": record.event.data})
    else:
        _line(record.event.time_us, document)


def _line(time_us: int, event: Mapping[str, Any]) -> None:
    word = severity(event["severity"]).plain
    told = f"{event['account'] or '-':<12} {event['source']:<22} {event['type']}: {event['summary']}"
    emit(plain(f"{moment(time_us)} {word:<8} {told}"))


def _document(record: Record) -> dict[str, Any]:
    event = record.event
    header = {name: getattr(event, name) for name in type(event).__slots__ if name != "body"}
    return {"position": str(record.position), "recorded_us": record.recorded_us, **header}
