"""``tasks``: what people do about findings, by way of the server."""

import re
from typing import Annotated, Any, Final, Literal
from urllib.parse import quote

import typer

from consumers.cli.arguments import time_us
from consumers.cli.output import Json, counted, emit, emit_json, emit_table, moment, plain, remark
from consumers.cli.server import client, drawn_key
from consumers.composition import now_us
from schemas.identity import MICROSECONDS

tasks = typer.Typer(help="Tasks: what people do about findings. By way of the server (findstream run).")

_AHEAD: Final = re.compile(r"([0-9]{1,6})([hdw])")
_UNITS: Final = {"h": 3600, "d": 86_400, "w": 604_800}

Priority = Literal["critical", "high", "medium", "low"]
Status = Literal["open", "in_progress", "closed"]


def due_seconds(text: str) -> float:
    """``4h 3d 2w`` from now, a UTC day, or an RFC 3339 time, as Unix seconds."""
    if ahead := _AHEAD.fullmatch(text):
        return now_us() / MICROSECONDS + int(ahead[1]) * _UNITS[ahead[2]]
    try:
        return time_us(text) / MICROSECONDS
    except typer.BadParameter:
        message = f"{text!r} is no time to come; write 4h, 3d or 2w (ahead), 2026-12-31, or 2026-12-31T09:00:00Z"
        raise typer.BadParameter(message) from None


TaskId = Annotated[str, typer.Argument(metavar="TASK", help="A task's id, as `tasks list` shows it.")]
Title = Annotated[str | None, typer.Option("--title", help="3 to 200 characters.")]
Description = Annotated[str | None, typer.Option("--description", help="10 to 5000 characters.")]
Urgency = Annotated[Priority | None, typer.Option("--priority", help="How urgent it is.")]
Assignee = Annotated[str | None, typer.Option("--assignee", metavar="USER", help="Whose it is: a user's id.")]
Due = Annotated[
    float | None,
    typer.Option("--due", parser=due_seconds, metavar="TIME", help="4h, 3d, 2w (ahead), 2026-12-31, or an RFC 3339 time."),
]
Version = Annotated[int | None, typer.Option("--version", help="The version that you saw; by default the one that there is now.")]


@tasks.command("list")
def listing(
    *,
    status: Annotated[Status | None, typer.Option("--status", help="Only in this column.")] = None,
    priority: Annotated[Priority | None, typer.Option("--priority", help="Only of this priority.")] = None,
    assignee: Annotated[str, typer.Option("--assignee", metavar="USER", help="Only of this user, by id.")] = "",
    unassigned: Annotated[bool, typer.Option("--unassigned", help="Only those of nobody.")] = False,
    overdue: Annotated[bool, typer.Option("--overdue", help="Only those that are overdue.")] = False,
    event: Annotated[str, typer.Option("--event", metavar="ID", help="Only those made from this event.")] = "",
    text: Annotated[str, typer.Option("--text", "-t", help="Only those that hold all these words.")] = "",
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, max=200, help="At most so many.")] = 50,
    offset: Annotated[int, typer.Option("--offset", min=0, help="Leave out so many first.")] = 0,
    as_json: Json = False,
) -> None:
    """List tasks by priority, due date, id. All filters must hold.

    Examples:
      findstream tasks list --status open --priority high
      findstream tasks list --overdue --json | jq -r '.items[].id'
    """
    asked = {
        "status": status,
        "priority": priority,
        "assignee": assignee,
        "event": event,
        "text": text,
        "unassigned": "true" if unassigned else None,
        "overdue": "true" if overdue else None,
        "limit": limit,
        "offset": offset,
    }
    with client() as api:
        found = api.get("/tasks", params={name: value for name, value in asked.items() if value not in (None, "")}).json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Priority", "Status", "Due (UTC)", "Assignee", "Title", "Id"),
        ((t["priority"], t["status"], _due(t), _name(t["assignee"]), t["title"], t["id"]) for t in found["items"]),
    )
    shown = offset + len(found["items"])
    remark(counted(found["total"], "task") + (f"; more: --offset {shown}" if shown < found["total"] else ""))


@tasks.command("show")
def show(*, task: TaskId, as_json: Json = False) -> None:
    """Show a task with what was said about it.

    Examples:
      findstream tasks show 0199f3a1-0000-7000-8000-000000000001
    """
    with client() as api:
        found = api.get(f"/tasks/{task}").json()
    if as_json:
        emit_json(found)
        return
    _tell(found)
    for line in found["description"].splitlines():
        emit(f"  {plain(line)}")
    for said in found["said"]:
        emit(plain(f"{_moment(said['time'])} {_name(said['by'])}: {said['comment']}"))


@tasks.command("create")
def create(
    *,
    title: Annotated[str, typer.Option("--title", help="3 to 200 characters.")],
    description: Annotated[str, typer.Option("--description", help="10 to 5000 characters.")],
    priority: Urgency = None,
    assignee: Assignee = None,
    due: Due = None,
    as_json: Json = False,
) -> None:
    """Open a task.

    Examples:
      findstream tasks create --title "Rotate the key" --description "It was used from an unknown address." --due 3d
    """
    body = {"title": title, "description": description, "priority": priority, "assignee_id": assignee, "due": due}
    _done("POST", "/tasks", _given(body), as_json=as_json)


@tasks.command("from-event")
def from_event(
    *,
    event: Annotated[str, typer.Argument(metavar="EVENT", help="An event's id: ours, or the one that its source gave it.")],
    title: Title = None,
    description: Description = None,
    priority: Urgency = None,
    assignee: Assignee = None,
    due: Due = None,
    as_json: Json = False,
) -> None:
    """Open a task about an event, with its details copied.

    Examples:
      findstream tasks from-event $(findstream events -s HIGH -n 1 --json | jq -r '.events[0].id')
    """
    body = {"title": title, "description": description, "priority": priority, "assignee_id": assignee, "due": due}
    _done("POST", f"/events/{_quoted(event)}/create-task", _given(body), as_json=as_json)


@tasks.command("edit")
def edit(
    *,
    task: TaskId,
    title: Title = None,
    description: Description = None,
    priority: Urgency = None,
    due: Due = None,
    never_due: Annotated[bool, typer.Option("--never-due", help="Take the due date away.")] = False,
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Change what is named of a task; the rest stays.

    Examples:
      findstream tasks edit 0199f3a1-0000-7000-8000-000000000001 --priority critical --due 4h
    """
    changes = _given({"title": title, "description": description, "priority": priority, "due": due})
    if never_due:
        changes["due"] = None
    if not changes:
        message = "name what to change: --title, --description, --priority, --due, --never-due"
        raise typer.BadParameter(message)
    _edit(task, changes, version, as_json=as_json)


@tasks.command("assign")
def assign(
    *,
    task: TaskId,
    user: Annotated[str, typer.Argument(metavar="[USER]", help="A user's id; nobody, if left out.")] = "",
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Give a task to somebody, or take it away from whose it is.

    Examples:
      findstream tasks assign 0199f3a1-0000-7000-8000-000000000001 0199f3a1-0000-7000-8000-00000000000b
    """
    _edit(task, {"assignee_id": user or None}, version, as_json=as_json)


@tasks.command("status")
def status(
    *,
    task: TaskId,
    column: Annotated[Status, typer.Argument(metavar="STATUS", help="open, in_progress or closed.")],
    version: Version = None,
    as_json: Json = False,
) -> None:
    """Move a task to another column of the board.

    Examples:
      findstream tasks status 0199f3a1-0000-7000-8000-000000000001 closed
    """
    _done("PUT", f"/tasks/{task}/status", _given({"status": column, "version": version}), as_json=as_json)


@tasks.command("comment")
def comment(
    *, task: TaskId, text: Annotated[str, typer.Argument(metavar="TEXT", help="What to say.")], as_json: Json = False
) -> None:
    """Say something about a task.

    Examples:
      findstream tasks comment 0199f3a1-0000-7000-8000-000000000001 "It was me."
    """
    _done("POST", f"/tasks/{task}/comments", {"comment": text}, as_json=as_json)


@tasks.command("delete")
def delete(*, task: TaskId, version: Version = None, as_json: Json = False) -> None:
    """Take a task off the board; its history stays.

    Examples:
      findstream tasks delete 0199f3a1-0000-7000-8000-000000000001
    """
    with client() as api:
        gone = api.delete(f"/tasks/{task}", params=_given({"version": version}), headers=drawn_key()).json()
    if as_json:
        emit_json(gone)
    else:
        emit(f"deleted {task}")


@tasks.command("history")
def history(*, task: TaskId, as_json: Json = False) -> None:
    """Tell who changed what of a task, when, from what to what.

    Examples:
      findstream tasks history 0199f3a1-0000-7000-8000-000000000001
    """
    with client() as api:
        found = api.get(f"/tasks/{task}/history").json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Version", "Time (UTC)", "By", "What", "Change"),
        (
            (told["version"], _moment(told["time"]), _name(told["by"]), told["type"].partition(".")[2], _change(told))
            for told in found["items"]
        ),
    )


def _edit(task: str, changes: dict[str, Any], version: int | None, *, as_json: bool) -> None:
    with client() as api:
        seen = version if version is not None else api.get(f"/tasks/{task}").json()["version"]
        answer = api.put(f"/tasks/{task}", json={**changes, "version": seen}, headers=drawn_key()).json()
    _answer(answer, as_json=as_json)


def _done(method: str, path: str, body: dict[str, Any], *, as_json: bool) -> None:
    with client() as api:
        answer = api.request(method, path, json=body, headers=drawn_key()).json()
    _answer(answer, as_json=as_json)


def _answer(task: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(task)
    else:
        _tell(task)


def _tell(task: dict[str, Any]) -> None:
    told = f"{task['id']} {task['status']}, {task['priority']}, {_name(task['assignee'])}, due {_due(task)}: {task['title']}"
    emit(plain(told))


def _change(told: dict[str, Any]) -> str:
    if told["comment"]:
        return str(told["comment"])
    return "; ".join(
        f"{each['field']}: {_value(each['field'], each['old'])} -> {_value(each['field'], each['new'])}"
        for each in told["changes"]
    )


def _value(field: str, value: Any) -> str:
    """A field's value as people read it."""
    if value in (None, ""):
        return "-"
    return _moment(value) if field in {"due", "closed_at"} else " ".join(str(value).split())


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _name(person: dict[str, str] | None) -> str:
    return person["name"] if person else "-"


def _due(task: dict[str, Any]) -> str:
    return _moment(task["due"]) + (" (overdue)" if task["overdue"] else "")


def _moment(seconds: float | None) -> str:
    return moment(None if seconds is None else round(seconds * MICROSECONDS))


def _quoted(event: str) -> str:
    return quote(event, safe="")
