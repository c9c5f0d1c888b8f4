"""The routes of silences: which there are, what one would match, and creating, changing and ending them.

Fresh: a command answers with the silence as it then is, and its revision; reads with ``at_least`` show that one or a later.
"""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api.commands import AgainstIfAny, AtLeast, Key, created
from consumers.api.freshness import Freshness
from consumers.api.parameters import Fresh, FreshHeader, Limit
from consumers.api.routing import Routes, answers
from consumers.api.silence_models import (
    Matching,
    NewSilence,
    Previewed,
    SilenceDetail,
    SilenceEdit,
    SilenceList,
    SilenceView,
    Status,
)
from consumers.api.silencing import Silencing
from projections.policies import Policies
from projections.silence_pages import SilenceQuery

POLICIES: Final = Policies.name
_COMMAND: Final = (403, 409, 413, 415)
_WRITTEN: Final = "Pass the revision in the answer as `at_least` to see it in `GET /silences/{silence_id}`."

SilenceId = Annotated[
    str,
    Field(pattern=r"^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$"),
    Path(description="The silence's id, a UUID.", examples=["0199f3a1-0000-7000-8000-000000000001"]),
]


def routes(silencing: Silencing, *, freshness: Freshness) -> Routes:
    """The routes."""
    router = Routes()
    _reads(router, silencing, freshness)
    _commands(router, silencing)
    return router


def _reads(router: Routes, silencing: Silencing, freshness: Freshness) -> None:
    def revision(silence_id: str) -> int:
        silence = silencing.known(silence_id)
        return silence.revision if silence else 0

    @router.get(
        "/silences",
        tags=["silences"],
        summary="List silences",
        description="The last to end first, so that those which have not ended come before the others. Pages follow `next`.",
        responses=answers(SilenceList, "A page of silences.", 400),
    )
    def list_silences(
        *,
        status: Annotated[Status | None, Query(description="Only those that stand so.")] = None,
        limit: Limit = 50,
        cursor: Annotated[str, Field(max_length=1024), Query(description="`next` of a page.")] = "",
        fresh: Fresh = "",
        fresh_header: FreshHeader = "",
    ) -> SilenceList:
        freshness.ensure(POLICIES, fresh, fresh_header)
        return silencing.page(SilenceQuery(status, limit, cursor))

    @router.get(
        "/silences/<silence_id>",
        tags=["silences"],
        summary="Read one silence",
        description="With the last things that people did to it.",
        responses=answers(SilenceDetail, "The silence.", 404),
    )
    def read_silence(
        *, silence_id: SilenceId, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = ""
    ) -> SilenceDetail:
        freshness.ensure(POLICIES, fresh, fresh_header)
        freshness.at_least(at_least, lambda: revision(silence_id))
        return silencing.detail(silence_id)

    @router.post(
        "/silences/preview",
        tags=["silences"],
        summary="See what a silence would match",
        description="Of the findings of the past hours, the newest two thousand at most, and of what fires now. Nothing is kept.",
        responses=answers(Previewed, "What matches.", 413, 415),
    )
    def preview_silence(*, silence: Annotated[Matching, Body()]) -> Previewed:
        return silencing.preview(silence.matchers, silence.hours)


def _commands(router: Routes, silencing: Silencing) -> None:
    @router.post(
        "/silences",
        tags=["silences"],
        summary="Create a silence",
        description="While it is active, what all its matchers match is told to nobody, and the reason is kept. " + _WRITTEN,
        responses=answers(SilenceView, "The silence.", *_COMMAND, status=201),
    )
    def create_silence(*, silence: Annotated[NewSilence, Body()], key: Key = "") -> Response[SilenceView]:
        return created(silencing.create(silence, key))

    @router.put(
        "/silences/<silence_id>",
        tags=["silences"],
        summary="Move the end of a silence, or its comment",
        description="409 if it has ended: create another. What it matches never changes. " + _WRITTEN,
        responses=answers(SilenceView, "The silence.", 404, *_COMMAND),
    )
    def change_silence(*, silence_id: SilenceId, silence: Annotated[SilenceEdit, Body()], key: Key = "") -> SilenceView:
        return silencing.change(silence_id, silence, key)

    @router.delete(
        "/silences/<silence_id>",
        tags=["silences"],
        summary="End a silence now",
        description="It stays readable. One that has ended stays as it is. " + _WRITTEN,
        responses=answers(SilenceView, "The silence.", 403, 404, 409),
    )
    def expire_silence(
        *,
        silence_id: SilenceId,
        revision: AgainstIfAny = None,
        comment: Annotated[str, Field(max_length=1000), Query(description="Why.")] = "",
        key: Key = "",
    ) -> SilenceView:
        return silencing.expire(silence_id, comment, key, revision)
