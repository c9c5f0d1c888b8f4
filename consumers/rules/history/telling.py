"""Facts told to the log, many at once, in order; what it does not take is told again, then it is an error. Or told to nobody."""

from collections import defaultdict
from dataclasses import dataclass, field
from typing import Final, Protocol

from consumers.rules.history.errors import NotTold
from pipeline.log.port import Log, Outcome
from schemas.envelope import Envelope

_AT_ONCE: Final = 500
_ATTEMPTS: Final = 5
_REMEMBERED: Final = 100
_SHOWN: Final = frozenset({"alert.raised", "alert.withdrawn", "alert.reopened"})


class Teller(Protocol):
    """Where a run's facts go."""

    def tell(self, fact: Envelope) -> None:
        """Tell a fact, now or soon. Raises as ``flush``."""
        ...

    def flush(self) -> None:
        """Tell all that waits."""
        ...


@dataclass(slots=True)
class Rehearsal:
    """Tells nobody; ``first`` are the first facts of each type that would have been told."""

    first: defaultdict[str, list[Envelope]] = field(default_factory=lambda: defaultdict(list))

    def tell(self, fact: Envelope) -> None:
        """Remember a fact of an alert, if it is one of the first."""
        if fact.type in _SHOWN and len(self.first[fact.type]) < _REMEMBERED:
            self.first[fact.type].append(fact)

    def flush(self) -> None:
        """Nothing."""


@dataclass(slots=True)
class Telling:
    """Facts on their way. Nothing is durable before ``flush``."""

    log: Log
    _waiting: list[Envelope] = field(default_factory=list)

    def tell(self, fact: Envelope) -> None:
        """Tell a fact, now or soon. Raises as ``flush``."""
        self._waiting.append(fact)
        if len(self._waiting) >= _AT_ONCE:
            self.flush()

    def flush(self) -> None:
        """Tell all that waits. Raises ``LogUnavailable``, or ``NotTold`` naming a fact that the log would not take."""
        for _ in range(_ATTEMPTS):
            receipts = self.log.append(self._waiting) if self._waiting else []
            if refused := [receipt for receipt in receipts if receipt.outcome is Outcome.REFUSED]:
                message = f"the log refuses {refused[0].id}: {refused[0].reason}"
                raise NotTold(message)
            self._waiting = [
                fact for fact, receipt in zip(self._waiting, receipts, strict=True) if receipt.outcome is Outcome.FAILED
            ]
            if not self._waiting:
                return
        message = f"the log did not take {len(self._waiting)} facts, {self._waiting[0].id} first, in {_ATTEMPTS} attempts"
        raise NotTold(message)
