"""What can break in rules. The docstring says when, then what the author of the rule, or the operator, does."""

from collections.abc import Sequence

from consumers.errors import ConsumerError
from consumers.marked import Flaw


class RulesError(ConsumerError):
    """The base of all below."""


class PatternRefused(RulesError):
    """An event pattern is none, or one that EventBridge refuses. ``path`` leads to the place: keys, and indices of arrays.

    Do: write it in the form that the message names.
    """

    def __init__(self, path: Sequence[str | int], reason: str) -> None:
        super().__init__(f"{'.'.join(map(str, path)) or 'the pattern'}: {reason}")
        self.path = tuple(path)
        self.reason = reason


class ExpressionRefused(RulesError):
    """A condition or a template cannot be read, or uses what is not allowed. Do: as the message says."""


class RuleRefused(RulesError):
    """A rule's document cannot be a rule. ``flaws`` are all that were found, in order of the document.

    Do: mend what each names; ``findstream rules lint`` shows them all.
    """

    def __init__(self, flaws: Sequence[Flaw]) -> None:
        super().__init__("\n".join(map(str, flaws)))
        self.flaws = tuple(flaws)


class ExampleUnreadable(RulesError):
    """An example's event is no finding, or several; the message says why. Do: give one whole event."""


class RuleThrew(RulesError):
    """A rule's own condition, function or template failed on a finding; the message names the kind of failure, no values.

    Do: guard the expression (``has(detail.x) && …``), publish the new version; the rule may be switched off meanwhile.
    """
