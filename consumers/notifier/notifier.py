"""The notifier: reads the log, decides, delivers, and tells the log what became of each notice.

Start:   takes the ledger over (an earlier notifier is fenced), sets the live mark to the log's heads if there is none yet, and
         makes what a kill left half-sent pending and unsure. So an old log floods nobody, and nothing behind the mark is missed.
Reading: decisions, what they make of groups and how far the log was read are one write of the ledger, made whether or not any
         channel works. A restart goes on from there: it repeats nothing and forgets nothing.
Sending: a courier a channel, each on its own thread, so that a channel that is down blocks no other. Nobody sleeps holding work.
Telling: a thread of its own brings what became of notices to the log, whose writers wait for each other: reading goes on.
Memory:  what was sent or suppressed is forgotten after ``KEPT``, but for dead letters: see ``Notifier.prune``.
Replay:  projections are folded again without any of this: only this class is given channels, and it begins at its own mark.
"""

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Event
from typing import Final, TypeVar

from consumers.notifier import facts
from consumers.notifier.channels.port import Channel
from consumers.notifier.courier import Clock, Courier, Visit
from consumers.notifier.deciding import BATCH, Decider
from consumers.notifier.errors import LedgerUnavailable
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.notice import Reason, State
from consumers.notifier.retry import Outcome, Policy
from consumers.notifier.routing.tree import Policies
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log
from pipeline.log.port import Outcome as Stored
from schemas.identity import MICROSECONDS

KEPT: Final = timedelta(days=90)
"""How long a known outcome is remembered, three times as long as an event's repeat counts as one (``projections.guard``)."""

_BATCH: Final = 1000
_PRUNE_EVERY_US: Final = 3600 * MICROSECONDS
_FORGOTTEN_AT_ONCE: Final = 100
"""In a turn, which is short: a table takes one transaction for each."""
_FORGET_AGAIN_US: Final = MICROSECONDS
_RELAYED_AT_ONCE: Final = 500
_RELAY_AGAIN_US: Final = 60 * MICROSECONDS
_LOOK_SECONDS: Final = 0.5
"""How often a thread looks around that nobody woke: for a stop, a redrive by another process, facts to relay."""
_GATHER_SECONDS: Final = 0.2
"""How long facts are gathered before they are relayed together: the log's writers take turns, and this one is in no hurry."""
_PATIENCE_SECONDS: Final = 1.0
_READ_US: Final = 10 * MICROSECONDS
"""How long a turn reads on at most before it delivers what that brought: nobody waits until a long backlog is read."""

Result = TypeVar("Result")

_logger = logging.getLogger(__name__)


def begin(log: Log, ledger: Ledger) -> bool:
    """Set the live mark to where the log now ends, unless it is set. A supervisor calls this before producers start.

    Without it the mark is set at the first notifier's start, and what was appended before that is never notified of.
    """
    return ledger.marks() is None and ledger.begin(log.heads())


@dataclass(frozen=True, slots=True)
class Turn:
    """What one turn came to. ``again_us`` is when there will be something to do that no event tells of; None if never."""

    sent: int
    again_us: int | None


class Notifier:
    """The role as a whole. ``channels`` names every channel, with None where it has no address. ``random`` gives 0 <= x < 1.

    ``policies`` says what people have decided by now; it is asked once the ledger is taken over. ``console_url`` is where the
    links of messages lead. Constructing it takes the ledger over. ``step``, ``relay``, ``prune`` and ``deliver`` never sleep and
    may be called by a simulator instead of ``run``; each raises ``LogUnavailable`` or ``LedgerUnavailable`` (call again), or
    ``LedgerTaken`` (end).
    """

    def __init__(
        self,
        log: Log,
        ledger: Ledger,
        channels: Mapping[str, Channel | None],
        policies: Callable[[], Policies],
        *,
        console_url: str,
        clock: Clock,
        random: Callable[[], float],
        policy: Policy | None = None,
    ) -> None:
        self._log = log
        self._ledger = ledger
        self._clock = clock
        self._token = ledger.claim()
        begin(log, ledger)
        self._pruned_us = 0
        self._couriers = {
            name: Courier(
                name,
                channel,
                ledger=ledger,
                token=self._token,
                log=log,
                console_url=console_url,
                policy=policy or Policy(),
                clock=clock,
                random=random,
            )
            for name, channel in channels.items()
            if channel is not None
        }
        self._decider = Decider(
            log, ledger, self._token, policies=policies(), connected=self._couriers.keys(), clock=clock
        )  # fmt: skip
        self._wakes = {name: Event() for name in self._couriers}
        self._settled = Event()
        unsure = ledger.recover(self._token, clock())
        if unsure:
            _logger.warning("an earlier run left %d notices of unknown outcome; they are sent again, marked", unsure)
        self._bury_orphans()

    @property
    def channels(self) -> Sequence[str]:
        """The channels that can be delivered to."""
        return tuple(self._couriers)

    @property
    def policies(self) -> Policies:
        """What people decided, as far as the log was read."""
        return self._decider.policies

    @property
    def next_us(self) -> int | None:
        """When time alone will bring something to decide; None if never."""
        return self._decider.next_us

    def step(self) -> int:
        """Read on, decide, and look at what is due. Returns how many events were read; 0 at the end of the log."""
        read, channels = self._decider.step()
        if channels:
            self._wake(channels)
            self._settled.set()
        return read

    def deliver(self, channel: str) -> Visit:
        """Deal with what comes next for ``channel``. Raises ``KeyError`` for a channel without an address."""
        return self._couriers[channel].visit()

    def finish(self) -> None:
        """Write what is known of requests and could not be written yet. Before another notifier in this process takes over."""
        for courier in self._couriers.values():
            courier.finish()

    def relay(self) -> int:
        """Tell the log what became of notices. Returns how many facts it has taken. At least once; ids are kept."""
        waiting = self._ledger.outbox(_RELAYED_AT_ONCE)
        if not waiting:
            return 0
        receipts = self._log.append([fact for _, fact in waiting])
        taken = [number for (number, _), receipt in zip(waiting, receipts, strict=True) if receipt.outcome is not Stored.FAILED]
        self._ledger.relayed(taken)
        return len(taken)

    def prune(self, most: int | None = None) -> int:
        """Forget outcomes, ``most``, that have been known for ``KEPT``, once an hour all of them. Returns how many it forgot.

        Call it when ``step`` has read to the log's end. Then nothing is sent twice: what was read is not read again, and a repeat
        that is still to come is recorded later than all that was read, so more than thirty days after its event, where it counts
        as an event of its own. Age is counted from the last recorded time read, lest a clock that is ahead forget too much.
        """
        now_us = self._clock()
        if 0 <= now_us - self._pruned_us < _PRUNE_EVERY_US:
            return 0
        before_us = min(now_us, self._decider.recorded_us) - KEPT // timedelta(microseconds=1)
        limit = _BATCH if most is None else most
        pruned = self._ledger.prune(self._token, before_us, limit)
        if pruned < limit:
            self._pruned_us = now_us
        return pruned

    def turn(self, until_us: int) -> Turn:
        """Read on to the log's end, deliver what is due meanwhile, tell the log. For who is woken, also at ``Turn.again_us``.

        Ends at ``until_us``, but for the requests in flight; what is left then, or due later, is for the next turn. Raises
        ``LogUnavailable``, ``LedgerUnavailable``, or ``LedgerTaken`` after which this notifier is of no more use.
        """
        sent, reads = 0, True
        while reads:
            reads = self._reads_on(min(until_us, self._clock() + _READ_US)) and self._clock() < until_us
            delivered = self._deliver_all(until_us)
            sent += sum(turn.sent for turn in delivered)
        self._decider.keep()
        while self._clock() < until_us and self.relay():
            pass
        forgotten = self.prune(_FORGOTTEN_AT_ONCE) if self._clock() < until_us else 0
        now_us = self._clock()
        left = [now_us] if now_us >= until_us else [now_us + _RELAY_AGAIN_US] if self._ledger.outbox(1) else []
        if forgotten == _FORGOTTEN_AT_ONCE:
            left.append(now_us + _FORGET_AGAIN_US)
        again = [*left, self._decider.next_us, *(turn.again_us for turn in delivered)]
        return Turn(sent, min((moment for moment in again if moment is not None), default=None))

    def run(self, stop: Event) -> None:
        """Do all this until ``stop`` is set; then finish the requests in flight, relay what is to be told, and return.

        Waits and tries again while log or ledger are unavailable. Raises what else breaks, ``LedgerTaken`` among it, after all
        threads have ended.
        """
        ended = Event()
        with ThreadPoolExecutor(max_workers=len(self._couriers) + 1, thread_name_prefix="channel") as pool:
            others = [pool.submit(self._deliver_until, stop, ended, name) for name in self._couriers]
            others.append(pool.submit(self._relay_until, stop, ended))
            try:
                while not stop.is_set() and not any(other.done() for other in others):
                    self._read_on(stop)
            finally:
                ended.set()
                self._settled.set()
                self._wake(self._wakes)
        for other in others:
            other.result()
        _patiently(self.relay, stop)
        _patiently(self._decider.keep, stop)

    def _read_on(self, stop: Event) -> None:
        read = _patiently(self.step, stop)
        if read is not None and read < BATCH:
            _patiently(self.prune, stop)
            _patiently(lambda: self._log.wait(self._decider.marks, self._patience_seconds()), stop)

    def _patience_seconds(self) -> float:
        """How long to wait for events: not longer than until a group is due."""
        next_us = self._decider.next_us
        wait_seconds = _LOOK_SECONDS if next_us is None else (next_us - self._clock()) / MICROSECONDS
        return min(max(wait_seconds, 0.0), _LOOK_SECONDS)

    def _deliver_until(self, stop: Event, ended: Event, channel: str) -> None:
        wake = self._wakes[channel]
        while not (stop.is_set() or ended.is_set()):
            wake.clear()
            visit = _patiently(self._couriers[channel].visit, ended)
            if visit is not None and visit.notice is not None:
                self._settled.set()
            wait_seconds = _LOOK_SECONDS
            if visit is not None and visit.again_us is not None:
                wait_seconds = min(wait_seconds, (visit.again_us - self._clock()) / MICROSECONDS)
            if wait_seconds > 0:
                wake.wait(wait_seconds)

    def _relay_until(self, stop: Event, ended: Event) -> None:
        while not (stop.is_set() or ended.is_set()):
            self._settled.clear()
            if not _patiently(self.relay, ended):
                self._settled.wait(_LOOK_SECONDS)
                ended.wait(_GATHER_SECONDS)

    def _reads_on(self, until_us: int) -> bool:
        """Read on, one step at least. Returns whether there may be more to read."""
        while self.step():
            if self._clock() >= until_us:
                return True
        return False

    def _deliver_all(self, until_us: int) -> list[Turn]:
        with ThreadPoolExecutor(max_workers=len(self._couriers) or 1, thread_name_prefix="channel") as pool:
            deliveries = [pool.submit(self._deliver_due, name, until_us) for name in self._couriers]
        return [delivery.result() for delivery in deliveries]

    def _deliver_due(self, channel: str, until_us: int) -> Turn:
        sent = 0
        again_us: int | None = self._clock()
        while again_us is not None and again_us <= self._clock() < until_us:
            visit = self.deliver(channel)
            sent += visit.outcome is not None and visit.outcome.state is State.SENT
            again_us = visit.again_us
        return Turn(sent, again_us)

    def _wake(self, channels: Iterable[str]) -> None:
        for channel in channels:
            if channel in self._wakes:
                self._wakes[channel].set()

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


def _patiently(work: Callable[[], Result], ended: Event) -> Result | None:
    """What ``work`` returns; None, after a moment, if log or ledger were unavailable."""
    try:
        return work()
    except (LogUnavailable, LedgerUnavailable) as broken:
        _logger.warning("waiting: %s", broken)
        ended.wait(_PATIENCE_SECONDS)
        return None
