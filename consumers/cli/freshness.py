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
_PATIENCE_ON_AWS_US: Final = 120 * MICROSECONDS
"""There a batching window comes on top, which is a minute where somebody saves."""


def remark_on_lag(settings: Settings, states: Sequence[ProjectionState], what: str) -> None:
    """Say on stderr how far ``what``, which was read from the projections of ``states``, is behind the log, and what to do."""
    worst = max(states, key=lambda state: state.lag_events)
    if not worst.lag_events:
        return
    patience_us = _PATIENCE_ON_AWS_US if settings.on_aws else _PATIENCE_US
    late = worst.waiting_since_us is not None and now_us() - worst.waiting_since_us > patience_us
    told = f"{what} is {counted(worst.lag_events, 'event')} behind the log"
    if settings.on_aws:
        if late:
            remark(f"{told} at least: see findstream status")
    elif Home(settings.home.absolute()).running() is None:
        remark(f"{told}: findstream run folds what is missing")
    elif late:
        remark(f"{told}, though findstream runs: see findstream status")
