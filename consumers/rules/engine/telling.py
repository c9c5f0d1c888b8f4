"""Facts told to the log: all that are given, or an error that says which one was not taken."""

import logging
from collections.abc import Sequence
from typing import Final

from consumers.rules.engine.faults import Faults
from pipeline.errors import LogUnavailable
from pipeline.log.port import Log, Outcome
from schemas.envelope import Envelope

AT_ONCE: Final = 500

_logger = logging.getLogger(__name__)


def tell(log: Log, facts: Sequence[Envelope]) -> None:
    """Append facts. Raises ``LogUnavailable`` if the log did not take one; then tell all again."""
    for begin in range(0, len(facts), AT_ONCE):
        for receipt in log.append(facts[begin : begin + AT_ONCE]):
            if receipt.outcome is Outcome.FAILED:
                message = f"the log did not take {receipt.id}: {receipt.reason}"
                raise LogUnavailable(message)
            if receipt.outcome is Outcome.REFUSED:
                _logger.error("the log refuses %s, which nobody will hear of: %s", receipt.id, receipt.reason)


def tell_faults(log: Log, faults: Faults) -> None:
    """Tell which versions were switched off. Raises ``LogUnavailable``; then it is told later."""
    if facts := faults.untold:
        tell(log, facts)
        faults.told(facts)
