"""What a command says where what it read is behind the log, so that a zero is not taken for an answer.

Silence: while findstream runs, a lag of a few seconds is how it works, and no word is lost on it.
"""

from collections.abc import Sequence
from typing import Final

from consumers.cli.output import counted, remark
from consumers.composition import now_us
from consumers.home import Home
from pipeline.settings import Settings
from projections.reading import ProjectionState
from schemas.identity import MICROSECONDS

_PATIENCE_US: Final = 10 * MICROSECONDS


def remark_on_lag(settings: Settings, states: Sequence[ProjectionState], what: str) -> None:
    """Say on stderr how far ``what``, which was read from the projections of ``states``, is behind the log, and what to do."""
    worst = max(states, key=lambda state: state.lag_events)
    if not worst.lag_events:
        return
    told = f"{what} is {counted(worst.lag_events, 'event')} behind the log"
    if Home(settings.home.absolute()).running() is None:
        remark(f"{told}: findstream run folds what is missing")
    elif worst.waiting_since_us is not None and now_us() - worst.waiting_since_us > _PATIENCE_US:
        remark(f"{told}, though findstream runs: see findstream status")
