"""What happens to a rule. Subject: ``rule/<rule_id>``; people's facts stand on the log in the order they came about.

``version`` numbers the publications of a rule: 1, 2, 3… A version is in force for findings that happened from its ``since_us`` on
until that of the next one, the rule's end, or its being switched off; what happened earlier is judged by a reprocessing only.
``revision`` is that of the rule's own history, after the fact; what the engine tells has none.
"""

from typing import Annotated, Literal

from pydantic import Field

from schemas.body import Body, TimeUs, UserId, Version

RuleId = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{1,62}[a-z0-9]$")]
"""3 to 64 lower-case letters, digits and hyphens, as its author chose it."""

RunId = Annotated[str, Field(pattern=r"^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$")]
"""A UUID (version 7) in lower case; empty where no run is meant."""


class RulePublished(Body):
    """A version of a rule was published. ``text`` is the whole document as its author wrote it, severity that of its alerts.

    It is in force from ``since_us`` on: at once, or, in the place of another version, soon, so that all who judge learn of it.
    """

    rule_id: RuleId
    version: Version
    revision: Version
    title: Annotated[str, Field(min_length=3, max_length=200)]
    severity: Annotated[int, Field(ge=0, le=4)]
    text: Annotated[str, Field(min_length=1, max_length=65_536)]
    since_us: TimeUs
    comment: Annotated[str, Field(max_length=1000)] = ""
    by: UserId


class RuleRetired(Body):
    """A rule is in force no more from ``until_us`` on; it can be published again."""

    rule_id: RuleId
    until_us: TimeUs
    revision: Version
    comment: Annotated[str, Field(max_length=1000)] = ""
    by: UserId


class RuleSwitchedOff(Body):
    """The engine put a version out of force, as it threw or took too long. ``detail`` says what went wrong, without values."""

    rule_id: RuleId
    version: Version
    reason: Literal["threw", "too_slow"]
    detail: Annotated[str, Field(max_length=1000)] = ""
    event_id: Annotated[str, Field(max_length=128)] = ""


class RuleReprocessed(Body):
    """A run judged a stretch of history by a version and told its alerts. Times are those of findings; ``until_us`` is exclusive.

    ``raised`` and ``withdrawn`` count the facts that this run told; ``standing`` the alerts that were there already.
    """

    rule_id: RuleId
    version: Version
    run_id: RunId
    since_us: TimeUs
    until_us: TimeUs
    judged: Annotated[int, Field(ge=0)]
    raised: Annotated[int, Field(ge=0)]
    standing: Annotated[int, Field(ge=0)]
    withdrawn: Annotated[int, Field(ge=0)]
    by: UserId
