"""What the API takes and answers of notices."""

from typing import Annotated, Final

from pydantic import Field

from consumers.api.models import Answer, Seconds
from consumers.api.policy_models import StepView
from consumers.api.task_models import Asking
from consumers.api.views import SeverityName
from consumers.notifier.notice import Reason, State
from consumers.notifier.why.sentence import Verdict

MOST_KEYS: Final = 100

KeyText = Annotated[
    str, Field(max_length=2048, description="`route/group/flush`.", examples=['findings/source="aws.health"/1795219200000'])
]


class ToldEvent(Answer):
    """An event that a notice tells of."""

    event_id: str
    position: str
    severity: Annotated[int, Field(ge=0, le=4)]
    severity_name: SeverityName
    kind: Annotated[str, Field(description="The finding's kind, of others the event's type.")]
    resource: str
    resolved: Annotated[bool, Field(description="It is over.")]


class NoticeView(Answer):
    """One message to one channel, or the decision against it."""

    key: KeyText
    state: State
    reason: Annotated[Reason, Field(description="What happened to it last.")]
    why: Annotated[Reason, Field(description="For which it was decided.")]
    sentence: Annotated[str, Field(description="The same for people.")]
    detail: str
    channel: str
    path: Annotated[list[str], Field(description="The names of the routes from the root to its own.")]
    group: str
    severity: Annotated[int, Field(ge=0, le=4, description="Of the worst.")]
    severity_name: SeverityName
    decided: Seconds
    due: Seconds
    changed: Seconds
    attempt: Annotated[int, Field(description="Requests made.")]
    unsure: Annotated[bool, Field(description="The outcome of an earlier request is unknown; the next may be a repeat.")]
    firing: int
    resolved: int
    events: Annotated[list[ToldEvent], Field(description="What it is sent for, at most 20 of them.")]
    event_count: int
    merged_into: Annotated[KeyText | None, Field(description="The digest that tells of it.")]


class NoticeList(Answer):
    """A page of notices."""

    items: list[NoticeView]
    next: Annotated[str | None, Field(description="Cursor of the following page.")]


class FailingView(Answer):
    """How a channel fails while notices wait for it."""

    failures: Annotated[int, Field(description="In a row.")]
    since: Annotated[Seconds | None, Field(description="When the first of them came, if that is known.")]
    again: Annotated[Seconds, Field(description="When it is tried again.")]
    asked: Annotated[bool, Field(description="It asked to be left alone until then.")]


class ChannelView(Answer):
    """A channel."""

    name: str
    kind: Annotated[str, Field(description="slack, email or webhook; empty if it has no address here.")]
    notices: Annotated[dict[str, int], Field(description="How many there are, by state.")]
    failing: Annotated[FailingView | None, Field(description="Null while it works, and while nothing waits for it.")]


class ChannelList(Answer):
    """All channels."""

    items: list[ChannelView]


class Redrive(Asking):
    """Which dead letters are to be sent on their way again: ``keys``, or ``all``."""

    keys: Annotated[list[KeyText], Field(max_length=MOST_KEYS, default_factory=list)]
    all: bool = False


class Redriven(Answer):
    """What came of it."""

    redriven: Annotated[int, Field(description="How many were dead letters, and are pending again.")]


class Retry(Asking):
    """Which channel is to be tried now."""

    channel: Annotated[str, Field(min_length=1, max_length=64)]


class RetryView(Answer):
    """What came of it."""

    channel: str
    waiting: Annotated[int, Field(description="How many notices wait for it, and are due.")]
    rests_until: Annotated[Seconds | None, Field(description="Until when it asked to be left alone; null if it is tried now.")]


class Attempt(Asking):
    """Which channel is to get a test message."""

    channel: Annotated[str, Field(min_length=1, max_length=64)]


class Attempted(Answer):
    """What the channel answered."""

    channel: str
    delivered: bool
    answer: Annotated[str, Field(description="In words.", examples=["delivered"])]


class LinkView(Answer):
    """One link of the chain from the raw input to the notices."""

    kind: Annotated[str, Field(description="raw, finding, event, rule, alert, route, group, notice or digest.")]
    id: str
    text: str


class Why(Answer):
    """Why somebody was, or was not, told of an event."""

    event_id: str
    verdict: Verdict
    sentence: str
    chain: list[LinkView]
    notices: Annotated[list[NoticeView], Field(description="All decisions about it, the last first.")]
    steps: Annotated[list[StepView], Field(description="The routes that are asked about it now, in order.")]
