"""The notifier: reads the log, decides, delivers, and tells the log what became of each notice.

Start:   takes the ledger over (an earlier notifier is fenced), sets the live mark to the log's heads if there is none yet, and
         makes what a kill left half-sent pending and unsure. So an old log floods nobody, and nothing behind the mark is missed.
Reading: decisions and how far the log was read are one write of the ledger, made whether or not any channel works. Reading the
         same again, after a crash or because the log repeats itself, gives the same keys, so no second notice.
Sending: a courier a channel, each on its own thread, so that a channel that is down blocks no other. Nobody sleeps holding work.
Memory:  what was sent or suppressed is forgotten after ``KEPT``, but for dead letters: see ``Notifier.prune``.
Replay:  projections are folded again without any of this: only this class is given senders, and it begins at its own mark.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from threading import Event
from typing import Final, TypeVar

from consumers.notifier import facts
from consumers.notifier.channels.port import Sender
from consumers.notifier.courier import Clock, Courier, Visit
from consumers.notifier.decide import Decision, Verdict, decide, floors
from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.ledger.port import Draft, Ledger
from consumers.notifier.notice import Cause, Notice, Reason, State
from consumers.notifier.render import Renderer
from consumers.notifier.retry import Outcome, Policy
from consumers.notifier.routes import Route
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log, Position, Record
from pipeline.log.port import Outcome as Stored
from schemas.identity import MICROSECONDS

KEPT: Final = timedelta(days=90)
"""How long a known outcome is remembered, three times as long as an event's repeat counts as one (``projections.guard``)."""

_BATCH: Final = 1000
_PRUNE_EVERY_US: Final = 3600 * MICROSECONDS
_RELAYED_AT_ONCE: Final = 500
_LOOK_SECONDS: Final = 0.5
"""How often a thread looks around that nobody woke: for a stop, a redrive by another process, facts to relay."""
_PATIENCE_SECONDS: Final = 1.0

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


def begin(log: Log, ledger: Ledger) -> bool:
    """Set the live mark to where the log now ends, unless it is set. A supervisor calls this before producers start.

    Without it the mark is set at the first notifier's start, and what was appended before that is never notified of.
    """
    return ledger.marks() is None and ledger.begin(log.heads())


class Notifier:
    """The role as a whole. ``channels`` names every channel, with None where it has no webhook. ``random`` gives 0 <= x < 1.

    Constructing it takes the ledger over. ``step``, ``relay``, ``prune`` and ``deliver`` never sleep and may be called by a
    simulator instead of ``run``; each raises ``LogUnavailable`` or ``LedgerUnavailable`` (call again), or ``LedgerTaken`` (end).
    """

    def __init__(
        self,
        log: Log,
        ledger: Ledger,
        routes: Sequence[Route],
        channels: Mapping[str, Sender | None],
        renderer: Renderer,
        *,
        clock: Clock,
        random: Callable[[], float],
        policy: Policy | None = None,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._routes = routes
        self._clock = clock
        self._floors = floors(routes)
        self._token = ledger.claim()
        begin(log, ledger)
        self._marks = dict(ledger.marks() or {})
        self._recorded_us = 0
        self._pruned_us = 0
        self._couriers = {
            name: Courier(
                name,
                sender,
                ledger=ledger,
                token=self._token,
                log=log,
                renderer=renderer,
                policy=policy or Policy(),
                clock=clock,
                random=random,
            )
            for name, sender in channels.items()
            if sender is not None
        }
        self._wakes = {name: Event() for name in self._couriers}
        unsure = ledger.recover(self._token, clock())
        if unsure:
            _logger.warning("an earlier run left %d notices of unknown outcome; they are sent again, marked", unsure)
        self._bury_orphans()

    @property
    def channels(self) -> Sequence[str]:
        """The channels that can be delivered to."""
        return tuple(self._couriers)

    def step(self) -> int:
        """Read on and decide. Returns how many events were read; 0 at the end of the log."""
        marks: dict[str, Position] = {}
        drafts: list[Draft] = []
        unread: set[str] = set()
        read = 0
        now_us = self._clock()
        for shard in self._log.shards():
            if unread.intersection(shard.parents):
                unread.add(shard.id)
                continue
            batch = self._log.read(shard.id, self._marks.get(shard.id), _BATCH)
            if len(batch) or not shard.closed:
                unread.add(shard.id)
            if not len(batch):
                continue
            read += len(batch)
            self._recorded_us = max(self._recorded_us, batch.recorded_us[-1])
            marks[shard.id] = batch.positions[-1]
            for index, (kind, severity) in enumerate(zip(batch.columns.type, batch.columns.severity, strict=True)):
                if kind in self._floors and severity >= self._floors[kind]:
                    drafts += self._drafts(batch.record(index), now_us)
        if marks:
            new = self._ledger.commit(self._token, marks, drafts)
            self._marks |= marks
            if new:
                self._wake({draft.notice.channel for draft in drafts})
        return read

    def deliver(self, channel: str) -> Visit:
        """Deal with the next notice of ``channel`` that is due. Raises ``KeyError`` for a channel without a webhook."""
        return self._couriers[channel].visit()

    def relay(self) -> int:
        """Tell the log what became of notices. Returns how many facts it has taken. At least once; ids are kept."""
        waiting = self._ledger.outbox(_RELAYED_AT_ONCE)
        if not waiting:
            return 0
        receipts = self._log.append([fact for _, fact in waiting])
        taken = [number for (number, _), receipt in zip(waiting, receipts, strict=True) if receipt.outcome is not Stored.FAILED]
        self._ledger.relayed(taken)
        return len(taken)

    def prune(self) -> int:
        """Forget some outcomes that have been known for ``KEPT``, once an hour all of them. Returns how many it forgot.

        Call it when ``step`` has found nothing to read. Then nothing is sent twice: what was read is not read again, and a repeat
        that is still to come is recorded later than all that was read, so more than thirty days after its event, where it counts
        as an event of its own. Age is counted from the last recorded time read, lest a clock that is ahead forget too much.
        """
        now_us = self._clock()
        if 0 <= now_us - self._pruned_us < _PRUNE_EVERY_US:
            return 0
        before_us = min(now_us, self._recorded_us) - KEPT // timedelta(microseconds=1)
        pruned = self._ledger.prune(self._token, before_us, _BATCH)
        if pruned < _BATCH:
            self._pruned_us = now_us
        return pruned

    def turn(self, until_us: int) -> int:
        """Read on to the log's end, deliver what is due, tell the log; returns how many were sent. For who is woken now and then.

        Ends at ``until_us``, but for the requests in flight; what is left then, or due later, is for the next turn. Raises
        ``LogUnavailable``, ``LedgerUnavailable``, or ``LedgerTaken`` after which this notifier is of no more use.
        """
        while self._clock() < until_us and self.step():
            pass
        with ThreadPoolExecutor(max_workers=len(self._couriers) or 1, thread_name_prefix="channel") as pool:
            deliveries = [pool.submit(self._deliver_due, name, until_us) for name in self._couriers]
        sent = sum(delivery.result() for delivery in deliveries)
        while self._clock() < until_us and self.relay():
            pass
        self.prune()
        return sent

    def run(self, stop: Event) -> None:
        """Do all this until ``stop`` is set; then finish the requests in flight, relay what is to be told, and return.

        Waits and tries again while log or ledger are unavailable. Raises what else breaks, ``LedgerTaken`` among it, after all
        threads have ended.
        """
        ended = Event()
        with ThreadPoolExecutor(max_workers=len(self._couriers) or 1, thread_name_prefix="channel") as pool:
            deliveries = [pool.submit(self._deliver_until, stop, ended, name) for name in self._couriers]
            try:
                while not stop.is_set() and not any(delivery.done() for delivery in deliveries):
                    self._read_on(stop)
            finally:
                ended.set()
                self._wake(self._wakes)
        for delivery in deliveries:
            delivery.result()
        _patiently(self.relay, stop)

    def _read_on(self, stop: Event) -> None:
        moved = _patiently(self.step, stop)
        relayed = _patiently(self.relay, stop)
        if moved == 0 and not relayed:
            _patiently(self.prune, stop)
        if not moved and not relayed:
            _patiently(lambda: self._log.wait(self._marks, _LOOK_SECONDS), stop)

    def _deliver_until(self, stop: Event, ended: Event, channel: str) -> None:
        wake = self._wakes[channel]
        while not (stop.is_set() or ended.is_set()):
            wake.clear()
            visit = _patiently(self._couriers[channel].visit, ended)
            wait_seconds = _LOOK_SECONDS
            if visit is not None and visit.again_us is not None:
                wait_seconds = min(wait_seconds, (visit.again_us - self._clock()) / MICROSECONDS)
            if wait_seconds > 0:
                wake.wait(wait_seconds)

    def _deliver_due(self, channel: str, until_us: int) -> int:
        sent, again_us = 0, self._clock()
        while again_us <= self._clock() < until_us:
            visit = self.deliver(channel)
            sent += visit.outcome is not None and visit.outcome.state is State.SENT
            again_us = until_us if visit.again_us is None else visit.again_us
        return sent

    def _wake(self, channels: Iterable[str]) -> None:
        for channel in channels:
            if channel in self._wakes:
                self._wakes[channel].set()

    def _drafts(self, record: Record, now_us: int) -> list[Draft]:
        return [
            _draft(decision, record, now_us) for decision in decide(self._routes, record.event, connected=self._couriers.keys())
        ]

    def _bury_orphans(self) -> None:
        """Notices to channels that are gone become dead letters: redrive them when the channel is back."""
        now_us = self._clock()
        while orphans := self._ledger.orphans(self._couriers, _BATCH):
            for notice in orphans:
                pace = self._ledger.pace(notice.channel)
                outcome = Outcome(State.FAILED, Reason.CHANNEL_REMOVED, now_us, notice.unsure, "", pace)
                fact = facts.settled(notice, outcome.state, outcome.reason, None, time_us=now_us)
                self._ledger.settle(self._token, notice, outcome, now_us, fact)
            _logger.warning("%d notices were waiting for channels that are gone; they are dead letters now", len(orphans))


def _draft(decision: Decision, record: Record, now_us: int) -> Draft:
    suppressed = decision.verdict is Verdict.SUPPRESS
    notice = Notice(
        key=decision.key,
        channel=decision.channel,
        causes=(Cause(record.event.id, record.position),),
        state=State.SUPPRESSED if suppressed else State.PENDING,
        reason=decision.reason,
        decided_us=now_us,
        due_us=now_us,
        changed_us=now_us,
    )
    fact = facts.settled(notice, notice.state, notice.reason, record.event, time_us=now_us) if suppressed else None
    return Draft(notice, fact)


def _patiently(work: Callable[[], Result], ended: Event) -> Result | None:
    """What ``work`` returns; None, after a moment, if log or ledger were unavailable."""
    try:
        return work()
    except (LogUnavailable, LedgerUnavailable) as broken:
        _logger.warning("waiting: %s", broken)
        ended.wait(_PATIENCE_SECONDS)
        return None
