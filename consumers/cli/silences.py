"""``silences``: what is told to nobody for a while, by way of the server."""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, Final, Literal

import typer

from consumers.cli.arguments import ahead_us
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark, severity
from consumers.cli.server import client, drawn_key
from consumers.composition import now_us
from consumers.errors import ApiMisused
from schemas.identity import MICROSECONDS

silences = typer.Typer(help="Silences: what is told to nobody, for a while. By way of the server (findstream run).")

_PAGE: Final = 200
_NUMBERED: Final = re.compile(r"\bmatchers\.(\d+)")
_LENGTH: Final = re.compile(r"(\d{1,6})([smhdw])")
_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}

Status = Literal["pending", "active", "ended"]
SilenceId = Annotated[str, typer.Argument(metavar="SILENCE", help="A silence's id, as `silences list` shows it.")]
MATCHERS_HELP: Final = "What it matches, all of: source=aws.guardduty, severity<=HIGH, label.team!=core, …"
Matchers = Annotated[list[str], typer.Argument(metavar="MATCHER...", help=MATCHERS_HELP)]
Revision = Annotated[
    int | None, typer.Option("--revision", help="The revision that you saw; by default the one that there is now.")
]


def length_us(text: str) -> int:
    """``90s 30m 4h 2d 1w`` as microseconds."""
    found = _LENGTH.fullmatch(text)
    if not found:
        message = f"{text!r} is no length of time; write 90s, 30m, 4h, 2d or 1w"
        raise typer.BadParameter(message)
    return int(found[1]) * _UNITS[found[2]] * MICROSECONDS


Length = Annotated[int | None, typer.Option("--for", parser=length_us, metavar="LENGTH", help="So long: 90s, 30m, 4h, 2d, 1w.")]
Until = Annotated[
    int | None, typer.Option("--until", parser=ahead_us, metavar="TIME", help="Until then: 2h (from now), 2026-01-31T09:00:00Z.")
]


@silences.command("list")
def listing(
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Only those that stand so.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=10_000, help="At most so many.")] = 50,
    as_json: Json = False,
) -> None:
    """List silences, the last to end first.

    Examples:
      findstream silences list --status active
    """
    items: list[Any] = []
    cursor = ""
    with client() as api:
        while True:
            asked = {"status": status, "limit": min(limit - len(items), _PAGE), "cursor": cursor}
            page = api.get("/silences", params={name: value for name, value in asked.items() if value}).json()
            items += page["items"]
            cursor = page["next"]
            if not cursor or len(items) >= limit:
                break
    if as_json:
        emit_json({"items": items, "next": cursor})
        return
    emit_table(
        ("Status", "Starts (UTC)", "Ends (UTC)", "By", "Matchers", "Comment", "Id"),
        (
            (
                s["status"],
                _moment(s["starts"]),
                _moment(s["ends"]),
                _name(s["by"]),
                " ".join(s["matchers"]),
                s["comment"],
                s["id"],
            )
            for s in items
        ),
    )
    remark(counted(len(items), "silence") + ("; there are more: --limit" if cursor else ""))


@silences.command("show")
def show(*, silence: SilenceId, as_json: Json = False) -> None:
    """Show a silence and what people did to it.

    Examples:
      findstream silences show 0199f3a1-0000-7000-8000-000000000001
    """
    with client() as api:
        found = api.get(f"/silences/{silence}").json()
    if as_json:
        emit_json(found)
        return
    _tell(found)
    for matcher in found["matchers"]:
        emit(f"  {plain(matcher)}")
    emit_table(
        ("Time (UTC)", "What", "By", "Ends (UTC)", "Comment"),
        ((_moment(c["time"]), c["what"], _name(c["by"]), _moment(c["ends"]), c["comment"]) for c in found["changes"]),
        title="\nHistory",
    )


@silences.command("add")
def add(
    *,
    matchers: Matchers,
    comment: Annotated[str, typer.Option("--comment", help="Why, in up to 1000 characters.")],
    length: Length = None,
    until: Until = None,
    start: Annotated[
        int | None,
        typer.Option("--from", parser=ahead_us, metavar="TIME", help="From then on: 2h (from now), …; else now."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Silence what all matchers match, for four hours unless you say otherwise.

    Examples:
      findstream silences add source=aws.guardduty account=111122223333 --for 2d --comment "A test of ours"
      findstream silences add 'resource=arn:aws:rds:*' --until 2026-02-01T06:00:00Z --comment Maintenance
    """
    ends_us = _end(
        length if length is not None or until is not None else length_us("4h"), until, now_us() if start is None else start
    )
    body = {"matchers": matchers, "comment": comment, "ends": _seconds(ends_us), "starts": _seconds(start)}
    with client() as api, _called_by_text(matchers):
        _answer(api.post("/silences", json=_given(body), headers=drawn_key()).json(), as_json=as_json)


@silences.command("edit")
def edit(
    *,
    silence: SilenceId,
    length: Length = None,
    until: Until = None,
    comment: Annotated[str | None, typer.Option("--comment", help="Why, in up to 1000 characters.")] = None,
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """Move the end of a silence (--for: from now on), or its comment. What it matches never changes.

    Examples:
      findstream silences edit 0199f3a1-0000-7000-8000-000000000001 --for 4h
    """
    if length is None and until is None and comment is None:
        message = "say --for, --until or --comment"
        raise typer.BadParameter(message, param_hint="--for")
    body = {"ends": _seconds(_end(length, until, now_us())), "comment": comment, "revision": revision}
    with client() as api:
        _answer(api.put(f"/silences/{silence}", json=_given(body), headers=drawn_key()).json(), as_json=as_json)


@silences.command("expire")
def expire(
    *,
    silence: SilenceId,
    comment: Annotated[str, typer.Option("--comment", help="Why, in up to 1000 characters.")] = "",
    revision: Revision = None,
    as_json: Json = False,
) -> None:
    """End a silence now. One that has ended stays as it is.

    Examples:
      findstream silences expire 0199f3a1-0000-7000-8000-000000000001 --comment Mended
    """
    asked = {"comment": comment or None, "revision": revision}
    with client() as api:
        before = api.get(f"/silences/{silence}").json()
        _answer(api.delete(f"/silences/{silence}", params=_given(asked), headers=drawn_key()).json(), as_json=as_json)
    if before["status"] == "ended":
        remark("it had ended already, and stays as it was" + (": the comment was not kept" if comment else ""))


@silences.command("preview")
def preview(
    *,
    matchers: Matchers,
    hours: Annotated[int, typer.Option("--hours", min=1, max=168, help="Findings of so many hours back.")] = 24,
    as_json: Json = False,
) -> None:
    """See what a silence with these matchers would match: findings of the past hours, and what fires now.

    Examples:
      findstream silences preview source=aws.guardduty 'severity<=MEDIUM'
    """
    with client() as api, _called_by_text(matchers):
        found = api.post("/silences/preview", json={"matchers": matchers, "hours": hours}).json()
    if as_json:
        emit_json(found)
        return
    rows = [("firing", one["severity"], one["since"], one["subject"], one["event_id"]) for one in found["firing"]]
    rows += [("finding", one["severity"], one["time"], one["summary"], one["id"]) for one in found["events"]]
    emit_table(
        ("What", "Severity", "Time (UTC)", "About", "Id"),
        ((what, severity(level), _moment(time), about, event_id) for what, level, time, about, event_id in rows),
    )
    most = "" if found["complete"] else ", the newest of more"
    remark(f"{found['matched']} of {counted(found['looked_at'], 'finding')}{most}; firing: {found['firing_matched']}")


@contextmanager
def _called_by_text(matchers: list[str]) -> Iterator[None]:
    """What the server refuses about matchers is told by their texts, not by their numbers."""
    try:
        yield
    except ApiMisused as refused:
        told = _NUMBERED.sub(lambda found: repr(matchers[int(found[1])]), str(refused))
        raise ApiMisused(told) from None


def _end(length: int | None, until: int | None, start_us: int) -> int | None:
    """When it shall end; None if neither is said."""
    if length is not None and until is not None:
        message = "say --for or --until"
        raise typer.BadParameter(message, param_hint="--for")
    return until if length is None else start_us + length


def _given(asked: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in asked.items() if value is not None}


def _answer(silence: Mapping[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(silence)
    else:
        _tell(silence)


def _tell(silence: Mapping[str, Any]) -> None:
    told = (
        f"{silence['id']} {silence['status']}, {_moment(silence['starts'])} to {_moment(silence['ends'])}: {silence['comment']}"
    )
    emit(plain(told))


def _seconds(time: int | None) -> float | None:
    return None if time is None else time / MICROSECONDS


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "-"


def _moment(seconds: float) -> str:
    return moment(round(seconds * MICROSECONDS))
