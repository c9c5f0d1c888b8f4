"""``config``: how accounts are reached and what is watched there, by way of the server."""

from pathlib import Path
from typing import Annotated, Any

import orjson
import typer

from consumers.cli.arguments import account_id
from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, emit, emit_bytes, emit_json, emit_table, plain
from consumers.cli.server import client, drawn_key

config = typer.Typer(help="How accounts are reached, and what is watched there. By way of the server (findstream run).")

ConfigId = Annotated[str, typer.Argument(metavar="CONFIG", help="A configuration's id, as `config accounts` shows it.")]


@config.command("accounts")
def accounts(*, as_json: Json = False) -> None:
    """List how watched accounts are reached.

    Examples:
      findstream config accounts
    """
    with client() as api:
        found = api.get("/config/aws").json()
    if as_json:
        emit_json(found)
        return
    emit_table(
        ("Account", "Name", "Enabled", "Role", "Regions", "Id"),
        (
            (c["account"], c["name"], "yes" if c["enabled"] else "no", c["role_arn"], ", ".join(c["regions"]) or "all", c["id"])
            for c in found["items"]
        ),
    )


@config.command("add-account")
def add_account(
    *,
    account: Annotated[str, typer.Argument(parser=account_id, metavar="ACCOUNT", help="The AWS account, 12 digits.")],
    name: Annotated[str, typer.Option("--name", help="2 to 100 characters.")],
    role: Annotated[str, typer.Option("--role", metavar="ARN", help="The role that is assumed there.")],
    region: Annotated[list[str] | None, typer.Option("--region", help="Only this region; may be repeated.")] = None,
    external_id_file: Annotated[
        Path | None,
        typer.Option("--external-id-file", exists=True, dir_okay=False, help="A file that holds the role's external id."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Say how an account is reached.

    Examples:
      findstream config add-account 111122223333 --name Payments --role arn:aws:iam::111122223333:role/findstream-reader
    """
    body: dict[str, Any] = {"account": account, "name": name, "role_arn": role, "regions": region or []}
    if external_id_file is not None:
        body["external_id"] = external_id_file.read_text().strip()
    with client() as api:
        made = api.post("/config/aws", json=body, headers=drawn_key()).json()
    if as_json:
        emit_json(made)
    else:
        emit(plain(f"{made['id']} {made['account']} {made['name']}"))


@config.command("try-account")
def try_account(*, config_id: ConfigId, as_json: Json = False) -> int:
    """Try to assume an account's role. Ends with 3 if that does not work.

    Examples:
      findstream config try-account 0199f3a1-0000-7000-8000-000000000002
    """
    with client() as api:
        tried = api.post(f"/config/aws/{config_id}/test").json()
    if as_json:
        emit_json(tried)
    else:
        emit(plain(f"{tried['outcome']}: {tried['message']}"))
    return 0 if tried["assumed"] else REFUSED


@config.command("monitoring")
def monitoring(
    *,
    replace: Annotated[
        Path | None,
        typer.Option("--replace", exists=True, dir_okay=False, metavar="FILE", help="Put this JSON document in its place."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show what is watched, as a JSON document; or put another in its place.

    Examples:
      findstream config monitoring > monitoring.json
      findstream config monitoring --replace monitoring.json
    """
    with client() as api:
        if replace is None:
            told = api.get("/config/monitoring").json()
        else:
            told = api.put("/config/monitoring", json=_document(replace, api), headers=drawn_key()).json()
    if as_json:
        emit_json(told)
    else:
        emit_bytes(orjson.dumps(told, option=orjson.OPT_INDENT_2))


def _document(path: Path, api: Any) -> dict[str, Any]:
    """The file's document; against the version that it tells, as one that was shown does, else against the one that there is."""
    try:
        told = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError as broken:
        message = f"{path} is not JSON: {broken}"
        raise typer.BadParameter(message, param_hint="--replace") from None
    if not isinstance(told, dict):
        message = f"{path} holds no JSON object"
        raise typer.BadParameter(message, param_hint="--replace")
    version = told.get("version")
    document = {name: value for name, value in told.items() if name not in {"version", "updated", "updated_by"}}
    return {**document, "version": api.get("/config/monitoring").json()["version"] if version is None else version}
