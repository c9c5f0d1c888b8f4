"""What the routes ask of the language of rules: whether a text is a rule, and what is wrong with it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from consumers.api.errors import ValueRefused


@dataclass(frozen=True, slots=True)
class Flaw:
    """One thing that is wrong with a text: the line (from 1, 0 if unknown), the field ("": the whole), the accepted form."""

    line: int
    field: str
    reason: str


@dataclass(frozen=True, slots=True)
class Checked:
    """A text that was looked at. Without ``flaws`` it can be published, under this id, title and severity."""

    id: str = ""
    title: str = ""
    severity: int = 0
    flaws: Sequence[Flaw] = ()


Check = Callable[[str], Checked]
"""Looks at a text. Raises nothing."""


def unchecked(text: str) -> Checked:
    """Takes every text for none: nothing can be published yet."""
    return Checked(flaws=[Flaw(0, "", f"cannot be looked at here, {len(text)} characters as it has")])


def sound(check: Check, text: str) -> Checked:
    """What a text says, if nothing is wrong with it. Raises ``ValueRefused``, naming line and field of each flaw."""
    checked = check(text)
    if checked.flaws:
        message = "the text is no rule; see details"
        raise ValueRefused(message, fields=[_told(flaw) for flaw in checked.flaws])
    return checked


def _told(flaw: Flaw) -> tuple[str, str]:
    field = f"text.{flaw.field}" if flaw.field else "text"
    return field, f"line {flaw.line}: {flaw.reason}" if flaw.line else flaw.reason
