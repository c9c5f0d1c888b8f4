"""The story that ``findstream run --sample`` tells: a fortnight of history first, then life at a slow pace.

Three days before it begins, somebody tried passwords from one address on every account, and no rule noticed.
"""

from collections.abc import Iterator
from heapq import merge
from operator import attrgetter
from typing import Final

from consumers.sample.stream import Item, Mix, beats, failed_sign_ins, spread
from schemas.identity import MICROSECONDS

HISTORY_DAYS: Final = 14
HISTORY_ITEMS: Final = 6000
STORM_ADDRESS: Final = "198.51.100.77"
STORM_ITEMS: Final = 96
_STORM_DAYS: Final = 3
_STORM_STEP_SECONDS: Final = 15
_ACCOUNTS: Final = 24
_BEAT_SECONDS: Final = 120
_USUAL_BEATS: Final = 6.0
_OTHERS: Final = 94.0


def history(now_us: int) -> Iterator[Item]:
    """Fourteen days of findings that end now; it begins with the roll-out of all agents."""
    since_us = now_us - HISTORY_DAYS * 86_400 * MICROSECONDS
    life = spread(since_us, since_us, now_us, count=HISTORY_ITEMS, mix=Mix(rhythm=0.5, overture=True, accounts=_ACCOUNTS))
    return merge(life, storm(now_us), key=attrgetter("at_us"))


def storm(now_us: int) -> Iterator[Item]:
    """Four failed sign-ins to each account within 24 minutes, three days ago, all from one address."""
    started_us = now_us - _STORM_DAYS * 86_400 * MICROSECONDS
    step_us = _STORM_STEP_SECONDS * MICROSECONDS
    mix = Mix(accounts=_ACCOUNTS)
    return failed_sign_ins(started_us, started_us, count=STORM_ITEMS, step_us=step_us, address=STORM_ADDRESS, mix=mix)


def roll_call(now_us: int) -> Iterator[Item]:
    """Every agent is heard now. Said before a run begins: while nothing ran nobody was silent, there was only nobody to hear."""
    return beats(now_us, now_us, mix=Mix(accounts=_ACCOUNTS))


def trickle(rate: float) -> Mix:
    """Life at ``rate`` findings a second, with enough heartbeats among them that each agent beats every two minutes or so."""
    share = min(0.5, _ACCOUNTS / _BEAT_SECONDS / rate)
    return Mix(accounts=_ACCOUNTS, weights={"heartbeat": max(_USUAL_BEATS, _OTHERS * share / (1 - share))})
