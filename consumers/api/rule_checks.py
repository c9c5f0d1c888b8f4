"""What the routes ask of the language of rules: whether a text is a rule, is true to its examples, and what is wrong with it."""

from consumers.api.errors import ValueRefused
from consumers.api.rule_models import ExampleView, FlawView, Linted
from consumers.marked import Flaw
from consumers.rules import checking, text
from consumers.rules.errors import RuleRefused
from consumers.rules.rule import Rule


def sound(told: str) -> Rule:
    """The rule that a text says. Raises ``ValueRefused``, naming line and field of each flaw."""
    try:
        return text.read(told)
    except RuleRefused as refused:
        message = "the text is no rule; see details"
        raise ValueRefused(message, fields=[_field(flaw) for flaw in refused.flaws]) from None


def publishable(told: str) -> Rule:
    """The rule that a text says, if its examples are as they say. Raises ``ValueRefused``, naming each flaw or example."""
    rule = sound(told)
    if wrong := [outcome for outcome in checking.run(rule) if outcome.fault]:
        message = "an example of the rule is not as it says; see details"
        raise ValueRefused(message, fields=[_untrue(outcome) for outcome in wrong])
    return rule


def linted(told: str) -> Linted:
    """What was found in a text: its flaws; or, of a rule, what is likely not meant, and what became of its examples."""
    try:
        rule = text.read(told)
    except RuleRefused as refused:
        flaws = [FlawView(line=flaw.line, field=flaw.field, message=flaw.reason) for flaw in refused.flaws]
        return Linted(sound=False, id="", title="", severity=0, flaws=flaws, hints=[], examples=[])
    examples = [
        ExampleView(name=tried.example.name, should_match=tried.should_match, fault=tried.fault, title=tried.title)
        for tried in checking.run(rule)
    ]
    return Linted(
        sound=True,
        id=rule.id,
        title=rule.title,
        severity=rule.severity,
        flaws=[],
        hints=list(checking.hints(rule)),
        examples=examples,
    )


def _untrue(outcome: checking.Outcome) -> tuple[str, str]:
    kind = "matching" if outcome.should_match else "not_matching"
    return f"text.examples.{kind}", f"{outcome.example.name}: {outcome.fault}"


def _field(flaw: Flaw) -> tuple[str, str]:
    field = f"text.{flaw.field}" if flaw.field else "text"
    return field, f"line {flaw.line}: {flaw.reason}" if flaw.line else flaw.reason
