"""The operator's door: ``findstream <command>``. Each command decodes what was asked, calls one thing, and tells what came of it.

Exit codes are those of ``consumers.cli.exits``. ``--json`` is on every command.
"""

import sys
from collections.abc import Sequence
from importlib import import_module
from typing import Annotated, Final

import typer

from consumers.build import version
from consumers.cli.exits import guarded
from consumers.cli.help import tidied
from consumers.cli.output import emit
from consumers.garbage import collect_seldom

_MODULES: Final = {
    "run": "running",
    "ingest": "feeding",
    "sample": "feeding",
    "status": "running",
    "tail": "tailing",
    "events": "looking",
    "replay": "folding",
    "rebuild": "folding",
    "report": "reporting",
    "backup": "keeping",
    "restore": "keeping",
    "doctor": "keeping",
    "quarantine": "quarantine",
    "parked": "folding",
    "notify": "telling",
    "login": "signing",
    "logout": "signing",
    "whoami": "signing",
    "users": "users",
    "keys": "keys",
    "tasks": "tasks",
    "agents": "agents",
    "config": "config",
    "rules": "rules",
    "alerts": "alerts",
    "silences": "silences",
}
"""Each command, or group of commands, and the module that has it. Only what is asked for is imported: the rest takes a second."""


def _show_version(asked: bool) -> None:  # noqa: FBT001 -- as Typer calls it
    if asked:
        emit(f"findstream {version()}")
        raise typer.Exit


def _options(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


def _offering(asked: str | None) -> typer.Typer:
    """The commands of the module that has ``asked``, or of all modules: for help, and to tell which name was meant."""
    app = typer.Typer(
        name="findstream",
        help="Findings of many AWS accounts as one immutable, replayable stream of events.",
        no_args_is_help=True,
        add_completion=False,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
    )
    app.callback()(_options)
    modules = [_MODULES[asked]] if asked in _MODULES else _MODULES.values()
    for command, name in _MODULES.items():
        if name not in modules:
            continue
        offered = getattr(import_module(f"consumers.cli.{name}"), command)
        if isinstance(offered, typer.Typer):
            app.add_typer(offered, name=command, no_args_is_help=True)
        else:
            app.command()(offered)
    return app


def call(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` (without the program's name) ask; returns the exit code."""
    asked = next(iter(arguments), None)
    return guarded(
        lambda: tidied(typer.main.get_command(_offering(asked)))(list(arguments), prog_name="findstream", standalone_mode=False)
    )


def main() -> None:
    """The entry point of ``findstream``."""
    collect_seldom()
    sys.exit(call(sys.argv[1:]))
