"""Which fault strikes which call: the same ones in each run with the same seed and the same calls.

Of the rules for an operation the first that strikes is played. Each rule has dice of its own, rolled at every call of its
operation, so that adding a rule does not move the others.
"""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from random import Random
from threading import Lock

from tests.aws.faults.exchange import Answer, Call, Fault, Request

ANY = "*"


@dataclass(frozen=True, slots=True)
class Rule:
    """Play ``fault`` on calls of ``operation`` (``ANY`` for all of them), each with probability ``rate``.

    The first ``skip`` calls of the operation are left alone, and after ``times`` strikes the rule rests (None: never).
    """

    operation: str
    fault: Fault
    rate: float = 1.0
    times: int | None = None
    skip: int = 0


class Script:
    """Rules, their dice, and the count of what was called and what was injected. Threads may share it."""

    def __init__(self, *rules: Rule, seed: int = 0) -> None:
        self.rules = rules
        self.calls: Counter[str] = Counter()
        """Calls that came in, by operation."""
        self.injected: Counter[str] = Counter()
        """Faults that were played, by name."""
        self._struck = [0] * len(rules)
        self._dice = [Random(f"{seed}/{index}/{rule.fault.name}") for index, rule in enumerate(rules)]
        self._quiet = 0
        self._lock = Lock()

    @contextmanager
    def quiet(self) -> Iterator[None]:
        """Nothing goes wrong meanwhile, nor do the dice roll."""
        self._rest(1)
        try:
            yield
        finally:
            self._rest(-1)

    def play(self, request: Request, pass_on: Callable[[Request], Answer]) -> Answer:
        """Let the request through, or let a fault have it. Raises ``Unanswered``."""
        struck = self._strike(request)
        if struck is None:
            return pass_on(request)
        rule, dice = struck
        return rule.fault.play(Call(request, pass_on, dice))

    def _rest(self, change: int) -> None:
        with self._lock:
            self._quiet += change

    def _strike(self, request: Request) -> tuple[Rule, Random] | None:
        """The first rule that strikes, and dice for its fault."""
        with self._lock:
            self.calls[request.operation] += 1
            if self._quiet:
                return None
            striking = [index for index in range(len(self.rules)) if self._strikes(index, request)]
            if not striking:
                return None
            first = striking[0]
            self._struck[first] += 1
            self.injected[self.rules[first].fault.name] += 1
            return self.rules[first], Random(self._dice[first].getrandbits(64))

    def _strikes(self, index: int, request: Request) -> bool:
        """Whether this rule wants the request; rolls its dice if it is about such requests."""
        rule = self.rules[index]
        if rule.operation not in (ANY, request.operation):
            return False
        lucky = self._dice[index].random() < rule.rate
        seen = self.calls.total() if rule.operation == ANY else self.calls[request.operation]
        return lucky and seen > rule.skip and (rule.times is None or self._struck[index] < rule.times)
