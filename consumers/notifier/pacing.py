"""How fast a channel is sent to, and when so much waits that one message shall tell of it: pure.

Bucket: a token bucket, remembered as one number, ``Pace.full_us``: when it will be full again. Each request takes a token,
        whatever is answered. It is kept in the ledger, so that a restart gives no new tokens.
Storm:  more than ``STORM`` messages wait. They are held until ``CALM_US`` have passed without another one, or ``LONGEST_US``
        since the first, and become one digest. What is CRITICAL is counted apart: it goes out one by one meanwhile, before all
        else, unless there is a storm of it too, which holds everything. The digest is made once it can be sent, and sent at once,
        before what is CRITICAL: else it would be merged into the next one, and that into another, for as long as both go on.
"""

from dataclasses import replace
from enum import StrEnum
from typing import Final, NamedTuple

from consumers.notifier.channels.port import Rate
from consumers.notifier.ledger.port import Crowd
from consumers.notifier.retry import Pace
from schemas.identity import MICROSECONDS

STORM: Final = 30
"""Messages that may wait for a channel without becoming a digest."""
CALM_US: Final = 10 * MICROSECONDS
LONGEST_US: Final = 60 * MICROSECONDS
CRITICAL: Final = 4


def taken(pace: Pace, rate: Rate, now_us: int) -> Pace:
    """The pace after a request at ``now_us``."""
    interval_us = _interval_us(rate)
    begun_us = pace.full_us if now_us < pace.full_us <= now_us + rate.burst * interval_us else now_us
    return replace(pace, full_us=begun_us + interval_us)


def free_us(pace: Pace, rate: Rate, now_us: int) -> int:
    """When the next request may go out; ``now_us`` if at once. A bucket that a clock filled which has gone back since is full."""
    interval_us = _interval_us(rate)
    free_us = pace.full_us - (rate.burst - 1) * interval_us
    return free_us if now_us < free_us <= now_us + interval_us else now_us


def _interval_us(rate: Rate) -> int:
    return round(MICROSECONDS / rate.per_second)


class Next(StrEnum):
    """What a channel is to do with what waits for it."""

    SEND = "send"
    HOLD = "hold"
    DIGEST = "digest"


class Plan(NamedTuple):
    """What is to be done. ``critical``: with what is CRITICAL. ``until_us``: how long it is held at the longest."""

    next: Next
    critical: bool = False
    until_us: int = 0


def plan(critical: Crowd, others: Crowd, now_us: int) -> Plan:
    """What to do with what waits and has certainly not arrived."""
    storm, is_critical = (critical, True) if critical.count > STORM else (others, False)
    if storm.count <= STORM:
        return Plan(Next.SEND)
    over_us = min(storm.last_us + CALM_US, storm.first_us + LONGEST_US)
    if now_us < over_us <= now_us + LONGEST_US:
        return Plan(Next.HOLD, is_critical, over_us)
    return Plan(Next.DIGEST, is_critical)
