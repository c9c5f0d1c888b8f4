"""What the API takes and answers of silences."""

from typing import Annotated, Final, Literal

from pydantic import Field

from consumers.api.commands import Against, Given, Person
from consumers.api.models import Answer, Event, Seconds
from consumers.api.task_models import Asking
from consumers.api.views import SeverityName

MOST_HOURS: Final = 168

Status = Literal["pending", "active", "ended"]
MatcherText = Annotated[
    str,
    Field(
        min_length=1,
        max_length=2048,
        description="`FIELD OP VALUE`, as in the routing: `source=aws.guardduty`, `severity<=HIGH`, `label.team!=core|infra`.",
        examples=["source=aws.guardduty"],
    ),
]
MatcherTexts = Annotated[
    list[MatcherText],
    Field(min_length=1, max_length=32, description="All must match.", examples=[["source=aws.guardduty", "severity<=HIGH"]]),
]
Comment = Annotated[str, Field(max_length=1000, description="Why, in 1 to 1000 characters.", examples=["We know; it is mended"])]


class NewSilence(Asking):
    """A silence to be created."""

    matchers: MatcherTexts
    ends: Annotated[Given, Field(description="In the future, within a year of the beginning.")]
    comment: Comment
    starts: Annotated[Given | None, Field(description="Now, if left out or past.")] = None


class SilenceEdit(Asking):
    """What shall be otherwise. What is left out stays; matchers never change."""

    ends: Annotated[Given | None, Field(description="In the future.")] = None
    comment: Comment | None = None
    revision: Annotated[Against | None, Field(description="The revision that you saw; any, if left out.")] = None


class Matching(Asking):
    """What a silence would match."""

    matchers: MatcherTexts
    hours: Annotated[int, Field(ge=1, le=MOST_HOURS, description="Findings of so many hours back.")] = 24


class SilenceView(Answer):
    """A silence: what all its matchers match is told to nobody in `[starts, ends)`."""

    id: Annotated[str, Field(examples=["0199f3a1-0000-7000-8000-000000000001"])]
    status: Annotated[Status, Field(examples=["active"])]
    matchers: Annotated[list[str], Field(examples=[["source=aws.guardduty"]])]
    starts: Seconds
    ends: Seconds
    comment: str
    by: Annotated[Person | None, Field(description="Who created it.")]
    created: Seconds
    expired: Annotated[bool, Field(description="Somebody ended it before its time.")]
    revision: Annotated[int, Field(description="Pass it with edits, and as `at_least`.")]


class SilenceChangeView(Answer):
    """One thing that somebody did to a silence."""

    what: Annotated[Literal["created", "changed", "expired"], Field(examples=["created"])]
    time: Seconds
    by: Person | None
    comment: str
    ends: Annotated[Seconds, Field(description="The silence's end since.")]
    event_id: Annotated[str, Field(description="Of the event on the log that tells it.")]


class SilenceDetail(SilenceView):
    """A silence, and the last things that people did to it, oldest first."""

    changes: list[SilenceChangeView]


class SilenceList(Answer):
    """A page of silences, the last to end first."""

    items: list[SilenceView]
    next: Annotated[str | None, Field(description="Cursor of the page behind this one.")]


class FiringView(Answer):
    """Something that fires, as notifying knows it."""

    subject: Annotated[str, Field(description="What it is about.", examples=["alarm/arn:aws:cloudwatch:…"])]
    event_id: Annotated[str, Field(description="The last event about it.")]
    severity: Annotated[int, Field(ge=0, le=4)]
    severity_name: SeverityName
    since: Seconds


class Previewed(Answer):
    """What matchers match: findings of the past hours, and what fires now. Lists show the first few; numbers count all."""

    since: Annotated[Seconds, Field(description="Findings from then on were looked at, the newest first.")]
    looked_at: Annotated[int, Field(description="Findings, in all.")]
    complete: Annotated[bool, Field(description="False if there are more in these hours than are looked at.")]
    matched: int
    events: Annotated[list[Event], Field(description="The newest of those that match.")]
    firing_matched: int
    firing: Annotated[list[FiringView], Field(description="The gravest of those that match.")]
