"""Silences as people ask for them and make them: what the API's routes and the console's pages have in common.

Matchers are looked at before a command is given; text that is none is refused, naming the accepted form.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Final, TypeAlias
from uuid import UUID

from consumers.api import silence_views, views
from consumers.api.commands import Desks
from consumers.api.errors import Conflict, NothingHere, ValueRefused
from consumers.api.models import Event, seconds
from consumers.api.parameters import micros
from consumers.api.routing_checks import sound_matchers
from consumers.api.silence_models import (
    FiringView,
    NewSilence,
    Previewed,
    SilenceDetail,
    SilenceEdit,
    SilenceList,
    SilenceView,
)
from consumers.notifier import item
from consumers.notifier.groups.state import Member
from consumers.notifier.routing.tree import Matchers, all_match
from pipeline.desks.silence import ChangeSilence, CreateSilence, ExpireSilence, Silence
from pipeline.log.port import Log
from projections.decided import Decided
from projections.event_index import Entry, EventQuery
from projections.policies import KnownSilence
from projections.reading import Reading
from projections.silence_pages import SilenceQuery

Firing: TypeAlias = Callable[[], Iterable[Member]]

MOST_LIVE: Final = 1_000
"""Silences that have not ended: every item is held against each."""
MOST_LOOKED_AT: Final = 2_000
"""Findings, for one preview."""
SHOWN: Final = 20
_AT_ONCE: Final = 200
_HOUR_US: Final = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Silencing:
    """The questions and the commands. ``firing`` answers what fires now, as the notifier knows it."""

    decided: Decided
    reading: Reading
    log: Log
    desks: Desks
    clock: Callable[[], int]
    firing: Firing = tuple

    def page(self, query: SilenceQuery) -> SilenceList:
        """A page of silences. Raises ``CursorRejected``."""
        now_us = self.clock()
        page = self.decided.silence_page(query, now_us=now_us)
        people = self.desks.people({silence.by for silence in page.silences})
        items = [silence_views.shown(silence, people, now_us=now_us) for silence in page.silences]
        return SilenceList(items=items, next=page.next or None)

    def detail(self, silence_id: str) -> SilenceDetail:
        """A silence with what people did to it. Raises ``NothingHere``."""
        silence = self.known(silence_id)
        if silence is None:
            message = "there is no such silence (or not yet)"
            raise NothingHere(message)
        return silence_views.detail(silence, self.desks.people(silence_views.people_of([silence])), now_us=self.clock())

    def known(self, silence_id: str) -> KnownSilence | None:
        """The silence of this id."""
        return self.decided.silence(silence_id)

    def create(self, wanted: NewSilence, key: str, *, length_us: int | None = None) -> SilenceView:
        """Silence something, for ``length_us`` if that is given. Raises ``ValueRefused``, ``Conflict``, ``DeskError``."""
        self._check(wanted, length_us)
        if len(self.decided.silences(ending_after_us=self.clock())) >= MOST_LIVE:
            message = f"there are {MOST_LIVE} silences that have not ended; end some, or let one match more"
            raise Conflict(message)
        starts_us = None if wanted.starts is None else micros(wanted.starts)
        ends_us = micros(wanted.ends) if length_us is None else None
        command = CreateSilence(tuple(wanted.matchers), ends_us, wanted.comment, starts_us, length_us or 0)
        return self._view(self.desks.desk.make(Silence, command, self.desks.asked(key)))

    def _check(self, wanted: NewSilence, length_us: int | None) -> None:
        """Raises ``ValueRefused``, naming all that is wrong, if matchers are: what else is, is the desk's to refuse."""
        try:
            sound_matchers(wanted.matchers)
        except ValueRefused as refused:
            late = length_us is None and micros(wanted.ends) <= self.clock()
            ends = (("ends", "must lie in the future"),) if late else ()
            raise ValueRefused(str(refused), fields=(*refused.fields, *ends)) from None

    def change(self, silence_id: str, wanted: SilenceEdit, key: str) -> SilenceView:
        """Move its end, or say something else of it. Raises ``DeskError``."""
        command = ChangeSilence(None if wanted.ends is None else micros(wanted.ends), wanted.comment)
        return self._view(self.desks.desk.do(Silence, UUID(silence_id), command, self.desks.asked(key, wanted.revision)))

    def expire(self, silence_id: str, comment: str, key: str, revision: int | None = None) -> SilenceView:
        """End it now; one that has ended stays as it is. Raises ``DeskError``."""
        return self._view(self.desks.desk.do(Silence, UUID(silence_id), ExpireSilence(comment), self.desks.asked(key, revision)))

    def preview(self, texts: Sequence[str], hours: int) -> Previewed:
        """What a silence with these matchers would match. Raises ``ValueRefused``."""
        matchers = sound_matchers(texts)
        since_us = max(0, self.clock() - hours * _HOUR_US)
        looked_at, matching, complete = self._findings(matchers, since_us)
        firing = sorted(
            (member for member in self.firing() if all_match(matchers, member.fields)),
            key=lambda member: (-member.cause.severity, member.since_us, member.fingerprint),
        )
        return Previewed(
            since=seconds(since_us),
            looked_at=looked_at,
            complete=complete,
            matched=len(matching),
            events=matching[:SHOWN],
            firing_matched=len(firing),
            firing=[_firing(member) for member in islice(firing, SHOWN)],
        )

    def _findings(self, matchers: Matchers, since_us: int) -> tuple[int, list[Event], bool]:
        """How many findings were looked at, which of them match, and whether these are all since then."""
        now_us = self.clock()
        looked_at, matching, cursor = 0, list[Event](), ""
        while looked_at < MOST_LOOKED_AT:
            page = self.reading.events(EventQuery(since_us=since_us, limit=_AT_ONCE, cursor=cursor), now_us=now_us)
            looked_at += len(page.entries)
            matching += [views.event(entry) for entry in self._matching(matchers, page.entries)]
            cursor = page.next
            if not cursor:
                return looked_at, matching, True
        return looked_at, matching, False

    def _matching(self, matchers: Matchers, entries: Sequence[Entry]) -> Iterable[Entry]:
        records = self.log.fetch([entry.position for entry in entries])
        for entry, record in zip(entries, records, strict=True):
            told = item.of(record.event, record.position) if record else None
            if told and all_match(matchers, told.fields):
                yield entry

    def _view(self, silence: Silence) -> SilenceView:
        return silence_views.commanded(silence, self.desks.people([silence.expect().by]), now_us=self.clock())


def _firing(member: Member) -> FiringView:
    return FiringView(
        subject=member.fingerprint,
        event_id=member.cause.event_id,
        severity=member.cause.severity,
        severity_name=views.severity_name(member.cause.severity),
        since=seconds(member.since_us),
    )
