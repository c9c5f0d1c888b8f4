"""Help as people read it: Typer's, with words in place of Python types, and examples that keep their indent."""

from typing import Final

import typer
from typer._click.core import Command, Context
from typer.core import TyperArgument, TyperGroup, TyperOption

_EXAMPLES: Final = "\n\nExamples:"
_WORDS: Final = {"<str>": "TEXT", "<int>": "N", "<int range>": "N", "<float range>": "NUMBER", "<bool>": None}


class _Option(TyperOption):
    """An option that tells its value in a word; a flag has none."""

    def display_type_rich(self, ctx: Context) -> str | None:
        """What stands behind the option's name."""
        told = super().display_type_rich(ctx)
        return _WORDS.get(told, told.strip("<>")) if told else told


class _Argument(TyperArgument):
    """An argument that tells its name, and nothing beside it."""

    def display_type_rich(self, ctx: Context) -> str | None:  # noqa: ARG002 -- as Typer calls it
        """What stands behind the argument's name."""
        return None


def tidied(command: Command, parent: Context | None = None) -> Command:
    """``command``, and all below it, with help in this form."""
    context = typer.Context(command, parent=parent, **command.context_settings)
    for parameter in command.get_params(context):
        if isinstance(parameter, TyperOption):
            parameter.__class__ = _Option
        elif isinstance(parameter, TyperArgument):
            parameter.__class__ = _Argument
    head, found, examples = (command.help or "").partition(_EXAMPLES)
    if found and "\n\n" not in head:  # Rich takes the indent of what begins a text; from an empty line it takes none
        command.help = f"{head}\n\n{found}{examples}"
    if isinstance(command, TyperGroup):
        for below in command.commands.values():
            tidied(below, context)
    return command
