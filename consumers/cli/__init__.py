"""The operator's door: ``findstream <command>``. Each command decodes what was asked, calls one thing, and tells what came of it.

Exit codes are those of ``consumers.cli.exits``. ``--json`` is on every command.
"""

import sys
from collections.abc import Sequence
from typing import Annotated

import typer

from consumers.cli import feeding, folding, keeping, looking, quarantine, running, telling
from consumers.cli.exits import guarded
from consumers.cli.output import emit
from consumers.composition import version
from consumers.garbage import collect_seldom

app = typer.Typer(
    name="findstream",
    help="Findings of many AWS accounts as one immutable, replayable stream of events.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120},
)


def _show_version(asked: bool) -> None:  # noqa: FBT001 -- as Typer calls it
    if asked:
        emit(f"findstream {version()}")
        raise typer.Exit


@app.callback()
def _options(
    *,
    _: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    pass


for _command in (
    running.run,
    feeding.ingest,
    feeding.sample,
    running.status,
    looking.tail,
    looking.events,
    folding.replay,
    folding.rebuild,
    telling.report,
    keeping.backup,
    keeping.restore,
    keeping.doctor,
):
    app.command()(_command)
app.add_typer(quarantine.quarantine, name="quarantine", no_args_is_help=True)
app.add_typer(folding.parked, name="parked", no_args_is_help=True)
app.add_typer(telling.notify, name="notify", no_args_is_help=True)


def call(arguments: Sequence[str]) -> int:
    """Do what ``arguments`` (without the program's name) ask; returns the exit code."""
    return guarded(lambda: app(list(arguments), prog_name="findstream", standalone_mode=False))


def main() -> None:
    """The entry point of ``findstream``."""
    collect_seldom()
    sys.exit(call(sys.argv[1:]))
