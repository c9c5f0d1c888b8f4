"""From what the ledger and the explanation tell to what the API answers."""

from typing import Final

from consumers.api.models import seconds
from consumers.api.notice_models import (
    ChannelView,
    FailingView,
    LinkView,
    NoticeList,
    NoticeView,
    RetryView,
    ToldEvent,
    Why,
)
from consumers.api.route_taken import step_view
from consumers.api.telling import ChannelState, Page, Telling
from consumers.api.views import severity_name
from consumers.notifier.failing import Retried
from consumers.notifier.notice import Cause, Notice
from consumers.notifier.retry import Pace
from consumers.notifier.why.explain import Explanation

EVENTS_SHOWN: Final = 20


def notice(shown: Notice, sentence: str) -> NoticeView:
    """A notice with its sentence."""
    return NoticeView(
        key=str(shown.key),
        state=shown.state,
        reason=shown.reason,
        why=shown.why,
        sentence=sentence,
        detail=shown.detail,
        channel=shown.channel,
        path=list(shown.path),
        group=shown.key.group,
        severity=shown.severity,
        severity_name=severity_name(shown.severity),
        decided=seconds(shown.decided_us),
        due=seconds(shown.due_us),
        changed=seconds(shown.changed_us),
        attempt=shown.attempt,
        unsure=shown.unsure,
        firing=shown.firing,
        resolved=shown.resolved,
        events=[_told(cause) for cause in shown.causes[:EVENTS_SHOWN]],
        event_count=len(shown.causes),
        merged_into=str(shown.merged_into) if shown.merged_into else None,
    )


def listed(page: Page) -> NoticeList:
    """A page."""
    return NoticeList(items=[notice(*item) for item in page.items], next=page.next or None)


def channel(shown: ChannelState) -> ChannelView:
    """A channel."""
    return ChannelView(
        name=shown.name,
        kind=shown.kind,
        notices=dict(shown.counts),
        failing=_failing(shown.failing.pace) if shown.failing else None,
    )


def _failing(pace: Pace) -> FailingView:
    return FailingView(
        failures=pace.failures,
        since=seconds(pace.since_us) if pace.since_us else None,
        again=seconds(pace.not_before_us),
        asked=pace.asked,
    )


def retried(done: Retried) -> RetryView:
    """A channel that is tried now."""
    until = None if done.until_us is None else seconds(done.until_us)
    return RetryView(channel=done.channel, waiting=done.waiting, rests_until=until)


def why(explanation: Explanation, telling: Telling) -> Why:
    """An explanation."""
    return Why(
        event_id=explanation.event_id,
        verdict=explanation.verdict,
        sentence=explanation.sentence,
        chain=[LinkView(kind=link.kind, id=link.id, text=link.text) for link in explanation.chain],
        notices=[notice(each, telling.sentence(each)) for each in explanation.notices],
        steps=[step_view(step, explanation.fields) for step in explanation.asked],
    )


def _told(cause: Cause) -> ToldEvent:
    return ToldEvent(
        event_id=cause.event_id,
        position=str(cause.position),
        severity=cause.severity,
        severity_name=severity_name(cause.severity),
        kind=cause.kind,
        resource=cause.resource,
        resolved=cause.resolved,
    )
