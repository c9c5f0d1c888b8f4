"""The routes of notices: which there are and why, the channels, and what people may do about both."""

from typing import Annotated, Final
from urllib.parse import unquote

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api import notice_views
from consumers.api.errors import ValueRefused
from consumers.api.events import INDEX
from consumers.api.freshness import Freshness
from consumers.api.notice_models import (
    Attempt,
    Attempted,
    ChannelList,
    NoticeList,
    Redrive,
    Redriven,
    Retry,
    RetryView,
    Why,
)
from consumers.api.parameters import Fresh, FreshHeader, Limit
from consumers.api.routing import Routes, answers
from consumers.api.telling import Telling
from consumers.notifier.channels.port import Delivered
from consumers.notifier.channels.trial import in_words
from consumers.notifier.ledger.port import Wanted
from consumers.notifier.notice import Key, Reason, State

_COMMAND: Final = (403, 413, 415)
_WRONG: Final = "the request has wrong values; see details"

EventId = Annotated[str, Field(max_length=512)]


def routes(telling: Telling, *, freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()
    _reads(router, telling)
    _explains(router, telling, freshness)
    _commands(router, telling)
    return router


def _reads(router: Routes, telling: Telling) -> None:
    @router.get(
        "/notifications",
        tags=["notifications"],
        summary="List notices",
        description="What was sent, is to be sent, failed, or was held back, each with its reason; the last decided first. "
        "Filters must all hold. Pages follow `next` with the same ones.",
        responses=answers(NoticeList, "A page of notices.", 400),
    )
    def list_notices(
        *,
        state: Annotated[State | None, Query(description="Only those in this state.")] = None,
        reason: Annotated[Reason | None, Query(description="Only those to which this happened last.")] = None,
        channel: Annotated[str, Field(max_length=64), Query(description="Only those to this channel.")] = "",
        event: Annotated[EventId, Query(description="Only those that tell of the event with this id of ours.")] = "",
        limit: Limit = 50,
        cursor: Annotated[str, Field(max_length=4096), Query(description="`next` of a page.")] = "",
    ) -> NoticeList:
        return notice_views.listed(telling.page(Wanted(state, reason, channel, event, limit=limit), cursor))

    @router.get(
        "/notifications/channels",
        tags=["notifications"],
        summary="List channels",
        description="Those that are configured, and those that notices name still.",
        responses=answers(ChannelList, "All channels, by name."),
    )
    def list_channels() -> ChannelList:
        return ChannelList(items=[notice_views.channel(each) for each in telling.channels()])


def _explains(router: Routes, telling: Telling, freshness: Freshness) -> None:
    @router.get(
        "/events/<event_id>/why",
        tags=["notifications"],
        summary="Why was somebody told, or not?",
        description="One sentence, and the chain from the raw input by finding, rule, alert, route and group to every notice.",
        responses=answers(Why, "The explanation.", 404),
    )
    def explain_event(
        *,
        event_id: Annotated[str, Path(description="Ours or the source's, percent-encoded.")],
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> Why:
        freshness.ensure(INDEX, fresh, fresh_header)
        return notice_views.why(telling.why(unquote(event_id)), telling)


def _commands(router: Routes, telling: Telling) -> None:
    @router.post(
        "/notifications/redrive",
        tags=["notifications"],
        summary="Send dead letters on their way again",
        description="Some by their keys, or all. What is no dead letter is left as it is, so that sending this again is safe.",
        responses=answers(Redriven, "How many are pending again.", *_COMMAND),
    )
    def redrive_notices(*, redrive: Annotated[Redrive, Body()]) -> Redriven:
        if bool(redrive.keys) == redrive.all:
            raise ValueRefused(_WRONG, fields=[("keys", "give keys, or all")])
        return Redriven(redriven=telling.redrive(None if redrive.all else _keys(redrive)))

    @router.post(
        "/notifications/retry",
        tags=["notifications"],
        summary="Have a channel tried now",
        description="Ends the rest that its failures led to, for all its notices. How long it asked to be left alone itself "
        "(`Retry-After`) holds. Sending this again is safe.",
        responses=answers(RetryView, "How many notices wait for it.", 404, *_COMMAND),
    )
    def retry_channel(*, asked: Annotated[Retry, Body()]) -> RetryView:
        return notice_views.retried(telling.retry(asked.channel))

    @router.post(
        "/notifications/test",
        tags=["notifications"],
        summary="Send a test message to a channel",
        description="Past routes and ledger. 409 if the channel has no address. On AWS the notifier's function sends it: 503 "
        "while that is busy sending (ask again), 502 if it fails, 504 if it does not answer in time.",
        responses=answers(Attempted, "What the channel answered.", 404, 409, 502, 504, *_COMMAND),
    )
    def try_channel(*, attempt: Annotated[Attempt, Body()]) -> Attempted:
        answer = telling.attempt(attempt.channel)
        return Attempted(channel=attempt.channel, delivered=isinstance(answer, Delivered), answer=in_words(answer))


def _keys(redrive: Redrive) -> list[Key]:
    keys: list[Key] = []
    for place, text in enumerate(redrive.keys):
        try:
            keys.append(Key.parse(text))
        except ValueError as wrong:
            raise ValueRefused(_WRONG, fields=[(f"keys.{place}", str(wrong))]) from None
    return keys
