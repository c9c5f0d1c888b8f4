"""From what the desk and the projection know of a silence to what the API answers."""

from collections.abc import Iterable
from typing import Any, Literal, cast

from consumers.api.commands import People
from consumers.api.models import seconds
from consumers.api.silence_models import SilenceChangeView, SilenceDetail, SilenceView, Status
from pipeline.desks import silence as desk
from projections.policies import KnownSilence


def commanded(silence: desk.Silence, people: People, *, now_us: int) -> SilenceView:
    """A silence as a command left it."""
    state: desk.SilenceState = silence.expect()
    return SilenceView(
        id=str(silence.id),
        status=_status(state, now_us),
        matchers=list(state.matchers),
        starts=seconds(state.starts_us),
        ends=seconds(state.ends_us),
        comment=state.comment,
        by=people.person(state.by),
        created=seconds(state.created_us),
        expired=state.expired,
        revision=silence.version,
    )


def shown(silence: KnownSilence, people: People, *, now_us: int) -> SilenceView:
    """A silence as lists show it."""
    return SilenceView(**_fields(silence, people, now_us))


def detail(silence: KnownSilence, people: People, *, now_us: int) -> SilenceDetail:
    """A silence with what people did to it."""
    changes = [
        SilenceChangeView(
            what=cast("Literal['created', 'changed', 'expired']", change.what),
            time=seconds(change.time_us),
            by=people.person(change.by),
            comment=change.comment,
            ends=seconds(change.ends_us),
            event_id=change.event_id,
        )
        for change in silence.changes
    ]
    return SilenceDetail(**_fields(silence, people, now_us), changes=changes)


def people_of(silences: Iterable[KnownSilence]) -> set[str]:
    """The ids of all who appear in these."""
    return {by for silence in silences for by in [silence.by, *(change.by for change in silence.changes)]}


def _fields(silence: KnownSilence, people: People, now_us: int) -> dict[str, Any]:
    return {
        "id": silence.id,
        "status": silence.status(now_us),
        "matchers": list(silence.matchers),
        "starts": seconds(silence.starts_us),
        "ends": seconds(silence.ends_us),
        "comment": silence.comment,
        "by": people.person(silence.by),
        "created": seconds(silence.created_us),
        "expired": silence.expired,
        "revision": silence.revision,
    }


def _status(state: desk.SilenceState, now_us: int) -> Status:
    if state.ends_us <= now_us:
        return "ended"
    return "active" if state.starts_us <= now_us else "pending"
