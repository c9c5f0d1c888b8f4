"""One channel's messages, one after the other: write the intent down, send, write down what became of it.

A visit sends at most one message and never sleeps, so a simulator with a clock of its own can make them. What a crash leaves:
before the request, a pending notice; after it, one that is ``sending``, whose outcome nobody knows. If the ledger cannot be
written after the request, the outcome is kept in memory and written at the next visit: it is known, so nothing is resent.
Pace and storms are as ``consumers.notifier.pacing`` says.

Order: of one group what was decided first is sent first, lest the last word about something be an old one. Overtaken is what has
       failed for ``IN_ORDER_US``, and, by what is CRITICAL, what a storm holds back for its digest; what a person sends on its
       way again comes when it comes. What is sent ``LATE_US`` after it was decided says so. Both are microseconds.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from consumers.notifier import facts, pacing
from consumers.notifier.channels.port import Channel
from consumers.notifier.errors import Unrenderable
from consumers.notifier.ledger.port import Ledger
from consumers.notifier.messages.message import message_of, named
from consumers.notifier.notice import DIGEST, Key, Notice, Reason, State
from consumers.notifier.pacing import CRITICAL, Next
from consumers.notifier.retry import Outcome, Pace, Policy, judge
from pipeline.log.port import Log
from schemas.envelope import Envelope
from schemas.identity import MICROSECONDS

Clock = Callable[[], int]
"""Microseconds since the epoch, UTC."""

_logger = logging.getLogger(__name__)

_LAST: Final = (State.SENT, State.FAILED)
_MILLISECOND_US: Final = 1000
IN_ORDER_US: Final = 1800 * MICROSECONDS
LATE_US: Final = 300 * MICROSECONDS


@dataclass(frozen=True, slots=True)
class Visit:
    """What a visit came to: the notice it dealt with, and what became of it (both None: nothing was to be sent).

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
    """Delivers the notices of the channel ``name``. To be called by one thread at a time. ``random`` gives 0 <= x < 1."""

    def __init__(
        self,
        name: str,
        channel: Channel,
        *,
        ledger: Ledger,
        token: int,
        log: Log,
        console_url: str,
        policy: Policy,
        clock: Clock,
        random: Callable[[], float],
    ) -> None:
        self._name = name
        self._channel = channel
        self._ledger = ledger
        self._token = token
        self._log = log
        self._console_url = console_url
        self._policy = policy
        self._clock = clock
        self._random = random
        self._unwritten: _Settlement | None = None
        self._failing = False

    def visit(self) -> Visit:
        """Deal with the notice that comes next, if the channel is not at rest and nothing is to be waited for.

        Raises ``LedgerUnavailable`` and ``LogUnavailable``: visit again. Raises ``LedgerTaken``: end.
        """
        if self._unwritten is not None:
            return self._settle(self._unwritten)
        now_us = self._clock()
        pace = self._ledger.pace(self._name)
        if self._awaits(pace.not_before_us, now_us):
            return Visit(None, None, pace.not_before_us)
        critical, others = (self._ledger.crowd(self._name, critical=critical) for critical in (True, False))
        plan = pacing.plan(critical, others, now_us)
        free_us = pacing.free_us(pace, self._channel.pace, now_us)
        if plan.next is Next.DIGEST and now_us < free_us:
            return Visit(None, None, free_us)
        digest = self._merge(now_us, critical=plan.critical) if plan.next is Next.DIGEST else None
        notice, again_us = (digest, now_us) if digest else self._due(now_us)
        if plan.next is Next.HOLD and (plan.critical or notice is None or notice.severity < CRITICAL):
            return Visit(None, None, min(plan.until_us, now_us + MICROSECONDS) if critical.count else plan.until_us)
        if notice is None:
            return Visit(None, None, again_us)
        next_one = notice if plan.next is Next.HOLD else self._in_order(notice, now_us)
        return Visit(None, None, free_us) if now_us < free_us else self._settle(self._deliver(next_one, pace))

    def finish(self) -> None:
        """Write the outcome that could not be written yet, if there is one. Raises as ``visit``."""
        if self._unwritten is not None:
            self._settle(self._unwritten)

    def _in_order(self, notice: Notice, now_us: int) -> Notice:
        """An earlier message of its group that waits, unless that has failed for so long that it may never get through."""
        earlier = self._ledger.earlier(notice)
        if earlier is None or (earlier.first_attempt_us is not None and now_us - earlier.first_attempt_us > IN_ORDER_US):
            return notice
        return earlier

    def _due(self, now_us: int) -> tuple[Notice | None, int | None]:
        """The notice that is due; else when the next one will be, None if nothing waits."""
        notice = self._ledger.due(self._name, now_us)
        if notice is not None:
            return notice, now_us
        due_us = self._ledger.next_due_us(self._name)
        if due_us is None or self._awaits(due_us, now_us):
            return None, due_us
        return self._ledger.due(self._name, due_us), now_us

    def _awaits(self, moment_us: int, now_us: int) -> bool:
        """Whether ``moment_us`` is to come. One that no rest can have led to was written by a clock that has gone back since."""
        return now_us < moment_us <= now_us + self._policy.longest_wait_us

    def _merge(self, now_us: int, *, critical: bool) -> Notice | None:
        """Make the digest that is sent next; None if it is under another number than it was to have."""
        digest = Notice(
            key=Key(DIGEST, self._name, now_us // _MILLISECOND_US),
            channel=self._name,
            causes=(),
            state=State.PENDING,
            reason=Reason.STORM,
            decided_us=now_us,
            due_us=now_us,
            changed_us=now_us,
            why=Reason.STORM,
        )
        self._ledger.merge(self._token, digest, now_us, critical=critical)
        made = self._ledger.get(digest.key)
        return made if made and made.state is State.PENDING else None

    def _deliver(self, notice: Notice, pace: Pace) -> _Settlement:
        events = self._events(notice)
        first = next((event for cause in (*notice.causes, *notice.still) if (event := events.get(cause.event_id))), None)
        if first is None:
            return self._give_up(notice, Reason.EVENT_MISSING, "not where the log had it", pace, None)
        try:
            message = message_of(notice, events, self._console_url)
            late = self._clock() - notice.decided_us >= LATE_US
            payload = self._channel.render(replace(message, late=late))
        except Unrenderable as fault:
            return self._give_up(notice, Reason.UNRENDERABLE, str(fault)[:200], pace, first)
        begun_us = self._clock()
        sending = self._ledger.intend(self._token, notice, begun_us)
        answer = self._channel.send(payload)
        now_us = self._clock()
        paced = pacing.taken(pace, self._channel.pace, begun_us)
        outcome = judge(sending, answer, paced, self._policy, now_us=now_us, chance=self._random())
        return _settlement(sending, outcome, first, now_us)

    def _events(self, notice: Notice) -> dict[str, Envelope]:
        """Of the events that a message names, and those that raised alerts among them, those that the log holds, by id."""
        causes = named(notice)
        found = self._log.fetch([cause.position for cause in causes])
        pairs = zip(causes, found, strict=True)
        raised = self._log.fetch([cause.began for cause in causes if cause.began])
        return {record.event.id: record.event for record in raised if record} | {
            cause.event_id: record.event for cause, record in pairs if record and record.event.id == cause.event_id
        }

    def _give_up(self, notice: Notice, reason: Reason, detail: str, pace: Pace, event: Envelope | None) -> _Settlement:
        now_us = self._clock()
        return _settlement(notice, Outcome(State.FAILED, reason, now_us, notice.unsure, detail, pace), event, now_us)

    def _settle(self, settlement: _Settlement) -> Visit:
        self._unwritten = settlement
        self._ledger.settle(self._token, settlement.notice, settlement.outcome, settlement.time_us, settlement.fact)
        self._unwritten = None
        self._report(settlement.notice, settlement.outcome)
        return Visit(settlement.notice, settlement.outcome, settlement.time_us)

    def _report(self, notice: Notice, outcome: Outcome) -> None:
        """Log that the channel begins to fail, or is back, and every dead letter."""
        if outcome.reason is Reason.UNAVAILABLE and not self._failing:
            self._failing = True
            _logger.warning("channel %s fails: %s; what is for it waits, and is tried again", self._name, outcome.detail)
        elif self._failing and outcome.state is State.SENT:
            self._failing = False
            _logger.warning("channel %s is back", self._name)
        if outcome.state is State.FAILED:
            told = f"{outcome.reason}: {outcome.detail}" if outcome.detail else outcome.reason
            _logger.warning("dead letter of channel %s: %s: %s", self._name, notice.key, told)


def _settlement(notice: Notice, outcome: Outcome, event: Envelope | None, now_us: int) -> _Settlement:
    fact = None
    if outcome.state in _LAST:
        reason = notice.why if outcome.state is State.SENT else outcome.reason
        fact = facts.settled(notice, outcome.state, reason, event, time_us=now_us, detail=outcome.detail)
    return _Settlement(notice, outcome, now_us, fact)
