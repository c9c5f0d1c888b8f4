"""When a message that did not go out is tried again: pure.

Rate limit:  after as long as the channel asked, at least a second and at most an hour.
Outage:      exponential back-off with full jitter: a random part of 1 s, 2 s, 4 s … at most 5 min.
Giving up:   three days after a message's first request; then it is a dead letter. What waits behind an outage has not begun.
The channel: rests too, so that many waiting messages do not mean many requests. Its rest grows with its failures in a row, a
             message's with its own, and behind the rest another message is tried first: so one that Slack cannot digest holds
             nobody up. A rate limit is no message's fault and keeps the order.
A person:    may have a channel tried now. That ends the rest that failures led to, also of a request that was in flight then; how
             long a channel asked to be left alone is its own to say, and holds.
Source:      AWS Architecture Blog, "Exponential Backoff And Jitter".
"""

from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

from consumers.notifier.channels.port import Answer, Delivered, RateLimited, Refused
from consumers.notifier.notice import Notice, Reason, State

_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Policy:
    """How patient we are."""

    first: timedelta = timedelta(seconds=1)
    longest: timedelta = timedelta(minutes=5)
    shortest: timedelta = timedelta(milliseconds=100)
    longest_rest: timedelta = timedelta(hours=1)
    """The most that is believed of a Retry-After."""
    give_up: timedelta = timedelta(days=3)

    @property
    def longest_wait_us(self) -> int:
        """No try is put off for longer than this."""
        return max(self.longest, self.shortest, self.longest_rest, timedelta(seconds=1)) // _MICROSECOND + 1


@dataclass(frozen=True, slots=True)
class Pace:
    """A channel's rest: nothing is sent to it before ``not_before_us``. ``failures`` counts those in a row.

    ``full_us`` is when the channel's token bucket is full again: ``consumers.notifier.pacing``. ``asked``: the channel itself
    said how long it is to rest. ``retried_us`` is when a person had it tried at once, 0 if nobody did since it worked.
    ``since_us`` is when the first of the failures came.
    """

    not_before_us: int = 0
    failures: int = 0
    full_us: int = 0
    asked: bool = False
    retried_us: int = 0
    since_us: int = 0

    def retried(self, now_us: int) -> "Pace":
        """The pace once a person has the channel tried now: at rest no longer, unless the channel asked for that."""
        until_us = self.not_before_us if self.asked else min(self.not_before_us, now_us)
        return replace(self, not_before_us=until_us, retried_us=now_us)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an answer makes of a notice and of its channel. ``due_us`` is when to try again, if it is pending."""

    state: State
    reason: Reason
    due_us: int
    unsure: bool
    detail: str
    pace: Pace

    def of(self, notice: Notice, now_us: int) -> Notice:
        """What becomes of ``notice``, as the ledger writes it down."""
        return replace(
            notice,
            state=self.state,
            reason=self.reason,
            due_us=self.due_us,
            unsure=self.unsure,
            detail=self.detail,
            changed_us=now_us,
        )

    def unless_retried(self, kept: Pace, now_us: int) -> "Outcome":
        """The same, but with an end to the rest if a person had the channel tried while this came about.

        ``kept`` is the channel's pace as it is now; the outcome's came of an earlier one.
        """
        if self.pace.asked or not self.pace.failures or kept.retried_us == self.pace.retried_us:
            return self
        due_us = min(self.due_us, now_us) if self.state is State.PENDING else self.due_us
        return replace(self, due_us=due_us, pace=self.pace.retried(now_us))


def judge(notice: Notice, answer: Answer, pace: Pace, policy: Policy, *, now_us: int, chance: float) -> Outcome:
    """What becomes of ``notice``, which has just been sent and answered. ``chance`` is random, 0 <= chance < 1."""
    match answer:
        case Delivered():
            reason = Reason.OUTCOME_UNKNOWN if notice.unsure else Reason.DELIVERED
            return Outcome(State.SENT, reason, now_us, notice.unsure, "", _rested(pace))
        case Refused(detail):
            return Outcome(State.FAILED, Reason.REFUSED, now_us, notice.unsure, detail, _rested(pace))
        case RateLimited(wait_seconds):
            rest_us = _rest(policy, wait_seconds, pace, chance)
            rested = _resting(pace, now_us, rest_us, asked=wait_seconds is not None)
            again = Outcome(State.PENDING, Reason.RATE_LIMITED, rested.not_before_us, notice.unsure, "429", rested)
            return _unless_late(again, notice, policy, now_us)
    rested = _resting(pace, now_us, _backoff(policy, pace.failures + 1, chance))
    due_us = max(rested.not_before_us + 1, now_us + _backoff(policy, notice.attempt, chance))
    unsure = notice.unsure or answer.unsure
    return _unless_late(Outcome(State.PENDING, Reason.UNAVAILABLE, due_us, unsure, answer.detail, rested), notice, policy, now_us)


def _rested(pace: Pace) -> Pace:
    return Pace(full_us=pace.full_us)


def _resting(pace: Pace, now_us: int, rest_us: int, *, asked: bool = False) -> Pace:
    since_us = pace.since_us if pace.failures else now_us
    return replace(pace, not_before_us=now_us + rest_us, failures=pace.failures + 1, asked=asked, since_us=since_us)


def _unless_late(again: Outcome, notice: Notice, policy: Policy, now_us: int) -> Outcome:
    begun_us = now_us if notice.first_attempt_us is None else notice.first_attempt_us
    if now_us - begun_us >= policy.give_up // _MICROSECOND:
        return replace(again, state=State.FAILED, reason=Reason.GAVE_UP)
    return again


def _rest(policy: Policy, wait_seconds: float | None, pace: Pace, chance: float) -> int:
    if wait_seconds is None:
        return _backoff(policy, pace.failures + 1, chance)
    asked = timedelta(seconds=min(max(wait_seconds, 1.0), policy.longest_rest.total_seconds()))
    return asked // _MICROSECOND


def _backoff(policy: Policy, failures: int, chance: float) -> int:
    most = min(policy.first * 2 ** min(failures - 1, 30), policy.longest)
    wait: timedelta = max(most * chance, policy.shortest)
    return wait // _MICROSECOND
