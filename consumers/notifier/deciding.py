"""Reading and deciding: what the log says, and what time brings, become notices, groups and marks, in one write of the ledger.

Again:  a batch whose write failed is read and decided anew, with groups and marks as the ledger has them then, for the write
        may have been kept after all. An event that some notice tells of, or that waits in a group, is a repeat: it is dropped.
        What people decided is heard again, too, at its place: nothing is judged by what stands behind it on its shard.
Marks:  are kept with what is decided. While that is nothing, as most of the time, they are kept every ``MARKED_US``: who starts
        again reads some events again that concern nobody.
Order:  the log's within a shard; a shard's after all of its parents'.
Clock:  decisions are made by a time that never goes back. If the clock does by more than ``STEP_US``, all groups go back, too.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import replace
from typing import Final

from consumers.notifier import facts, item
from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.floors import Concerns, concerning
from consumers.notifier.groups.decide import decide
from consumers.notifier.groups.kept import Kept, Overlay
from consumers.notifier.groups.state import Change, Hold, Send
from consumers.notifier.item import Item
from consumers.notifier.ledger.port import Draft, Ledger
from consumers.notifier.notice import Key, Notice, Reason, State
from consumers.notifier.policing import TYPES, Policing
from consumers.notifier.routing.tree import Policies
from pipeline.log.port import Batch, Log, Position, Record
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS

STEP_US: Final = 60 * MICROSECONDS
"""A clock that goes back by less is waited for."""

BATCH: Final = 1000
"""Events that are read of a shard in a step."""
MARKED_US: Final = 200_000
"""How much later, in microseconds, marks are kept at the latest while nothing is decided."""

_LONGEST_RESOURCE: Final = 200
"""Bytes (UTF-8) of a resource that a cause keeps: a digest has a thousand causes, and an item of DynamoDB 400 KB."""

_logger = logging.getLogger(__name__)


class Decider:
    """Decides for the holder of ``token``. ``connected``: the channels that have an address. To be called by one thread.

    ``policies`` are those that hold at the start; what people decide later is read from the log.
    """

    def __init__(
        self,
        log: Log,
        ledger: Ledger,
        token: int,
        *,
        policies: Policies,
        connected: AbstractSet[str],
        clock: Callable[[], int],
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._token = token
        self._ruling = _Ruling(Policing(policies), concerning(policies.routing))
        self._connected = connected
        self._clock = clock
        self._now_us = 0
        self._marked_us = 0
        self._unkept: dict[str, Position] = {}
        self._loaded = False
        self.recorded_us = 0
        """When the newest record that was read was recorded."""
        self._load()

    @property
    def marks(self) -> dict[str, Position]:
        """How far each shard was decided; the ledger may be a little behind."""
        return dict(self._marks)

    @property
    def next_us(self) -> int | None:
        """When time alone will bring something to decide."""
        return self._world.next_us

    @property
    def policies(self) -> Policies:
        """What people decided, as far as the log was read."""
        return self._ruling.policing.policies

    def step(self) -> tuple[int, set[str]]:
        """Read on, look at what is due, keep it. Returns how many events were read, and the channels that have news."""
        if not self._loaded:
            self._load()
        now_us = self._time()
        turn = _Turn(Overlay(self._world), self._ruling.copy(), now_us, self._clock())
        turn.ruling.policing.forget(now_us)
        marks = dict(self._unkept)
        read = 0
        for batch in self._batches():
            read += len(batch)
            marks[batch.positions[-1].shard] = batch.positions[-1]
            self.recorded_us = max(self.recorded_us, batch.recorded_us[-1])
            self._take(batch, turn)
        self._look(turn)
        drafts = [self._draft(outcome, turn) for outcome in turn.overlay.change.outcomes]
        is_news = turn.overlay.change or turn.policies is not self.policies
        if is_news or turn.clock_us - self._marked_us not in range(MARKED_US):
            self._commit(marks, drafts, turn.overlay.change)
        else:
            self._unkept = marks
        self._marks |= marks
        self._ruling = turn.ruling
        return read, {draft.notice.channel for draft in drafts}

    def keep(self) -> None:
        """Keep how far the log was read, unless a write failed: what that came to is not known, and a mark must not go back.

        Call it before the end of who is started again later. Raises ``LedgerUnavailable``, ``LedgerTaken``.
        """
        if self._loaded:
            self._commit(self._unkept, [], Change())

    def _load(self) -> None:
        groups = list(self._ledger.groups())
        self._world = Kept(groups)
        self._now_us = max((group.last_us or group.begun_us for group, _ in groups), default=0)
        self._marks = dict(self._ledger.marks() or {})
        self._unkept = {}
        self._loaded = True

    def _time(self) -> int:
        now_us = self._clock()
        behind_us = self._now_us - now_us
        if behind_us > STEP_US:
            _logger.warning("the clock has gone back by %d s; groups wait as long as before", behind_us // MICROSECONDS)
            self._commit(self._unkept, [], _shifted(self._ledger, -behind_us))
            self._now_us = now_us
        self._now_us = max(self._now_us, now_us)
        return self._now_us

    def _batches(self) -> Iterator[Batch]:
        unread: set[str] = set()
        for shard in self._log.shards():
            if unread.intersection(shard.parents):
                unread.add(shard.id)
                continue
            batch = self._log.read(shard.id, self._marks.get(shard.id), BATCH)
            if len(batch) or not shard.closed:
                unread.add(shard.id)
            if len(batch):
                yield batch

    def _take(self, batch: Batch, turn: "_Turn") -> None:
        told = batch.columns
        run: list[Record] = []
        headers = zip(told.type, told.severity, told.source, told.subject, strict=True)
        for index, (kind, severity, source, subject) in enumerate(headers):
            if kind in TYPES:
                self._decide(run, turn)
                run = []
                turn.ruling.hear(batch.record(index).event)
            elif turn.ruling.concerns(kind, severity, source) or subject in turn.subjects or self._is_held(subject, turn):
                turn.subjects.add(subject)
                run.append(batch.record(index))
        self._decide(run, turn)

    def _is_held(self, subject: str, turn: "_Turn") -> bool:
        return next(turn.overlay.holding(subject), None) is not None

    def _decide(self, records: Sequence[Record], turn: "_Turn") -> None:
        found = [(record.event, read) for record in records if (read := item.of(record.event, record.position))]
        known = self._ledger.known([event.id for event, _ in found]) if found else set()
        for event, read in found:
            if event.id not in known and event.id not in turn.events:
                turn.events[event.id] = event
                turn.decided(_short(read))

    def _look(self, turn: "_Turn") -> None:
        while turn.decided(None):
            pass

    def _commit(self, marks: dict[str, Position], drafts: Sequence[Draft], change: Change) -> None:
        if not (marks or change):
            return
        try:
            self._ledger.commit(self._token, marks, drafts, change)
        except LedgerUnavailable:
            self._loaded = False
            raise
        self._world.apply(change)
        self._unkept = {}
        self._marked_us = self._clock()

    def _draft(self, outcome: Send | Hold, turn: "_Turn") -> Draft:
        notice = _notice(outcome, turn.clock_us)
        if notice.state is State.PENDING and notice.channel not in self._connected:
            notice = replace(notice, state=State.SUPPRESSED, reason=Reason.NO_CHANNEL)
        if notice.state is State.PENDING:
            return Draft(notice)
        event = next((turn.events[cause.event_id] for cause in notice.causes if cause.event_id in turn.events), None)
        fact = facts.settled(notice, notice.state, notice.reason, event, time_us=turn.clock_us, detail=notice.detail)
        return Draft(notice, fact)


class _Ruling:
    """What people decided, and which events may concern it. A step works on a copy: if it is broken off, nothing was heard."""

    def __init__(self, policing: Policing, concerns: Concerns) -> None:
        self.policing = policing
        self.concerns = concerns

    def copy(self) -> "_Ruling":
        return _Ruling(self.policing.copy(), self.concerns)

    def hear(self, event: Envelope) -> None:
        before = self.policing.policies.routing
        self.policing.hear(event)
        if self.policing.policies.routing is not before:
            self.concerns = concerning(self.policing.policies.routing)


class _Turn:
    """One step under way: what it makes of the world and of policies, which events it read, and their subjects.

    ``now_us`` is the time of decisions, ``clock_us`` what the clock says.
    """

    def __init__(self, overlay: Overlay, ruling: _Ruling, now_us: int, clock_us: int) -> None:
        self.overlay = overlay
        self.ruling = ruling
        self.now_us = now_us
        self.clock_us = clock_us
        self.events: dict[str, Envelope] = {}
        self.subjects: set[str] = set()

    @property
    def policies(self) -> Policies:
        """What people decided, as far as this step has read."""
        return self.ruling.policing.policies

    def decided(self, read: Item | None) -> bool:
        """Go on by one decision; returns whether it changed anything."""
        change = decide(self.overlay, self.policies, read, self.now_us)
        self.overlay.apply(change)
        return bool(change)


def _notice(outcome: Send | Hold, now_us: int) -> Notice:
    made = Notice(
        key=Key(*outcome.key, outcome.flush),
        channel=outcome.channel,
        causes=outcome.news if isinstance(outcome, Send) else outcome.causes,
        state=State.PENDING if isinstance(outcome, Send) else State.SUPPRESSED,
        reason=outcome.reason,
        decided_us=now_us,
        due_us=now_us,
        changed_us=now_us,
        why=outcome.reason,
        path=outcome.path,
    )
    made = replace(made, severity=max((cause.severity for cause in made.causes), default=0))
    if isinstance(outcome, Hold):
        return replace(made, detail=outcome.detail)
    return replace(made, still=outcome.still, firing=outcome.firing, resolved=outcome.resolved)


def _short(read: Item) -> Item:
    resource = read.cause.resource[:_LONGEST_RESOURCE].encode()[:_LONGEST_RESOURCE].decode(errors="ignore")
    return replace(read, cause=read.cause._replace(resource=resource))


def _shifted(ledger: Ledger, by_us: int) -> Change:
    """All groups as if they had been decided about so much later."""
    change = Change()
    for group, members in ledger.groups():
        change.groups[group.key] = replace(
            group,
            begun_us=group.begun_us + by_us,
            next_us=group.next_us + by_us,
            tick_us=None if group.tick_us is None else group.tick_us + by_us,
            last_us=None if group.last_us is None else group.last_us + by_us,
        )
        for member in members:
            change.members[group.key, member.fingerprint] = replace(member, since_us=member.since_us + by_us)
    return change
