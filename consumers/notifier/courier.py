"""One channel's messages, one after the other: write the intent down, send, write down what became of it.

A visit sends at most one message and never sleeps, so a simulator with a clock of its own can make them. What a crash leaves:
before the request, a pending notice; after it, one that is ``sending``, whose outcome nobody knows. If the ledger cannot be
written after the request, the outcome is kept in memory and written at the next visit: it is known, so nothing is resent.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from consumers.notifier import facts
from consumers.notifier.channels.port import Sender
from consumers.notifier.errors import Unrenderable
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.notice import Notice, Reason, State
from consumers.notifier.render import Renderer
from consumers.notifier.retry import Outcome, Pace, Policy, judge
from pipeline.log.port import Log
from schemas.envelope import Envelope

Clock = Callable[[], int]
"""Microseconds since the epoch, UTC."""

_LAST: Final = (State.SENT, State.FAILED)


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit came to: the notice it dealt with, and what became of it (both None: nothing was due).

    ``again_us`` is when there will be something to do, None if nothing is waiting.
    """

    notice: Notice | None
    outcome: Outcome | None
    again_us: int | None


@dataclass(frozen=True, slots=True)
class _Settlement:
    notice: Notice
    outcome: Outcome
    time_us: int
    fact: Envelope | None


class Courier:
    """Delivers the notices of one channel. To be called by one thread at a time. ``random`` gives numbers from 0 to below 1."""

    def __init__(
        self,
        channel: str,
        sender: Sender,
        *,
        ledger: Ledger,
        token: int,
        log: Log,
        renderer: Renderer,
        policy: Policy,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._channel = channel
        self._sender = sender
        self._ledger = ledger
        self._token = token
        self._log = log
        self._renderer = renderer
        self._policy = policy
        self._clock = clock
        self._random = random
        self._unwritten: _Settlement | None = None

    def visit(self) -> Visit:
        """Deal with the next notice that is due, if the channel is not at rest.

        Raises ``LedgerUnavailable`` and ``LogUnavailable``: visit again. Raises ``LedgerTaken``: end.
        """
        if self._unwritten is not None:
            return self._settle(self._unwritten)
        now_us = self._clock()
        pace = self._ledger.pace(self._channel)
        if self._awaits(pace.not_before_us, now_us):
            return Visit(None, None, pace.not_before_us)
        notice = self._ledger.due(self._channel, now_us)
        if notice is None:
            due_us = self._ledger.next_due_us(self._channel)
            if due_us is None or self._awaits(due_us, now_us):
                return Visit(None, None, due_us)
            notice = self._ledger.due(self._channel, due_us)
        return Visit(None, None, now_us) if notice is None else self._settle(self._deliver(notice, pace))

    def _awaits(self, moment_us: int, now_us: int) -> bool:
        """Whether ``moment_us`` is to come. One that no rest can have led to was written by a clock that has gone back since."""
        return now_us < moment_us <= now_us + self._policy.longest_wait_us

    def _deliver(self, notice: Notice, pace: Pace) -> _Settlement:
        event_id, position = notice.causes[0]
        [record] = self._log.fetch([position])
        if record is None or record.event.id != event_id:
            return self._give_up(notice, Reason.EVENT_MISSING, f"not at {position}", pace, None)
        try:
            message = self._renderer.render(record.event, resent=notice.unsure)
        except Unrenderable as fault:
            return self._give_up(notice, Reason.UNRENDERABLE, str(fault)[:200], pace, record.event)
        sending = self._ledger.intend(self._token, notice, self._clock())
        answer = self._sender.send(message)
        now_us = self._clock()
        outcome = judge(sending, answer, pace, self._policy, now_us=now_us, chance=self._random())
        return _settlement(sending, outcome, record.event, now_us)

    def _give_up(self, notice: Notice, reason: Reason, detail: str, pace: Pace, event: Envelope | None) -> _Settlement:
        now_us = self._clock()
        return _settlement(notice, Outcome(State.FAILED, reason, now_us, notice.unsure, detail, pace), event, now_us)

    def _settle(self, settlement: _Settlement) -> Visit:
        self._unwritten = settlement
        self._ledger.settle(self._token, settlement.notice, settlement.outcome, settlement.time_us, settlement.fact)
        self._unwritten = None
        return Visit(settlement.notice, settlement.outcome, settlement.time_us)


def _settlement(notice: Notice, outcome: Outcome, event: Envelope | None, now_us: int) -> _Settlement:
    fact = None
    if outcome.state in _LAST:
        fact = facts.settled(notice, outcome.state, outcome.reason, event, time_us=now_us, detail=outcome.detail)
    return _Settlement(notice, outcome, now_us, fact)
