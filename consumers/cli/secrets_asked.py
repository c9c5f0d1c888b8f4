"""How a command comes by a password: asked for on a terminal without echo, else a line of stdin. Never an argument."""

import getpass
import sys
from collections.abc import Callable

import typer

Ask = Callable[[str], str]


def password(what: str = "Password", *, twice: bool = False) -> str:
    """The password. With ``twice`` a person repeats it, since nobody sees it."""
    if not sys.stdin.isatty():
        given = sys.stdin.readline().rstrip("\r\n")
        if not given:
            message = "no password came: type it on a terminal, or pipe it in"
            raise typer.BadParameter(message, param_hint="stdin")
        return given
    given = getpass.getpass(f"{what}: ")
    if twice and getpass.getpass("Once more: ") != given:
        message = "these are two passwords"
        raise typer.BadParameter(message, param_hint=what)
    return given
