"""``agents``: what watches the accounts, and what people say of it, by way of the server."""

from typing import Annotated, Any

import typer

from consumers.cli.arguments import account_id
from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain
from consumers.cli.server import client, drawn_key
from schemas.identity import MICROSECONDS

agents = typer.Typer(help="Agents: what watches the accounts. By way of the server (findstream run).")

Account = Annotated[str, typer.Argument(parser=account_id, metavar="ACCOUNT", help="The AWS account, 12 digits.")]
Description = Annotated[str | None, typer.Option("--description", help="Up to 1000 characters.")]
Contact = Annotated[str | None, typer.Option("--contact", help="Whom to ask about the account.")]
Enabled = Annotated[bool | None, typer.Option("--enabled/--disabled", help="One that is disabled is not missed when silent.")]


@agents.command("list")
def listing(
    *,
    status: Annotated[str, typer.Option("--status", help="Only in this status: active, offline, …")] = "",
    as_json: Json = False,
) -> None:
    """List agents by account, with what they do.

    Examples:
      findstream agents list --status offline
    """
    with client() as api:
        found = api.get("/agents", params={"status": status} if status else {}).json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Account", "Status", "Version", "Heartbeat (UTC)", "Findings", "Name", "Contact"),
        (
            (
                a["account"],
                a["status"],
                a["version"] or "-",
                _moment(a["last_heartbeat"]),
                a["findings"],
                a["name"] or "-",
                a["contact"],
            )
            for a in found["items"]
        ),
    )


@agents.command("show")
def show(*, account: Account, as_json: Json = False) -> None:
    """Show all that is known of the agent in an account.

    Examples:
      findstream agents show 111122223333
    """
    with client() as api:
        found = api.get(f"/agents/{account}").json()
    if as_json:
        emit_json(found)
        return
    for name, value in found.items():
        emit(plain(f"{name + ':':<16}{_moment(value) if name in _TIMES else value}"))


@agents.command("register")
def register(
    *,
    account: Account,
    name: Annotated[str, typer.Option("--name", help="2 to 100 characters.")],
    description: Description = None,
    contact: Contact = None,
    enabled: Enabled = None,
    as_json: Json = False,
) -> None:
    """Enter the agent of an account into the registry.

    Examples:
      findstream agents register 111122223333 --name Payments --contact payments@example.com
    """
    body = {"account": account, "name": name, "description": description, "contact": contact, "enabled": enabled}
    with client() as api:
        answer = api.post("/agents", json=_given(body), headers=drawn_key()).json()
    _answer(answer, as_json=as_json)


@agents.command("edit")
def edit(
    *,
    account: Account,
    name: Annotated[str | None, typer.Option("--name", help="2 to 100 characters.")] = None,
    description: Description = None,
    contact: Contact = None,
    enabled: Enabled = None,
    revision: Annotated[int | None, typer.Option("--revision", help="The revision that you saw; by default the one now.")] = None,
    as_json: Json = False,
) -> None:
    """Change what is named of an agent's entry; the rest stays.

    Examples:
      findstream agents edit 111122223333 --disabled
    """
    changes = _given({"name": name, "description": description, "contact": contact, "enabled": enabled})
    if not changes:
        message = "name what to change: --name, --description, --contact, --enabled or --disabled"
        raise typer.BadParameter(message)
    with client() as api:
        seen = revision if revision is not None else api.get(f"/agents/{account}").json()["revision"]
        answer = api.patch(f"/agents/{account}", json={**changes, "revision": seen}, headers=drawn_key()).json()
    _answer(answer, as_json=as_json)


@agents.command("remove")
def remove(*, account: Account, as_json: Json = False) -> None:
    """Take an agent out of the registry. It is listed again, unregistered, if it is heard of after this.

    Examples:
      findstream agents remove 111122223333
    """
    with client() as api:
        gone = api.delete(f"/agents/{account}", headers=drawn_key()).json()
    if as_json:
        emit_json(gone)
    else:
        emit(f"removed {account}")


_TIMES = frozenset({"deployed_at", "last_heartbeat", "last_finding"})


def _answer(entry: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        emit_json(entry)
    else:
        emit(plain(f"{entry['account']} {entry['name']}, {'enabled' if entry['enabled'] else 'disabled'}"))


def _given(body: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in body.items() if value is not None}


def _moment(seconds: float | None) -> str:
    return moment(None if seconds is None else round(seconds * MICROSECONDS))
