"""What the API takes and answers of the routing of notifications."""

from typing import Annotated, Literal

from pydantic import Field

from consumers.api.commands import Against, Person
from consumers.api.models import Answer, Seconds
from consumers.api.rule_models import FlawView
from consumers.api.task_models import Asking

Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=131_072,
        description="The whole routing, YAML, 128 KiB at most.",
        examples=["routes:\n  channel: default\n  routes:\n  - name: grave\n    matchers: [severity>=HIGH]\n"],
    ),
]
Comment = Annotated[str, Field(max_length=1000, description="Why, in up to 1000 characters.")]
Fields = Annotated[
    dict[Annotated[str, Field(max_length=256)], Annotated[str, Field(max_length=2048)]], Field(min_length=1, max_length=100)
]
RouteName = Annotated[str, Field(examples=["findings"])]


class RoutingEdit(Asking):
    """The next version of the routing, and the version that it was written against."""

    text: Text
    version: Annotated[
        Against | None, Field(description="The version that you saw, 0 if none was published; 409 if there is another.")
    ] = None
    comment: Comment = ""


class RoutingText(Asking):
    """A text to be looked at."""

    text: Text


class Routed(Asking):
    """What is to be routed: a finding, an alert, or fields as matchers ask for them. One of the three."""

    event_id: Annotated[str, Field(max_length=1024, description="A finding's id: ours, or its source's.")] = ""
    alert_id: Annotated[str, Field(max_length=64, description="An alert's id.")] = ""
    fields: Annotated[Fields | None, Field(examples=[{"source": "aws.guardduty", "severity": "HIGH"}])] = None
    text: Annotated[Text | None, Field(description="Another routing than the one that holds.")] = None


class RoutingVersionView(Answer):
    """A version of the routing, in short."""

    version: Annotated[int, Field(examples=[3])]
    by: Person | None
    published: Seconds
    comment: str
    event_id: Annotated[str, Field(description="Of the event on the log that tells it.")]


class RoutingVersionDetail(RoutingVersionView):
    """A version of the routing with what its author wrote."""

    text: str


class RoutingVersionList(Answer):
    """The last versions of the routing, newest first."""

    items: list[RoutingVersionView]


class RoutingView(Answer):
    """The routing that holds. Version 0 is what holds before any was published; nobody published that."""

    version: Annotated[int, Field(description="Pass it with edits, and as `at_least`.", examples=[3])]
    by: Person | None
    published: Seconds | None
    comment: str
    text: str


Hints = Annotated[
    list[str],
    Field(description="What is accepted, but likely not meant.", examples=[["no channel is named oncall here"]]),
]


class RoutingPublished(RoutingView):
    """The routing as it holds from now on."""

    hints: Hints


class RoutingLinted(Answer):
    """What was found in a text: its flaws; or the names of the routes, channels and reports of one that is sound."""

    sound: Annotated[bool, Field(description="It can be published.")]
    flaws: list[FlawView]
    routes: list[RouteName]
    channels: Annotated[list[str], Field(examples=[["default", "oncall"]])]
    reports: list[str]
    hints: Hints


class FailedMatcher(Answer):
    """A matcher that did not hold, and the value of its field."""

    matcher: Annotated[str, Field(examples=["severity>=HIGH"])]
    value: Annotated[str, Field(examples=["LOW"])]


class StepView(Answer):
    """A route that was asked."""

    path: Annotated[list[RouteName], Field(description="The routes from the root to it.")]
    matched: bool
    failed: list[FailedMatcher]
    decides: Annotated[bool, Field(description="None of the routes below it matched.")]


class TakenView(Answer):
    """A route that decides."""

    path: list[RouteName]
    channel: Annotated[str, Field(description="Empty: nobody is told.", examples=["default"])]
    group: Annotated[dict[str, str], Field(description="What is told together with it has these values, too.")]
    alone: Annotated[bool, Field(description="It is told by itself.")]


class RouteTaken(Answer):
    """The path of something through the routes. ``silenced_by`` are ids of silences that match it just now."""

    version: Annotated[int, Field(description="Of the routing that was asked; -1: the one in the request.")]
    told_as: Annotated[
        Literal["moment", "firing", "acknowledged", "resolved", "nothing"],
        Field(description="`nothing`: events like it are told to nobody. What is `resolved` goes to whoever was told of it."),
    ]
    fields: Annotated[dict[str, str], Field(examples=[{"source": "aws.guardduty", "severity": "HIGH"}])]
    steps: Annotated[list[StepView], Field(description="In the order in which routes are asked.")]
    taken: list[TakenView]
    silenced_by: list[str]
