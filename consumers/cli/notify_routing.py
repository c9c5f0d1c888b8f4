"""``notify routes`` and ``notify route``: the routing of notifications, by way of the server; lint asks none."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final
from uuid import UUID

import typer

from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark
from consumers.cli.server import client, drawn_key
from consumers.notifier.errors import RoutingRefused
from consumers.notifier.routing import text
from schemas.identity import MICROSECONDS

routes: Final = typer.Typer(help="The routes: who is told of what. By way of the server, but for lint.")

_STDIN: Final = Path("-")
File = Annotated[Path, typer.Argument(metavar="FILE", help="The routing, YAML; - is standard input.")]


def register(notify: typer.Typer) -> None:
    """Add the commands of this module."""
    notify.command("route")(route)
    notify.add_typer(routes, name="routes", no_args_is_help=True)


@routes.command("show")
def show(
    *,
    version: Annotated[int | None, typer.Option("--version", min=1, help="This version; by default the one that holds.")] = None,
    default: Annotated[bool, typer.Option("--default", help="What holds before any was published; asks no server.")] = False,
    as_json: Json = False,
) -> None:
    """Print the routing as it was written.

    Examples:
      findstream notify routes show > routing.yaml
      findstream notify routes show --version 3
    """
    if default:
        found: dict[str, Any] = {"version": 0, "text": text.default_text(), "by": None, "published": None, "comment": ""}
    else:
        with client() as api:
            found = api.get("/routing" if version is None else f"/routing/versions/{version}").json()
    if as_json:
        emit_json(found)
        return
    for line in found["text"].splitlines():
        emit(plain(line))
    by = f", by {_name(found['by'])}, {_moment(found['published'])}" if found["version"] else ", which comes with findstream"
    remark(f"version {found['version']}{by}{': ' + found['comment'] if found['comment'] else ''}")


@routes.command("lint")
def lint(*, file: File, as_json: Json = False) -> None:
    """Check a routing: every flaw with its line, field and the accepted form. Ends with 3 if it has any.

    Examples:
      findstream notify routes lint routing.yaml
    """
    told, flaws = _read(file)
    if as_json:
        named = [{"line": flaw.line, "field": flaw.field, "reason": flaw.reason} for flaw in flaws]
        emit_json({"sound": not flaws, "flaws": named})
    for flaw in flaws if not as_json else ():
        emit(plain(f"{_place(file)}: {flaw}"))
    if flaws:
        raise typer.Exit(REFUSED)
    if not as_json:
        emit(plain(f"{_place(file)}: good"))
        for hint in text.unreachable(text.read(told)):
            remark(hint)


@routes.command("publish")
def publish(
    *,
    file: File,
    comment: Annotated[str, typer.Option("--comment", help="Why, in up to 1000 characters.")] = "",
    version: Annotated[
        int | None, typer.Option("--version", min=0, help="The version that you saw; by default the one that holds now.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Put another routing in the place of the one that holds. It is refused, with 3, if it has a flaw.

    Examples:
      findstream notify routes publish routing.yaml --comment "Nights are quiet"
    """
    told = _sound(file, "nothing was published")
    with client() as api:
        before = api.get("/routing").json()["version"]
        body = {"text": told, "version": before if version is None else version, **({"comment": comment} if comment else {})}
        answer = api.put("/routing", json=body, headers=drawn_key()).json()
    if as_json:
        emit_json(answer | {"changed": answer["version"] != before})
    else:
        emit(f"version {answer['version']} {'published' if answer['version'] != before else 'holds already'}")
        for hint in answer["hints"]:
            remark(hint)


@routes.command("versions")
def versions(*, as_json: Json = False) -> None:
    """List the last hundred versions of the routing, newest first.

    Examples:
      findstream notify routes versions
    """
    with client() as api:
        found = api.get("/routing/versions").json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Version", "Published (UTC)", "By", "Comment", "Id"),
        ((v["version"], _moment(v["published"]), _name(v["by"]), v["comment"], v["event_id"]) for v in found["items"]),
    )
    remark(counted(len(found["items"]), "version"))


def route(
    *,
    what: Annotated[str, typer.Argument(metavar="[EVENT]", help="A finding's id, or an alert's.")] = "",
    fields: Annotated[
        list[str] | None, typer.Option("--field", metavar="NAME=VALUE", help="Instead of an event: what matchers ask for.")
    ] = None,
    file: Annotated[
        Path | None, typer.Option("--file", help="Another routing than the one that holds; - is standard input.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Show which path something takes through the routes, which matchers did not hold, and who would be told.

    Examples:
      findstream notify route 1700000000-0d0c…
      findstream notify route --field source=aws.guardduty --field severity=HIGH --file routing.yaml
    """
    if bool(what) == bool(fields):
        message = "name an event or an alert, or give --field"
        raise typer.BadParameter(message, param_hint="EVENT")
    body: dict[str, Any] = {"fields": _fields(fields)} if fields else {"alert_id" if _is_uuid(what) else "event_id": what}
    if file is not None:
        body["text"] = _sound(file)
    with client() as api:
        found = api.post("/routing/test", json=body).json()
    if as_json:
        emit_json(found)
    else:
        _show_path(found)


def _show_path(found: Mapping[str, Any]) -> None:
    for name, value in found["fields"].items():
        emit(plain(f"  {name}={value}"))
    if found["told_as"] == "nothing":
        emit("events like it are told to nobody")
        return
    emit("")
    for step in found["steps"]:
        failed = ", ".join(f"{one['matcher']} (is {one['value'] or 'missing'})" for one in step["failed"])
        emit(plain(f"{'  ' * len(step['path'])}{step['path'][-1]}: {'matches' if step['matched'] else f'no: {failed}'}"))
    emit("")
    for taken in found["taken"]:
        grouped = (
            " by itself" if taken["alone"] else f" with {_pairs(taken['group'])}" if taken["group"] else " with all of the route"
        )
        told = f"told on {taken['channel']},{grouped}" if taken["channel"] else "told to nobody"
        emit(plain(f"{' > '.join(taken['path'])}: {told}"))
    if found["told_as"] == "resolved":
        emit("it is over: whoever was told that it fires is told so")
    for silence in found["silenced_by"]:
        emit(f"silenced by {silence}")


def _pairs(group: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in group.items())


def _fields(given: list[str]) -> dict[str, str]:
    found = {}
    for one in given:
        name, equals, value = one.partition("=")
        if not (name and equals):
            message = f"{one!r} is no field; write NAME=VALUE"
            raise typer.BadParameter(message, param_hint="--field")
        found[name] = value
    return found


def _is_uuid(told: str) -> bool:
    try:
        return str(UUID(told)) == told
    except ValueError:
        return False


def _read(file: Path) -> tuple[str, tuple[Any, ...]]:
    """A file's text, and its flaws."""
    told = _text(file)
    try:
        text.read(told)
    except RoutingRefused as refused:
        return told, tuple(refused.flaws)
    return told, ()


def _sound(file: Path, otherwise: str = "nothing was asked") -> str:
    """A file's text, if it has no flaw; else each is told, and the command ends."""
    told, flaws = _read(file)
    if flaws:
        for flaw in flaws:
            remark(f"{_place(file)}: {flaw}")
        remark(otherwise)
        raise typer.Exit(REFUSED)
    return told


def _text(file: Path) -> str:
    if file != _STDIN and not file.is_file():
        message = f"there is no file {file}"
        raise typer.BadParameter(message)
    try:
        return (sys.stdin.buffer.read() if file == _STDIN else file.read_bytes()).decode()
    except UnicodeDecodeError:
        message = f"{_place(file)} is no text in UTF-8"
        raise typer.BadParameter(message) from None


def _place(file: Path) -> str:
    return "standard input" if file == _STDIN else file.name


def _name(person: Mapping[str, str] | None) -> str:
    return person["name"] if person else "-"


def _moment(seconds: float | None) -> str:
    return moment(None if seconds is None else round(seconds * MICROSECONDS))
