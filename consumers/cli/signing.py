"""``login``, ``logout``, ``whoami``: who this command line is to the server."""

from typing import Annotated, Any

import typer

from consumers.cli.kept_tokens import KeptTokens
from consumers.cli.output import Json, emit, emit_json, plain, remark
from consumers.cli.secrets_asked import password
from consumers.cli.session import client, kept_of
from consumers.composition import now_us
from consumers.errors import NotSignedIn
from pipeline.settings import Settings


def login(
    email: Annotated[str, typer.Argument(metavar="EMAIL", help="Your e-mail address.")],
    *,
    as_json: Json = False,
) -> None:
    """Sign in to the server. The password is asked for, or read from stdin; tokens are kept in your configuration folder.

    The server is FINDSTREAM_API_URL, or the one on this machine.

    Examples:
      findstream login ada@example.org
      FINDSTREAM_API_URL=https://findstream.example findstream login ada@example.org < password.txt
    """
    given = password()
    with client(signed_in=False) as api:
        answer = api.post("/auth/login", json={"email": email, "password": given}).json()
    tokens = KeptTokens(Settings.load().server_url)
    with tokens.held():
        tokens.write(kept_of(tokens.server, answer, now_us))
    _tell(answer["user"], tokens.server, as_json=as_json)


def logout(
    *,
    everywhere: Annotated[bool, typer.Option("--everywhere", help="End all your sessions, also those of other devices.")] = False,
    as_json: Json = False,
) -> None:
    """Sign out: the server ends the session, and nothing of it is kept.

    Examples:
      findstream logout
      findstream logout --everywhere
    """
    tokens = KeptTokens(Settings.load().server_url)
    try:
        with client() as api:
            api.post("/auth/logout", json={"everywhere": everywhere})
    except NotSignedIn:
        remark("there was no session any more")
    tokens.forget()
    if as_json:
        emit_json({"server": tokens.server, "signed_in": False})
    else:
        emit(f"signed out of {tokens.server}")


def whoami(*, as_json: Json = False) -> None:
    """Show who this command line is to the server.

    Examples:
      findstream whoami
      findstream whoami --json | jq -r .id
    """
    with client() as api:
        _tell(api.get("/users/me").json(), Settings.load().server_url, as_json=as_json)


def _tell(user: dict[str, Any], server: str, *, as_json: bool) -> None:
    if as_json:
        emit_json({"server": server, **user})
    else:
        emit(plain(f"{user['full_name']} <{user['email']}>, {user['role']}, on {server}"))
