"""The routes of the routing of notifications: what holds, what held, publishing another, and trying one.

Text:  is looked at before it is published; one that is no routing is refused, naming line and field of each flaw.
Fresh: a command answers with the routing as it then is, and its version; reads with ``at_least`` show that one or a later.
"""

from typing import Annotated, Final

from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from pydantic import Field

from consumers.api.commands import MAX_VERSION, AtLeast, Desks, Key
from consumers.api.errors import NothingHere, ValueRefused
from consumers.api.freshness import Freshness
from consumers.api.models import seconds
from consumers.api.parameters import Fresh, FreshHeader
from consumers.api.policy_models import (
    Routed,
    RouteTaken,
    RoutingEdit,
    RoutingLinted,
    RoutingPublished,
    RoutingText,
    RoutingVersionDetail,
    RoutingVersionList,
    RoutingVersionView,
    RoutingView,
)
from consumers.api.route_taken import Paths
from consumers.api.routing import Routes, answers
from consumers.api.routing_checks import Channels, hints, linted, sound_routing
from consumers.notifier.routing.text import default_text
from pipeline.desks.routing import ROUTING, PublishRouting, Routing, RoutingState
from projections.decided import Decided
from projections.policies import Policies, RoutingVersion

POLICIES: Final = Policies.name
_COMMAND: Final = (403, 409, 413, 415)

Number = Annotated[int, Field(ge=1, le=1_000_000_000), Path(description="The version: 1, 2, 3…", examples=[1])]
SeenIfAny = Annotated[
    int | None, Field(ge=0, le=MAX_VERSION), Query(description="The version that you saw, if the body does not say it.")
]


def routes(decided: Decided, desks: Desks, paths: Paths, *, channels: Channels, freshness: Freshness) -> Routes:
    """The routes. ``channels`` answers which there are here."""
    router = Routes()
    _reads(router, decided, desks, freshness)
    _checks(router, paths, channels)
    _commands(router, desks, channels)
    return router


def _reads(router: Routes, decided: Decided, desks: Desks, freshness: Freshness) -> None:
    def version() -> int:
        known = decided.routing()
        return known.current.number if known else 0

    @router.get(
        "/routing",
        tags=["routing"],
        summary="Read the routing",
        description="The document that holds: the routes, their times, inhibitions and reports. The default, at version 0, until "
        "somebody publishes another.",
        responses=answers(RoutingView, "The routing."),
    )
    def read_routing(*, at_least: AtLeast = 0, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RoutingView:
        freshness.ensure(POLICIES, fresh, fresh_header)
        freshness.at_least(at_least, version)
        known = decided.routing()
        if known is None:
            return RoutingView(version=0, by=None, published=None, comment="", text=default_text())
        current = known.current
        return RoutingView(
            version=current.number,
            by=desks.people([current.by]).person(current.by),
            published=seconds(current.published_us),
            comment=current.comment,
            text=current.text,
        )

    @router.get(
        "/routing/versions",
        tags=["routing"],
        summary="List the versions of the routing",
        description="The last hundred; each that there ever was can be read by its number.",
        responses=answers(RoutingVersionList, "The versions, newest first."),
    )
    def list_versions(*, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RoutingVersionList:
        freshness.ensure(POLICIES, fresh, fresh_header)
        known = decided.routing()
        found = known.versions if known else ()
        people = desks.people({one.by for one in found})
        return RoutingVersionList(items=[RoutingVersionView(**_short(one), by=people.person(one.by)) for one in found])

    @router.get(
        "/routing/versions/<number>",
        tags=["routing"],
        summary="Read a version of the routing",
        description="With its text. It never changes.",
        responses=answers(RoutingVersionDetail, "The version.", 404),
    )
    def read_routing_version(*, number: Number, fresh: Fresh = "", fresh_header: FreshHeader = "") -> RoutingVersionDetail:
        freshness.ensure(POLICIES, fresh, fresh_header)
        found = decided.routing_version(number)
        if found is None:
            message = "there is no such version of the routing (or not yet)"
            raise NothingHere(message)
        return RoutingVersionDetail(**_short(found), by=desks.people([found.by]).person(found.by), text=found.text)


def _checks(router: Routes, paths: Paths, channels: Channels) -> None:
    @router.post(
        "/routing/lint",
        tags=["routing"],
        summary="Look at a routing's text",
        description="Whether it could be published, and what is wrong with it; nothing is kept.",
        responses=answers(RoutingLinted, "What was found.", 413, 415),
    )
    def lint_routing(*, routing: Annotated[RoutingText, Body()]) -> RoutingLinted:
        return linted(routing.text, channels)

    @router.post(
        "/routing/test",
        tags=["routing"],
        summary="See which path something takes",
        description="Through the routing that holds, or another. Nobody is told of anything.",
        responses=answers(RouteTaken, "The path, and who would be told.", 404, 413, 415),
    )
    def test_routing(*, routed: Annotated[Routed, Body()]) -> RouteTaken:
        return paths.of(routed)


def _commands(router: Routes, desks: Desks, channels: Channels) -> None:
    @router.put(
        "/routing",
        tags=["routing"],
        summary="Publish another routing",
        description="It holds from then on, for all that is decided afterwards. The same text as holds changes nothing. Pass the "
        "version in the answer as `at_least` to see it in `GET /routing`. The document may be sent as it is, as YAML, with "
        "version and comment in the address.",
        responses=answers(RoutingPublished, "The routing.", *_COMMAND),
    )
    def publish_routing(
        *,
        routing: Annotated[RoutingEdit, Body()],
        version: SeenIfAny = None,
        comment: Annotated[str, Field(max_length=1000), Query(description="Why, if the body does not say it.")] = "",
        key: Key = "",
    ) -> RoutingPublished:
        sound = sound_routing(routing.text)
        command = PublishRouting(routing.text, routing.comment or comment)
        seen = version if routing.version is None else routing.version
        if seen is None:
            message = "the request has wrong values; see details"
            raise ValueRefused(message, fields=[("version", "is missing: the version that you saw, 0 if none was published")])
        published = desks.desk.do(Routing, ROUTING, command, desks.asked(key, seen))
        state: RoutingState = published.expect()
        return RoutingPublished(
            version=published.version,
            by=desks.people([state.by]).person(state.by),
            published=seconds(state.time_us),
            comment=state.comment,
            text=state.text,
            hints=hints(sound, channels),
        )


def _short(version: RoutingVersion) -> dict[str, object]:
    return {
        "version": version.number,
        "published": seconds(version.published_us),
        "comment": version.comment,
        "event_id": version.event_id,
    }
