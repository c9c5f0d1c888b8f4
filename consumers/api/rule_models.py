"""What the API takes and answers of rules."""

from typing import Annotated, Literal

from pydantic import Field

from consumers.api.commands import Against, Person
from consumers.api.models import Answer, Seconds
from consumers.api.task_models import Asking
from consumers.api.views import SeverityName

Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=65_536,
        description="The rule's document, YAML, 64 KiB at most.",
        examples=["id: root-sign-in\ntitle: The root user signed in\nseverity: HIGH\nmatch:\n  source: [aws.signin]\n"],
    ),
]
Comment = Annotated[str, Field(max_length=1000, description="Why, in up to 1000 characters.")]
RuleIdText = Annotated[str, Field(examples=["root-sign-in"])]


class NewRule(Asking):
    """A rule to be published."""

    text: Text
    comment: Comment = ""


class RuleEdit(Asking):
    """The next version of a rule, and the revision that it was written against."""

    text: Text
    revision: Against
    comment: Comment = ""


class RuleText(Asking):
    """A text to be looked at."""

    text: Text


class FlawView(Answer):
    """One thing that is wrong with a text."""

    line: Annotated[int, Field(description="From 1; 0 if it is in no line.")]
    field: Annotated[str, Field(examples=["match.source"])]
    message: str


class ExampleView(Answer):
    """What became of one of a rule's own examples."""

    name: str
    should_match: bool
    fault: Annotated[str, Field(description="Empty if it is as the author said.")]
    title: Annotated[str, Field(description="What an alert would say; empty if it does not match.")]


class Linted(Answer):
    """What was found in a text. ``id``, ``title`` and ``severity`` are the rule's, if it is one."""

    sound: Annotated[bool, Field(description="It is a rule, and can be published if its examples are as they say.")]
    id: str
    title: str
    severity: int
    flaws: list[FlawView]
    hints: Annotated[list[str], Field(description="What is accepted, but likely not meant, or slow.")]
    examples: list[ExampleView]


class RuleVersionView(Answer):
    """A version of a rule, in short: in force for findings that happened in ``[since, until)``."""

    version: Annotated[int, Field(examples=[3])]
    title: str
    severity: Annotated[int, Field(ge=0, le=4)]
    severity_name: SeverityName
    by: Person | None
    since: Seconds
    until: Annotated[Seconds | None, Field(description="None while it is in force.")]
    ended: Annotated[
        Literal["", "replaced", "retired", "switched_off"], Field(description="Why it is in force no more; empty: it is.")
    ]
    reason: Annotated[str, Field(description="Of a version that was switched off: `threw` or `too_slow`.")]
    detail: Annotated[str, Field(description="What went wrong then.")]
    cause: Annotated[str, Field(description="The finding at which it went wrong, by id.")]
    event_id: Annotated[str, Field(description="Of the event on the log that tells it.")]


class RuleVersionDetail(RuleVersionView):
    """A version of a rule with what its author wrote."""

    rule_id: RuleIdText
    text: str
    comment: str


class RuleView(Answer):
    """A rule."""

    id: RuleIdText
    title: str
    severity: Annotated[int, Field(ge=0, le=4)]
    severity_name: SeverityName
    status: Annotated[Literal["in_force", "retired", "switched_off"], Field(examples=["in_force"])]
    version: Annotated[int, Field(description="The version that was published last.")]
    since: Annotated[Seconds, Field(description="From when on that is in force: it may be a moment ahead.")]
    by: Person | None
    revision: Annotated[int, Field(description="Pass it with edits, and as `at_least`.")]


class RuleList(Answer):
    """Rules by id."""

    items: list[RuleView]


class RunView(Answer):
    """A run that judged history by a version and told its alerts."""

    run_id: str
    version: int
    since: Seconds
    until: Seconds
    judged: Annotated[int, Field(description="Findings that it looked at.")]
    raised: int
    standing: Annotated[int, Field(description="Alerts that were there already.")]
    withdrawn: int
    by: Person | None
    time: Seconds


class RuleDetail(RuleView):
    """A rule with the text of its newest version, all versions in short, oldest first, and its last runs over history."""

    text: str
    comment: str
    versions: list[RuleVersionView]
    runs: list[RunView]
