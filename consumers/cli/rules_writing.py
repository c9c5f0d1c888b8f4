"""``rules test`` and ``rules lint``: for whoever writes rules, without a server or any data."""

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, Final

import typer

from consumers.cli.exits import REFUSED
from consumers.cli.output import Json, counted, emit, emit_json, plain
from consumers.rules import checking, shelf
from consumers.rules.shelf import Written

Files = Annotated[
    list[Path] | None, typer.Argument(metavar="[FILE]...", help="Files of rules, or folders of these; - is standard input.")
]
Starter = Annotated[bool, typer.Option("--starter", help="The starter set that comes with findstream.")]

_STDIN: Final = Path("-")


def register(rules: typer.Typer) -> None:
    """Add the commands of this module."""
    rules.command("test")(tried)
    rules.command("lint")(lint)


def written(files: Sequence[Path] | None, *, starter: bool) -> list[Written]:
    """The rules that were named, flawed ones too. Raises ``typer.BadParameter`` if none were, or there are none."""
    if bool(files) == starter:
        message = "name files of rules, or say --starter"
        raise typer.BadParameter(message)
    found = list(shelf.starter() if starter else _of(files or ()))
    if not found:
        message = f"there is no rule in {', '.join(map(str, files or ()))}"
        raise typer.BadParameter(message)
    return found


def _of(files: Iterable[Path]) -> Iterable[Written]:
    for file in files:
        if file == _STDIN:
            yield from shelf.of_text(sys.stdin.buffer.read(), "standard input")
        elif file.exists():
            yield from shelf.of_files([file])
        else:
            message = f"there is no file {file}"
            raise typer.BadParameter(message)


def tried(files: Files = None, *, starter: Starter = False, as_json: Json = False) -> None:
    """Try rules on their own examples. Ends with 3 if a rule is flawed or an example is not as its rule says.

    Examples:
      findstream rules test sign-ins.yaml
      findstream rules test --starter
    """
    failed, answers = 0, []
    for item in written(files, starter=starter):
        outcomes = checking.run(item.rule) if item.rule else []
        faults = [outcome for outcome in outcomes if outcome.fault]
        failed += bool(faults or item.flaws)
        if as_json:
            answers.append(_told(item) | {"examples": [_example(outcome) for outcome in outcomes]})
            continue
        _say(item, f"{counted(len(outcomes), 'example')}{', all as they should be' if outcomes and not faults else ''}")
        for outcome in faults:
            emit(plain(f"  {outcome.example.name}: {outcome.fault}"))
    _end(answers, failed, as_json=as_json)


def lint(files: Files = None, *, starter: Starter = False, as_json: Json = False) -> None:
    """Check rules without running them: every flaw with its line, field and the accepted form, and what is likely not meant.

    Ends with 3 if a rule has flaws; hints alone do not matter.

    Examples:
      findstream rules lint sign-ins.yaml
      cat sign-ins.yaml | findstream rules lint -
    """
    failed, answers = 0, []
    for item in written(files, starter=starter):
        hints = list(checking.hints(item.rule)) if item.rule else []
        failed += bool(item.flaws)
        if as_json:
            answers.append(_told(item) | {"hints": hints})
            continue
        _say(item, "good" if not hints else "good, but:")
        for hint in hints:
            emit(plain(f"  {hint}"))
    _end(answers, failed, as_json=as_json)


def _say(item: Written, verdict: str) -> None:
    if item.rule:
        emit(plain(f"{item.place}: {item.rule.id}: {verdict}"))
    for flaw in item.flaws:
        emit(plain(f"{item.place}: {flaw}"))


def _end(answers: list[dict[str, object]], failed: int, *, as_json: bool) -> None:
    if as_json:
        emit_json({"rules": answers, "failed": failed})
    if failed:
        raise typer.Exit(REFUSED)


def _told(item: Written) -> dict[str, object]:
    flaws = [{"line": flaw.line, "field": flaw.field, "reason": flaw.reason} for flaw in item.flaws]
    return {"place": item.place, "line": item.line + 1, "id": item.rule.id if item.rule else None, "flaws": flaws}


def _example(outcome: checking.Outcome) -> dict[str, object]:
    return {
        "name": outcome.example.name,
        "should_match": outcome.should_match,
        "good": not outcome.fault,
        "fault": outcome.fault,
        "title": outcome.title,
    }
