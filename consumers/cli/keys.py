"""``keys``: what producers show to append findings, and what the server signs tokens with."""

import secrets
from typing import Annotated

import typer

from consumers.cli.output import Json, emit, emit_json, emit_table, moment, plain, remark
from consumers.cli.session import client
from consumers.composition import now_us, open_keys
from consumers.people.keyring import LEAD_US, renewed
from consumers.people.tokens import LONGEST_US
from pipeline.settings import Settings
from schemas.identity import MICROSECONDS

keys = typer.Typer(help="Ingest keys, which let producers append findings and nothing else; and the keys that sign tokens.")


@keys.command("create")
def create(
    name: Annotated[str, typer.Argument(metavar="NAME", help="What it is for, for example the producer.")],
    *,
    as_json: Json = False,
) -> None:
    """Make an ingest key. Its secret is shown this once, on stdout.

    Examples:
      findstream keys create 'agent in 111122223333'
      findstream keys create nightly-scan --json | jq -r .secret
    """
    with client() as api:
        made = api.post("/keys", json={"name": name}).json()
    if as_json:
        emit_json(made)
        return
    emit(made["secret"])
    remark(f"this is the secret of key {made['id']}; it is not shown again. Send it as Authorization: Bearer …")


@keys.command("list")
def listing(*, as_json: Json = False) -> None:
    """List ingest keys, revoked ones included.

    Examples:
      findstream keys list
      findstream keys list --json
    """
    with client() as api:
        found = api.get("/keys").json()["items"]
    if as_json:
        emit_json({"keys": found})
        return
    emit_table(
        ("Name", "Made (UTC)", "Last used (UTC)", "Revoked (UTC)", "Id"),
        ((key["name"], _moment(key["created"]), _moment(key["last_used"]), _moment(key["revoked"]), key["id"]) for key in found),
    )


@keys.command("revoke")
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="An id as `keys list` shows it.")], *, as_json: Json = False
) -> None:
    """Revoke an ingest key: it is refused from now on.

    Examples:
      findstream keys revoke 01a1fb67-1800-7000-8000-000000000001
    """
    with client() as api:
        revoked = api.delete(f"/keys/{key_id}").json()
    if as_json:
        emit_json(revoked)
    else:
        emit(plain(f"{revoked['name']} is revoked"))


@keys.command("rotate-signing")
def rotate_signing(
    *,
    drop: Annotated[
        bool, typer.Option("--sign-everybody-out", help="Keep no former key: for when one may have been stolen.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Put a new key in charge of signing tokens, in the data folder itself. Nobody is signed out, unless asked for.

    With FINDSTREAM_SIGNING_KEYS_SECRET this works on the secret in AWS, with your own credentials.

    Examples:
      findstream keys rotate-signing
      findstream keys rotate-signing --sign-everybody-out
    """
    kept = open_keys(Settings.load())
    keyring = renewed(kept.read(), now_us(), secrets.token_bytes, longest_us=LONGEST_US, drop=drop)
    kept.write(keyring)
    if as_json:
        emit_json({"keys": [{"kid": key.kid, "from_us": key.from_us} for key in keyring.keys]})
        return
    newest = keyring.keys[-1].kid
    if drop:
        emit(f"key {newest} signs from now on; everybody signs in again")
    else:
        emit(f"key {newest} signs in {LEAD_US // MICROSECONDS} s; {len(keyring.keys) - 1} former keys go on being believed")


def _moment(seconds: float | None) -> str:
    return moment(None if seconds is None else round(seconds * MICROSECONDS))
